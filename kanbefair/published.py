"""Figures that the paper prints, as a small cited table that ships with the package."""

from importlib.resources import files

import pandas


def headline() -> pandas.DataFrame:
    """The paper's headline bars: one row per domain with the metric, KAN, MLP, the unit and the source."""
    return pandas.read_csv(files("kanbefair.data") / "embedded" / "published_figures.csv")
