"""Files of the real datasets: where they are looked for, how they are downloaded, how damage to them is reported."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from textwrap import shorten
from urllib.parse import urlparse

import pooch
from tqdm.auto import tqdm

from kanbefair.data.registry import Request
from kanbefair.errors import InputError

TIMEOUT = 30
"""Seconds without an answer after which a download is given up."""

HEADERS = {"User-Agent": "kanbefair", "Accept-Encoding": "identity"}
"""Files are asked for as they are: some servers would unpack a .gz on the way, and its checksum would not be met."""

pooch.get_logger().setLevel("WARNING")  # it reports each download on stderr, which a notebook would show

_downloads_allowed = True


@contextmanager
def offline() -> Iterator[None]:
    """Inside the block nothing is downloaded: a file that is not there counts as missing."""
    global _downloads_allowed
    before = _downloads_allowed
    _downloads_allowed = False
    try:
        yield
    finally:
        _downloads_allowed = before


def reason(error: Exception) -> str:
    """The error's kind and message on one line of at most 300 characters."""
    return shorten(f"{type(error).__name__}: {error}".rstrip(": "), 300)


def fetch(url: str, path: Path, checksum: str | None = None) -> None:
    """Download the address `url` to the file `path`. A progress bar is shown meanwhile.

    `checksum` is `md5:…` or `sha256:…`; without one only the length is checked, if the server states it. `path`
    appears when the download is complete and has the checksum. Missing folders are made.

    Raises `OSError` if there is no network or no room, if the server refuses, if the answer is cut short, or if the
    checksum differs.
    """
    with tqdm(total=1, unit="B", unit_scale=True, desc=path.name, leave=False) as bar:
        downloader = pooch.HTTPDownloader(progressbar=bar, chunk_size=1 << 16, timeout=TIMEOUT, headers=HEADERS)
        try:
            pooch.retrieve(url, checksum, path.name, path.parent, downloader=downloader)
        except ValueError as error:
            raise OSError(f"{url}: {error}") from error
    path.chmod(0o644)  # pooch leaves it readable by its owner alone


def fetch_archive(url: str, path: Path, member: str, checksum: str | None = None) -> None:
    """Download the archive at `url` and put its file or folder `member` at `path`, complete or not at all.

    `member` "." stands for all that the archive holds. `checksum` is the archive's, as in `fetch`. Raises `OSError`
    as `fetch` does, and if the archive holds no such member; a damaged archive raises what `shutil.unpack_archive` does.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
        archive = Path(folder, PurePosixPath(urlparse(url).path).name)
        fetch(url, archive, checksum)
        unpacked = Path(folder, "unpacked")
        unpacked.mkdir()
        shutil.unpack_archive(archive, unpacked, **({} if archive.suffix == ".zip" else {"filter": "data"}))
        os.replace(unpacked / member, path)


def require(request: Request, relative: str, *, download: Callable[[Path], object] | None = None, hint: str) -> Path:
    """The path of a dataset's file or folder, downloaded if it is not there.

    `relative` is its place in the data directory. `download(path)` is asked to make it; None means that it cannot be
    downloaded. `hint` says where the user gets it by hand.

    Raises `InputError` that names the dataset, the path, what went wrong and the hint.
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
    """Turn whatever a reader raises inside the block into an `InputError` that names the dataset and the file.

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
