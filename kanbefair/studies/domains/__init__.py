"""The five domains: score against parameters and FLOPs."""

from kanbefair.studies.domains import tables

__all__ = ["tables"]
