"""Files of the real datasets: where they are looked for, how they are downloaded, and the cache of finished tensors."""

import hashlib
import json
import os
import shutil
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from textwrap import shorten

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm.auto import tqdm

from kanbefair.data.registry import Request
from kanbefair.errors import InputError
from kanbefair.folders import cache_folder

TIMEOUT = 30
"""Seconds without an answer after which a download is given up."""


_downloads_allowed = True


@contextmanager
def offline() -> Iterator[None]:
    """Inside the block nothing is downloaded: what is not there is missing."""
    global _downloads_allowed
    before, _downloads_allowed = _downloads_allowed, False
    try:
        yield
    finally:
        _downloads_allowed = before


def _reason(error: Exception) -> str:
    return shorten(f"{type(error).__name__}: {error}".rstrip(": "), 300)


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def fetch(url: str, path: Path, md5: str | None = None) -> None:
    """Download `url` to `path` with a progress bar; `path` appears only when the file is complete.

    Raises `OSError` (of which urllib's errors are kinds) without network or room, or if the length or the MD5 sum is
    not the one that was promised.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    ask = urllib.request.Request(url, headers={"User-Agent": "kanbefair"})
    try:
        with urllib.request.urlopen(ask, timeout=TIMEOUT) as answer, part.open("wb") as file:
            promised = answer.length
            with tqdm(total=promised, unit="B", unit_scale=True, desc=path.name) as bar:
                while chunk := answer.read(1 << 16):
                    file.write(chunk)
                    bar.update(len(chunk))
        if promised is not None and part.stat().st_size != promised:
            raise OSError(f"{url} broke off after {part.stat().st_size:,} of {promised:,} bytes")
        if md5 is not None and md5 != (found := _md5(part)):
            raise OSError(f"{url} has the checksum {found}, the publisher gives {md5}")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def fetch_archive(url: str, path: Path, member: str, md5: str | None = None) -> None:
    """Download the archive at `url` and put its file or folder `member` at `path`, complete or not at all.

    Raises `OSError` as `fetch` does, or if the archive holds no such member.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
        archive = Path(folder, Path(urllib.parse.urlparse(url).path).name)
        fetch(url, archive, md5)
        shutil.unpack_archive(archive, folder, **({} if archive.suffix == ".zip" else {"filter": "data"}))
        os.replace(Path(folder, member), path)


def require(request: Request, relative: str, *, download: Callable[[Path], object] | None = None, hint: str) -> Path:
    """The file or folder `relative` to the data directory; if it is not there, `download(path)` is asked to make it.

    `hint` says where the user gets it by hand. Raises `InputError` that names the dataset, the path, what went wrong
    and the hint.
    """
    path = request.data_dir / relative
    if path.exists():
        return path
    problem = "is missing"
    if download is not None and _downloads_allowed:
        try:
            download(path)
        except Exception as error:
            problem += f" and the download failed ({_reason(error)})"
    if not path.exists():
        raise InputError(f"{request.name}: '{path}' {problem}; {hint}, or name another folder with data_dir / --data-dir")
    return path


@contextmanager
def reading(request: Request, path: Path) -> Iterator[None]:
    """Turn whatever a reader raises inside the block into an `InputError` that names dataset and file.

    Keep the block to the reader's call: every error in it is blamed on the file.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{request.name}: '{path}' is truncated or altered ({_reason(error)}); "
            f"delete it, so that it is downloaded again, or put the publisher's file there"
        ) from error


def _identity(request: Request, sources: Iterable[Path], version: int) -> str:
    """A digest of the preprocessing's version and of each source file's relative path, size and time of change."""
    files = (file for s in sources for file in ([s] if s.is_file() else sorted(p for p in s.rglob("*") if p.is_file())))
    stats = [(os.path.relpath(f, request.data_dir), f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    return hashlib.sha256(json.dumps([version, stats]).encode()).hexdigest()


def cached(
    request: Request,
    sources: Iterable[Path],
    version: int,
    build: Callable[[], dict[str, Tensor]],
    *,
    both_protocols: bool = False,
) -> dict[str, Tensor]:
    """The tensors that `build()` makes of the files (or folders of files) `sources`, from the cache if nothing changed.

    There is one safetensors file per dataset and protocol (per dataset with `both_protocols`) in the `tensors` folder
    of the cache; it is replaced when a source's path, size or time of change, or `version`, the number of the
    preprocessing, differs. A `build` that raises leaves it as it was. Raises `InputError` if the cache cannot be
    written.
    """
    identity = _identity(request, sources, version)
    protocol = "both" if both_protocols else request.protocol
    path = cache_folder() / "tensors" / f"{request.name}-{protocol}.safetensors"
    with suppress(OSError, SafetensorError), safe_open(path, "pt") as file:
        if (file.metadata() or {}).get("identity") == identity:
            return load_file(path)
    tensors = {name: tensor.contiguous() for name, tensor in build().items()}
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, part, metadata={"identity": identity})
        os.replace(part, path)
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"{request.name}: the cache '{path.parent}' cannot be written ({_reason(error)}); "
            f"name another folder in the environment variable KANBEFAIR_CACHE"
        ) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return tensors
