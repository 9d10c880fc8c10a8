"""The cache of finished tensors: a dataset's files are preprocessed once, then its tensors are read back."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from kanbefair.data.files import reason
from kanbefair.data.registry import Request
from kanbefair.errors import InputError
from kanbefair.folders import cache_folder


def _identity(request: Request, sources: Iterable[Path], version: int) -> str:
    """A digest of the preprocessing's version and of each source file's relative path, size and time of change."""
    files = (file for s in sources for file in ([s] if s.is_file() else sorted(p for p in s.rglob("*") if p.is_file())))
    stats = [(os.path.relpath(f, request.data_dir), f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    return hashlib.sha256(json.dumps([version, stats]).encode()).hexdigest()


def _write(path: Path, tensors: dict[str, Tensor], identity: str) -> None:
    """Put the tensors in the file `path`, complete or not at all."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, part, metadata={"identity": identity})
        os.replace(part, path)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


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
    The cached tensors are used while `version` and each source's path, size and time of change stay the same.
    Otherwise `build` is called and its tensors replace the cached ones. If it raises, the cache stays as it was.

    The folder `tensors` of the cache has one safetensors file per dataset and protocol. With `both_protocols` the
    tensors are the same under both, and there is one file per dataset.

    Raises `InputError` if the cache cannot be written.
    """
    identity = _identity(request, sources, version)
    protocol = "both" if both_protocols else request.protocol
    path = cache_folder() / "tensors" / f"{request.name}-{protocol}.safetensors"
    with suppress(OSError, SafetensorError), safe_open(path, "pt") as file:
        if (file.metadata() or {}).get("identity") == identity:
            return load_file(path)
    tensors = {name: tensor.contiguous() for name, tensor in build().items()}
    try:
        _write(path, tensors, identity)
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"{request.name}: the cache '{path.parent}' cannot be written ({reason(error)}); "
            f"name another folder in the environment variable KANBEFAIR_CACHE"
        ) from error
    return tensors
