"""What makes a KAN differ from an MLP, one change at a time."""

from kanbefair.studies.ablation import tables

__all__ = ["tables"]
