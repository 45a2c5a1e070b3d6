"""The command line ``irproof``, also ``python -m harness``."""

from harness.cli.main import main

__all__ = ["main"]
