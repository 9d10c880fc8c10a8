"""The compiled operators' shared library: built once a machine, kept in the cache folder, checked and loaded.

A library is loaded only if it is this user's own, nobody else can write to it, and its SHA-256 is the one noted in the
file beside it when it was built. Any other is built again: a truncated one would end the process, a foreign one may do
anything.
"""

import contextlib
import hashlib
import logging
import os
import platform
import re
import shutil
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from kanbefair.errors import InputError
from kanbefair.folders import cache_folder
from kanbefair.provenance import processor, processor_facts

SOURCES = Path(__file__).parent / "csrc"
FLAGS = (
    "-O3",
    "-march=native",
    "-std=c++17",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fno-strict-aliasing",
)
NAME = "kanbefair_fused"
"""What the compiler calls the library."""
ROOM = 2**22
"""Free bytes on the cache's disk that a build needs."""
PATIENCE = 1.0
"""Seconds of waiting for another process after which it is said."""
ELSEWHERE = "name another folder in the environment variable KANBEFAIR_CACHE"

logger = logging.getLogger("kanbefair")


class NoLibrary(Exception):
    """There is no library; the message is half a sentence that says what failed and what to do."""


def load() -> None:
    """Load the operators into PyTorch, after building them (about half a minute) where no sound library is.

    Raises `NoLibrary` if they cannot be built.
    """
    if sys.platform == "win32":
        raise NoLibrary("there are no compiled operators for Windows; WSL can build them")
    try:
        library = path()
        if not _sound(library):
            library.parent.mkdir(parents=True, exist_ok=True)
            with _locked(library.with_name("fused.lock")):
                if not _sound(library):
                    return _build(library)
    except InputError as error:
        raise NoLibrary(str(error)) from error
    except OSError as error:
        raise NoLibrary(f"'{error.filename or library}': {error.strerror or error}; {ELSEWHERE}") from error
    try:
        torch.ops.load_library(library)
    except OSError as error:
        raise NoLibrary(f"{_line(error.__cause__ or error)}; remove '{library}' to have it built again") from error


def path() -> Path:
    """The file that the library is kept in."""
    return cache_folder() / f"fused-{_key()}.so"


def _key() -> str:
    """A digest of all that decides what the library holds and where it runs, and of whose it is."""
    native = [processor_facts().get(name, "") for name in ("flags", "Features", "CPU part")]  # what -march=native reads
    content = [torch.__version__, *platform.libc_ver(), processor(), *native, *FLAGS, _compiler(), str(os.geteuid())]
    content += [file.name + file.read_text("utf-8") for file in sorted(SOURCES.iterdir()) if file.suffix in (".h", ".cpp")]
    return hashlib.sha256("\n".join(content).encode()).hexdigest()[:16]


def _compiler() -> str:
    return os.environ.get("CXX", "c++")


def _private(status: os.stat_result) -> bool:
    """Whether a file or folder is this user's, and nobody else can write to it."""
    return status.st_uid == os.geteuid() and not status.st_mode & 0o022


def _noted(library: Path) -> Path:
    """The file that holds the library's SHA-256."""
    return library.with_suffix(".sha256")


def _sound(library: Path) -> bool:
    """Whether the library is private and what was built. It is read, never mapped: a truncated one could not harm."""
    try:
        with library.open("rb") as file:
            private = _private(os.fstat(file.fileno()))
            return private and hashlib.file_digest(file, "sha256").hexdigest() == _noted(library).read_text("ascii")
    except (OSError, UnicodeDecodeError):
        return False


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Within this context no other process builds. Waiting for one is said, with the process if it can be known."""
    lock = FileLock(file, fallback_to_soft=False)
    try:
        held = lock.acquire(timeout=PATIENCE)
    except Timeout:
        logger.warning(
            "waiting for process %s, which builds the compiled operators and holds the lock '%s'; end it if it hangs",
            file.read_text("utf-8", errors="replace").strip() or "(unknown)",
            file,
        )
        held = lock.acquire(timeout=-1)
    with held:
        file.write_text(f"{os.getpid()} on {platform.node()}", "utf-8")
        yield


def _build(library: Path) -> None:
    """Build and load the operators, and keep them as the file `library`. Call it with the lock held."""
    for leftover in library.parent.glob("fused-*.build"):  # of builds that were killed
        shutil.rmtree(leftover, ignore_errors=True)
    if library.exists():
        logger.warning("the compiled operators '%s' are damaged or were not built by this user; they are built again", library)
        library.unlink()
    _check_room(library.parent)
    own = {"prefix": "fused-", "suffix": ".build", "dir": library.parent, "ignore_cleanup_errors": True}
    with tempfile.TemporaryDirectory(**own) as folder:
        if not _private(os.stat(folder)):
            raise NoLibrary(f"'{library.parent}' keeps no owners and permissions of files; {ELSEWHERE}")
        built = _compile(Path(folder))
        built.chmod(0o755)
        with built.open("rb") as file:
            os.fsync(file.fileno())
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        with Path(folder, "sha256").open("w") as file:
            file.write(digest)
            file.flush()
            os.fsync(file.fileno())
        os.replace(built, library)
        os.replace(file.name, _noted(library))


def _check_room(folder: Path) -> None:
    if shutil.disk_usage(folder).free < ROOM:
        raise NoLibrary(f"no space left in '{folder}'; make some, or {ELSEWHERE}")


def _compile(folder: Path) -> Path:
    """Compile the operators in an empty folder and load them; returns the library."""
    compiler = _compiler()
    if not shutil.which(compiler.partition(" ")[0]):
        raise NoLibrary(f"no C++ compiler '{compiler}' on PATH; install g++ or clang++, or name another in CXX")
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    built = folder / f"{NAME}.so"
    try:
        from torch.utils import cpp_extension

        with _ninja_on_path():
            cpp_extension.load(
                NAME,
                [str(file) for file in sorted(SOURCES.glob("*.cpp"))],
                extra_cflags=list(FLAGS),
                build_directory=str(folder),
                is_python_module=False,
            )
    except Exception as error:
        _check_room(folder.parent)
        silent = isinstance(error, OSError) and not error.errno and not built.exists()
        what = "it wrote no library" if silent else _line(error)
        raise NoLibrary(f"the build by C++ compiler '{compiler}' failed: {what}; mend it, or name another in CXX") from error
    return built


@contextlib.contextmanager
def _ninja_on_path() -> Iterator[None]:
    """PyTorch calls `ninja` by name, which lies beside the interpreter: where its environment isn't active, off PATH."""
    before = os.environ.get("PATH", os.defpath)
    with contextlib.suppress(ImportError):
        from ninja import BIN_DIR

        os.environ["PATH"] = os.pathsep.join((before, BIN_DIR))
    try:
        yield
    finally:
        os.environ["PATH"] = before


def _line(error: Exception) -> str:
    """The line of an error's message that says what is wrong: of a compiler's output its first error, else the last line."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    found = next((line for line in lines if re.search(r"\berror: |not found|No space left", line)), lines[-1])
    return textwrap.shorten(found, 300)
