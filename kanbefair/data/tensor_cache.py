"""The cache of finished tensors: a dataset's files are preprocessed once, then its tensors are read back."""

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from kanbefair.data.registry import Request
from kanbefair.errors import reason
from kanbefair.folders import appearing, cache_folder

_log = logging.getLogger("kanbefair")


@cache
def _tell_once(notice: str) -> None:
    _log.warning(notice)


def _stamp(file: Path) -> list[int]:
    """What changes with a file's content: its size and two times of change, of which nobody can set back the second."""
    found = file.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _identity(request: Request, files: Iterable[Path], version: int, said_of: Callable[[Path], object]) -> str:
    """A digest of the preprocessing's version and, for each source file, of its relative path and what is `said_of` it."""
    facts = [(os.path.relpath(file, request.data_dir), said_of(file)) for file in files]
    return hashlib.sha256(json.dumps([version, facts]).encode()).hexdigest()


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    """The SHA-256 of all names, types, shapes and bytes."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(tensor.numpy())
    return digest.hexdigest()


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """What a cache file says of itself, and its tensors.

    Raises `OSError` or `SafetensorError` if it cannot be read or the tensors do not have the checksum that it states.
    """
    with safe_open(path, "pt") as file:
        about = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - the file cannot be iterated
    if about.get("checksum") != _checksum(tensors):
        raise OSError("its tensors do not have the checksum that it states")
    return about, tensors


def _write(path: Path, tensors: dict[str, Tensor], **about: str) -> None:
    """Put the tensors in the file `path`, complete or not at all."""
    with appearing(path) as part:
        part.touch()
        mode = part.stat().st_mode
        save_file(tensors, part, metadata=about | {"checksum": _checksum(tensors)})
        part.chmod(mode)  # the library leaves it readable by its owner alone


def cached(
    request: Request,
    sources: Iterable[Path],
    version: int,
    build: Callable[[], dict[str, Tensor]],
    *,
    both_protocols: bool = False,
) -> dict[str, Tensor]:
    """The tensors that `build` makes of a dataset's files, read from the cache if nothing has changed.

    `sources` are the files, or folders of files, that `build` reads; `version` is the number of the preprocessing.
    The cached tensors are used while `version` and each source's path and content stay the same. Contents are read only
    if a file's size or one of its times has changed. Otherwise `build` is called and its tensors replace the cached ones.
    If it raises, the cache stays as it was.

    The folder `tensors` of the cache has one safetensors file per dataset and protocol, and under `fair` one per division.
    With `both_protocols` the tensors are the same under both, and there is one file per dataset.

    Of a damaged or altered cache, whose tensors are made anew, and of one that cannot be written a logged warning tells.
    """
    files = [file for s in sources for file in ([s] if s.is_file() else sorted(p for p in s.rglob("*") if p.is_file()))]
    protocol = "both" if both_protocols else request.protocol
    division = f"-{request.division}" if protocol == "fair" and request.division else ""
    path = cache_folder() / "tensors" / f"{request.name}-{protocol}{division}.safetensors"
    about, tensors = {}, {}
    if os.path.isfile(path):
        try:
            about, tensors = _read(path)
        except (OSError, SafetensorError) as error:
            _tell_once(f"{request.name}: the cached tensors '{path}' are not used and are made anew ({reason(error)})")
    stamp = _identity(request, files, version, _stamp)
    if about.get("stamp") == stamp:
        return tensors
    content = _identity(request, files, version, _sha256)
    if about.get("content") != content:
        tensors = {name: tensor.contiguous() for name, tensor in build().items()}
    try:
        _write(path, tensors, stamp=stamp, content=content)
    except (OSError, SafetensorError) as error:
        _tell_once(
            f"the cache '{path.parent}' cannot be written ({getattr(error, 'strerror', None) or error}), and datasets are "
            f"prepared anew at each start; "
            f"name another folder in the environment variable KANBEFAIR_CACHE"
        )
    return tensors
