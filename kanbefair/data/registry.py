"""The registry of datasets: which names exist, where their files are looked for, and `load`."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from kanbefair.data.task import Task, checked
from kanbefair.errors import InputError, check_name, choose, reason
from kanbefair.folders import data_folder
from kanbefair.specs import PROTOCOLS

DOMAINS = ("symbolic", "tabular", "vision", "text", "audio")

DIVISIONS = 2**32
"""How many divisions of its training rows a table has: as many as NumPy has seeds."""


@dataclass(frozen=True)
class Request:
    """What a loader is asked for.

    `name` is the dataset's name, `protocol` one of `PROTOCOLS` and `data_dir` the folder with the real datasets. `seed` is the
    run's seed where data are drawn from it, for symbolic functions under `published`; a sweep asks for all other data once
    for all seeds. `division` says which of the training rows `fair` holds out (`validation_split`), where the loader offers
    more than one division of them; others have their division 0 alone.
    """

    name: str
    protocol: str
    seed: int
    data_dir: Path
    division: int = 0


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


class LoaderError(InputError):
    """A dataset's loader fails or returns no `Task`."""


_DATASETS: dict[str, Dataset] = {}


def register(*names: str, domain: str, embedded: bool = False, pattern: str | None = None) -> Callable:
    """A decorator for a loader `Request -> Task`, which `load` then finds under each of `names`.

    The other arguments are those of `Dataset`. A loader takes the place of an earlier one of the same name. Raises
    `InputError` for an unknown domain, a pattern that is not one, a name that cannot be part of a file's name
    (`check_name`), and one that a dataset or a family of this package has.
    """
    choose("domain", domain, DOMAINS)
    if not names:
        raise InputError("a dataset is registered without a name; give it one, as in register('Mine', domain='tabular')")
    try:
        re.compile(pattern or "")
    except re.error as error:
        raise InputError(f"pattern {pattern!r} is no regular expression ({error})") from None

    def add(loader: Callable[[Request], Task]) -> Callable[[Request], Task]:
        for name in names:
            known = _find(name)
            check_name("dataset", name, known and _DATASETS[known].loader, loader)
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


def _find(name: object) -> str | None:
    """`name` if a dataset is called so, else the name of the first family that has such a member, else None."""
    if not isinstance(name, str):
        return None
    if name in _DATASETS:
        return name
    return next((own for own, entry in _DATASETS.items() if entry.pattern and re.fullmatch(entry.pattern, name)), None)


def family_of(name: str) -> str:
    """The name under which the dataset `name` is registered: its own, or that of its family; `InputError` if there is none."""
    return _find(name) or choose("dataset", name, _DATASETS)


def dataset(name: str) -> Dataset:
    """The registered dataset `name`, which may be a member of a family.

    Raises `InputError` that offers the nearest name if there is none.
    """
    return replace(_DATASETS[family_of(name)], name=name)


def load(
    name: str,
    data_dir: str | os.PathLike | None = None,
    *,
    protocol: str = "fair",
    seed: int = 1314,
    division: int = 0,
) -> Task:
    """Load a dataset as tensors. Missing files are downloaded where that is possible.

    `data_dir` is the folder with the real datasets (see `data_folder`). Under the protocol `published` the data are
    preprocessed as in the paper's files, and there is no validation part. Under `fair` a validation part is held out,
    and scaling and coding use the rows that are trained on. `seed` matters where the paper draws the data from the
    run's seed: for symbolic functions under `published`. `division`, a whole number, says which of the training rows of
    a table are held out under `fair`; the test part is the same in all. Other data have one division and do not heed it.

    Raises `InputError` for an unknown name or protocol, a division below 0, a missing data folder, and missing or damaged
    files, and `LoaderError`, which is one, if the loader itself is wrong.
    """
    entry = dataset(name)
    choose("protocol", protocol, PROTOCOLS)
    if type(division) is not int or not 0 <= division < DIVISIONS:
        raise InputError(f"division is {division!r}; it must be a whole number from 0 to {DIVISIONS - 1:,}")
    if data_dir in PROTOCOLS and not Path(data_dir).is_dir():
        raise InputError(f"data folder '{data_dir}' does not exist; did you mean protocol='{data_dir}'?")
    request = Request(name, protocol, seed, data_folder(data_dir), division)
    loader = f"dataset '{name}': its loader {getattr(entry.loader, '__qualname__', entry.loader)}"
    try:
        task = entry.loader(request)
    except InputError:
        raise
    except Exception as error:
        raise LoaderError(f"{loader} fails ({reason(error)}); mend it and register it again") from error
    if not isinstance(task, Task):
        raise LoaderError(f"{loader} returns a {type(task).__name__}; it must return a Task, which make_task builds")
    return checked(task)
