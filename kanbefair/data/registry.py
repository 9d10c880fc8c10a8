"""The registry of datasets: which names exist, where their files are looked for, and `load`."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from kanbefair.data.task import Task, checked
from kanbefair.errors import choose
from kanbefair.folders import data_folder
from kanbefair.specs import PROTOCOLS

DOMAINS = ("symbolic", "tabular", "vision", "text", "audio")


@dataclass(frozen=True)
class Request:
    """What a loader is asked for.

    `name` is the dataset's name, `protocol` one of `PROTOCOLS`, `seed` the run's seed and `data_dir` the folder with
    the real datasets.
    """

    name: str
    protocol: str
    seed: int
    data_dir: Path


@dataclass(frozen=True)
class Dataset:
    """A registered dataset.

    `domain` is one of `DOMAINS`, `embedded` says whether its files ship with the package, and `loader` loads it. A
    family of datasets has a `pattern`, a regular expression for its members' names; `name` then stands for them all.
    """

    name: str
    domain: str
    embedded: bool
    loader: Callable[[Request], Task]
    pattern: str | None = None


_DATASETS: dict[str, Dataset] = {}


def register(*names: str, domain: str, embedded: bool = False, pattern: str | None = None) -> Callable:
    """A decorator for a loader `Request -> Task`, which `load` then finds under each of `names`.

    The other arguments are those of `Dataset`. Raises `InputError` for an unknown domain.
    """
    choose("domain", domain, DOMAINS)

    def add(loader: Callable[[Request], Task]) -> Callable[[Request], Task]:
        for name in names:
            _DATASETS[name] = Dataset(name, domain, embedded, loader, pattern)
        return loader

    return add


def names(domain: str | None = None, embedded: bool | None = None) -> list[str]:
    """The registered names in the order of registration.

    `domain` keeps the names of one domain. `embedded` keeps those whose files do (True) or do not (False) ship with
    the package. None keeps all.
    """
    return [
        d.name
        for d in _DATASETS.values()
        if (domain is None or d.domain == domain) and (embedded is None or d.embedded == embedded)
    ]


def dataset(name: str) -> Dataset:
    """The registered dataset `name`, which may be a member of a family.

    Raises `InputError` that offers the nearest name if there is none.
    """
    for family in _DATASETS.values():
        if family.pattern and re.fullmatch(family.pattern, name):
            return replace(family, name=name)
    return _DATASETS[choose("dataset", name, _DATASETS)]


def load(name: str, data_dir: str | os.PathLike | None = None, *, protocol: str = "fair", seed: int = 1314) -> Task:
    """Load a dataset as tensors. Missing files are downloaded where that is possible.

    `data_dir` is the folder with the real datasets (see `data_folder`). Under the protocol `published` the data are
    preprocessed as in the paper's files, and there is no validation part. Under `fair` a validation part is held out,
    and scaling and coding use the rows that are trained on. `seed` matters where the paper draws the data from the
    run's seed: for symbolic functions under `published`.

    Raises `InputError` for an unknown name or protocol, a missing data folder, missing or damaged files, and a task that
    is not as `Task` says (`checked`).
    """
    entry = dataset(name)
    choose("protocol", protocol, PROTOCOLS)
    return checked(entry.loader(Request(name, protocol, seed, data_folder(data_dir))))
