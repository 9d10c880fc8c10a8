"""Files of the real datasets: where they are looked for, how they are downloaded, how damage to them is reported."""

import hashlib
import os
import shutil
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten

from tqdm.auto import tqdm

from kanbefair.data.registry import Request
from kanbefair.errors import InputError

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


def reason(error: Exception) -> str:
    """The error's kind and message on one line of at most 300 characters."""
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
            problem += f" and the download failed ({reason(error)})"
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
            f"{request.name}: '{path}' is truncated or altered ({reason(error)}); "
            f"delete it, so that it is downloaded again, or put the publisher's file there"
        ) from error
