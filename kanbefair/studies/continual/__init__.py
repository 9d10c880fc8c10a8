"""Does a KAN forget more than an MLP?"""

from kanbefair.studies.continual import tables

__all__ = ["tables"]
