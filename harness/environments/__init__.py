"""Virtual environments that the harness makes for itself: another OpenVINO, or Model Optimizer."""

from harness.environments.virtual import EnvironmentFailure, find_python, make_environment

__all__ = ["EnvironmentFailure", "find_python", "make_environment"]
