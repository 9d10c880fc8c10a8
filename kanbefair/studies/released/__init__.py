"""The rows that the authors released, and our re-runs of them."""

from kanbefair.studies.released import tables

__all__ = ["tables"]
