"""Datasets: `load(name)` gives a `Task`. There is one file per domain; `embedded/` holds what ships with the package."""

from kanbefair.data import audio, peaks, stand_in, symbolic, tabular, text, vision
from kanbefair.data.registry import DOMAINS, PROTOCOLS, data_folder, dataset, load, names, register
from kanbefair.data.task import Task

__all__ = [
    "DOMAINS",
    "PROTOCOLS",
    "Task",
    "audio",
    "data_folder",
    "dataset",
    "load",
    "names",
    "peaks",
    "register",
    "stand_in",
    "symbolic",
    "tabular",
    "text",
    "vision",
]
