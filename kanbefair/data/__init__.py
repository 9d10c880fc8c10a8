"""Datasets: `load(name)` gives a `Task`. There is one file per domain; `embedded/` holds what ships with the package."""

from kanbefair.data import (
    audio,
    emodb,
    formulas,
    mnist1d,
    peaks,
    random_data,
    regression,
    sentences,
    symbolic,
    tabular,
    text,
    vision,
)
from kanbefair.data.registry import DOMAINS, PROTOCOLS, dataset, load, names, register
from kanbefair.data.task import Task

__all__ = [
    "DOMAINS",
    "PROTOCOLS",
    "Task",
    "audio",
    "dataset",
    "emodb",
    "formulas",
    "load",
    "mnist1d",
    "names",
    "peaks",
    "random_data",
    "register",
    "regression",
    "sentences",
    "symbolic",
    "tabular",
    "text",
    "vision",
]
