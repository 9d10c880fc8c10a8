"""The registry of datasets: which names exist, where their files are looked for, and `load`."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from kanbefair.cache import cache_folder
from kanbefair.data.task import Task
from kanbefair.errors import InputError, choose
from kanbefair.specs import PROTOCOLS

DOMAINS = ("symbolic", "tabular", "vision", "text", "audio")


@dataclass(frozen=True)
class Request:
    """What a loader is asked for: the dataset's name, the protocol, the run's seed and the folder with real data."""

    name: str
    protocol: str
    seed: int
    data_dir: Path


@dataclass(frozen=True)
class Dataset:
    """A registered dataset: its domain, whether its files ship with the package, and the function that loads it.

    A family of datasets has a `pattern` that its members' names match; its own name stands for them all.
    """

    name: str
    domain: str
    embedded: bool
    loader: Callable[[Request], Task]
    pattern: str | None = None


_DATASETS: dict[str, Dataset] = {}


def register(*names: str, domain: str, embedded: bool = False, pattern: str | None = None) -> Callable:
    """Decorate a loader `Request -> Task` so that `load` finds it under each of `names`, and names like `pattern`."""
    choose("domain", domain, DOMAINS)

    def add(loader: Callable[[Request], Task]) -> Callable[[Request], Task]:
        for name in names:
            _DATASETS[name] = Dataset(name, domain, embedded, loader, pattern)
        return loader

    return add


def names(domain: str | None = None, embedded: bool | None = None) -> list[str]:
    """Registered names, optionally of one domain, or only those whose files do (or do not) ship with the package."""
    return [
        d.name
        for d in _DATASETS.values()
        if (domain is None or d.domain == domain) and (embedded is None or d.embedded == embedded)
    ]


def dataset(name: str) -> Dataset:
    """The registered dataset of that name; `InputError` with the nearest name if there is none."""
    for family in _DATASETS.values():
        if family.pattern and re.fullmatch(family.pattern, name):
            return replace(family, name=name)
    return _DATASETS[choose("dataset", name, _DATASETS)]


def data_folder(data_dir: str | os.PathLike | None = None) -> Path:
    """The folder with real datasets: the argument, else `KANBEFAIR_DATA`, else a folder in the user's cache.

    Raises `InputError` if a folder was named and does not exist.
    """
    named = data_dir or os.environ.get("KANBEFAIR_DATA")
    if not named:
        return cache_folder()
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise InputError(f"data folder '{folder}' does not exist; create it or name another with data_dir / --data-dir")
    return folder.resolve()


def load(name: str, data_dir: str | os.PathLike | None = None, *, protocol: str = "fair", seed: int = 1314) -> Task:
    """Load a dataset as tensors.

    `protocol="published"` preprocesses as the paper's files do, without a validation part; `"fair"` sees only the
    training part when it scales and codes, and holds out a validation part. `seed` matters only where the paper draws
    the data itself from the run's seed (symbolic functions, published). Raises `InputError` for an unknown name, a
    missing data folder, or missing or damaged files.
    """
    entry = dataset(name)
    choose("protocol", protocol, PROTOCOLS)
    return entry.loader(Request(name, protocol, seed, data_folder(data_dir)))
