"""What parameters and FLOPs are, and what a spline layer is."""

from kanbefair.studies.counting import tables

__all__ = ["tables"]
