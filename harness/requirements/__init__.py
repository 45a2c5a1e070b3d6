"""What a conversion must do: the catalogue of requirement ids that every check names."""

from harness.requirements.catalogue import Requirement, areas, catalogue, require

__all__ = ["Requirement", "areas", "catalogue", "require"]
