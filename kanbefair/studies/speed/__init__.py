"""What a spline layer costs, and how many runs an hour are trained."""

from kanbefair.studies.speed import tables

__all__ = ["tables"]
