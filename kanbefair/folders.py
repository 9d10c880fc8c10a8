"""Where things lie: the project, its cache, the real datasets, whether a folder can be written, and how files are."""

import glob
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from kanbefair.errors import InputError


def project_folder() -> Path:
    """The checkout that this package runs from; the working directory where it was installed without one."""
    checkout = Path(__file__).resolve().parents[1]
    signs = (checkout / "notebooks", checkout / "pyproject.toml")
    return checkout if all(sign.exists() for sign in signs) else Path.cwd()


PROJECT = project_folder()
"""Where results and figures go, if nothing else is said."""
LEFT_SECONDS = 3600
UNFINISHED = ".tmp"
"""How the name ends of a file that is being written (`whole`)."""


def named_folder(flag: str, folder: str | None) -> Path | None:
    """The folder that a command's flag names, None if the flag was left away; `InputError` if the name is empty."""
    if folder is None:
        return None
    if not folder.strip():
        raise InputError(f"{flag} is empty; name a folder or leave {flag} away")
    return Path(folder).expanduser().resolve()


def cache_folder() -> Path:
    """`KANBEFAIR_CACHE`, else `kanbefair` in the user's cache folder.

    Raises `InputError` if it lies in a home folder and there is none.
    """
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    folder = Path(os.environ.get("KANBEFAIR_CACHE") or Path(base, "kanbefair"))
    try:
        return folder.expanduser()
    except RuntimeError:
        raise InputError(f"there is no home folder for '{folder}'; name a folder in KANBEFAIR_CACHE") from None


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


def writable(folder: Path) -> Path:
    """Create `folder` where needed and make sure that a file can be written to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(f"cannot write to folder '{folder}' ({error.strerror}); choose another with out / --out") from None
    return folder


def left_over(path: Path) -> bool:
    """Whether a file or folder that is being written has been so for so long that its process must have been killed."""
    with suppress(OSError):
        return time.time() - path.stat().st_mtime > LEFT_SECONDS
    return False


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, which takes the place of `path` when the block has ended without an error: whole, and on the disk.

    Otherwise all is as it was. Its name until then is unique, so that processes that write the same file do not meet. Raises
    `OSError` if it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{uuid4().hex}{UNFINISHED}")
    with fresh.open("xb") as file:
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.replace(fresh, path)
        except BaseException:
            with suppress(OSError):
                fresh.unlink()
            raise


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """Give a place for a file or folder that appears at `path` when the block has ended without an error.

    Missing folders are made. The place has the name of `path` and lies beside it in a folder of a unique name, which goes
    with all that is left in it; so do those that killed processes have left. What appears is complete and, if it is a file, on
    the disk. Raises `OSError` if it cannot be.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for folder in path.parent.glob(f".{glob.escape(path.name)}-*"):
        if left_over(folder):
            shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
        part = Path(folder, path.name)
        yield part
        if part.is_file():
            with part.open("r+b") as file:
                os.fsync(file.fileno())
        os.replace(part, path)


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """As `appearing`, for what a user has asked to be written: raises `InputError` if it cannot be."""
    try:
        with appearing(path) as fresh:
            yield fresh
    except OSError as error:
        raise InputError(f"cannot write '{path}' ({error.strerror}); make room or choose another folder") from None
