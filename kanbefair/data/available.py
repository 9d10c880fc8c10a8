"""Which datasets can be loaded on this machine without a download."""

import logging
import os
from collections.abc import Iterable

from kanbefair.data.files import offline
from kanbefair.data.registry import LoaderError, dataset, load
from kanbefair.errors import InputError, choose
from kanbefair.folders import data_folder
from kanbefair.specs import PROTOCOLS


def available(names: Iterable[str], data_dir: str | os.PathLike | None = None, protocol: str = "published") -> list[str]:
    """Those of the datasets `names` that load without a download: each once, in the order given.

    Each is loaded under `protocol` from the folder that `data_dir` names (see `data_folder`), and left out if that
    fails. It is not enough that a file exists, since it may be cut short: of files that are there and damaged a logged
    warning tells. What was loaded is in the tensor cache, so that it loads fast when it is used.

    Raises `InputError` for an unknown name, an unknown protocol, a data folder that does not exist, and a loader that is
    wrong.
    """
    names = list(dict.fromkeys(names))
    choose("protocol", protocol, PROTOCOLS)
    folder = data_folder(data_dir)
    for name in names:
        dataset(name)
    found = []
    for name in names:
        try:
            with offline():
                load(name, folder, protocol=protocol)
            found.append(name)
        except LoaderError:
            raise
        except InputError as error:
            if " is missing" not in str(error):
                logging.getLogger("kanbefair").warning("left out: %s", error)
    return found


def some_available(names: Iterable[str], data_dir: str | os.PathLike | None = None, protocol: str = "published") -> list[str]:
    """`available`, for work that needs at least one of the datasets; raises `InputError`, too, if there is none."""
    names = list(names)
    found = available(names, data_dir, protocol)
    if not found:
        folder = data_folder(data_dir)
        raise InputError(f"none of {', '.join(names)} is in '{folder}'; name another folder with data_dir / --data-dir")
    return found
