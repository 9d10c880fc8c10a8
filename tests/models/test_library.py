"""The compiled library is built once, kept whole, checked before it is loaded; and what is said where it cannot be built."""

import hashlib
import logging
import os
import shutil
import signal
import subprocess
import sys
import types
from pathlib import Path

import pytest
import torch
from torch.utils import cpp_extension

from kanbefair.models import compiled, library

REAL = library.path()
"""The library of this machine."""
CONTENT = b"\x7fELF" + bytes(range(256)) * 40
"""What the stand-in for a compiler writes."""


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache folder, in which nothing is compiled or loaded."""
    monkeypatch.setenv("KANBEFAIR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def builds(cache, monkeypatch) -> list[Path]:
    """The folders of all builds by a stand-in for PyTorch's compiling."""
    folders = []

    def build(name, sources, build_directory, **options):
        assert shutil.which("ninja")
        Path(build_directory, f"{name}.so").write_bytes(CONTENT)
        folders.append(Path(build_directory))

    monkeypatch.setattr(cpp_extension, "load", build)
    return folders


@pytest.fixture
def loaded(cache, monkeypatch) -> list[Path]:
    """The libraries that PyTorch was told to load; each is whole."""
    paths = []

    def load(path):
        assert Path(path).read_bytes() == CONTENT
        paths.append(Path(path))

    monkeypatch.setattr(torch.ops, "load_library", load)
    return paths


def kept(folder: Path) -> list[str]:
    """The kinds of files in a cache folder, and that no other is there."""
    return sorted(path.suffix for path in folder.iterdir())


def only(folder: Path, suffix: str) -> Path:
    (path,) = folder.glob(f"*{suffix}")
    return path


def said(caplog) -> list[str]:
    """What was said since the last call."""
    messages = [record.getMessage() for record in caplog.records]
    caplog.clear()
    return messages


def test_it_is_built_once_in_a_folder_of_its_own_and_kept_with_its_checksum(cache, builds, loaded, caplog):
    before = os.umask(0o002)  # as where each user has a group of his own
    try:
        library.load()
    finally:
        os.umask(before)
    found = only(cache, ".so")
    assert len(builds) == 1 and builds[0].parent == cache and not builds[0].exists()
    assert kept(cache) == [".lock", ".sha256", ".so"] and found.read_bytes() == CONTENT
    assert only(cache, ".sha256").read_text() == hashlib.sha256(CONTENT).hexdigest()
    assert not found.stat().st_mode & 0o022
    library.load()
    assert len(builds) == 1 and loaded == [found] and not said(caplog)


def foreign(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    os.chown(path, 12345, -1)


DAMAGES = {
    "truncated": lambda path: os.truncate(path, 300),
    "empty": lambda path: os.truncate(path, 0),
    "zeroed": lambda path: path.write_bytes(CONTENT[:500] + bytes(64) + CONTENT[564:]),
    "another": lambda path: path.write_bytes(CONTENT + b"\n"),
    "unsigned": lambda path: path.with_suffix(".sha256").unlink(),
    "signed with nothing": lambda path: path.with_suffix(".sha256").write_text(""),
    "signed with bytes": lambda path: path.with_suffix(".sha256").write_bytes(b"\xff\xfe"),
    "writable by others": lambda path: path.chmod(0o757),
    "writable by the group": lambda path: path.chmod(0o775),
    "foreign": foreign,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_or_foreign_library_is_built_again_and_never_loaded(damage, cache, builds, loaded, caplog):
    library.load()
    found = only(cache, ".so")
    DAMAGES[damage](found)
    library.load()
    (notice,) = said(caplog)
    assert str(found) in notice and "built again" in notice
    assert len(builds) == 2 and not loaded
    library.load()
    assert len(builds) == 2 and loaded == [found] and not said(caplog)


def test_a_sound_library_is_loaded_from_a_folder_that_cannot_be_written(cache, builds, loaded, monkeypatch):
    library.load()
    only(cache, ".lock").unlink()
    monkeypatch.setattr(Path, "mkdir", None)
    library.load()
    assert len(loaded) == 1 and kept(cache) == [".sha256", ".so"]


def test_what_a_killed_build_left_behind_is_removed_and_nothing_else(cache, builds, loaded):
    for name in ("fused-0123.build", "fused-abc.build", "other.build"):
        (cache / name).mkdir(parents=True)
        (cache / name / "build.ninja").touch()
    library.load()
    assert kept(cache) == [".build", ".lock", ".sha256", ".so"] and only(cache, ".build").name == "other.build"


def test_a_library_that_the_system_refuses_is_named(cache, builds, monkeypatch):
    library.load()
    with pytest.raises(library.NoLibrary, match=rf"; remove '{only(cache, '.so')}' to have it built again"):
        library.load()


# ----- where it cannot be built


@pytest.fixture
def compiler(tmp_path, monkeypatch):
    """Makes a script the only program on PATH, as the C++ compiler; it has the shell's own commands."""

    def make(script: str | None) -> None:
        (tmp_path / "bin").mkdir()
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
        monkeypatch.delenv("CXX", raising=False)
        if script is not None:
            (tmp_path / "bin" / "c++").write_text(script)
            (tmp_path / "bin" / "c++").chmod(0o755)

    return make


SAYS_VERSION = '#!/bin/sh\nif [ "$1" = -v ]; then echo clang version 20.1.0; exit; fi\n'
COMPILERS = {
    "missing": (None, "no C++ compiler 'c++' on PATH; install g++"),
    "failing": ("#!/bin/sh\nexit 1\n", "the build by C++ compiler 'c++' failed: "),
    "not for this machine": ("\x7fELF", "the build by C++ compiler 'c++' failed: [Errno 8] Exec format error"),
    "refusing a flag": (
        SAYS_VERSION + "echo trying...\necho \"c++: error: '-march=native' is not supported\"\necho sorry\nexit 1\n",
        "the build by C++ compiler 'c++' failed: c++: error: '-march=native' is not supported; ",
    ),
    "short of room": (
        SAYS_VERSION + "echo 'error writing to /tmp/x.s: No space left on device'\nexit 1\n",
        "the build by C++ compiler 'c++' failed: error writing to /tmp/x.s: No space left on device; ",
    ),
    "writing nothing": (SAYS_VERSION, "the build by C++ compiler 'c++' failed: it wrote no library; "),
}


@pytest.mark.parametrize("kind", COMPILERS)
def test_a_compiler_that_is_missing_or_fails_is_named_and_nothing_is_left(kind, cache, compiler):
    script, words = COMPILERS[kind]
    compiler(script)
    path = os.environ["PATH"]
    with pytest.raises(library.NoLibrary) as caught:
        library.load()
    assert words in str(caught.value) and len(str(caught.value).splitlines()) == 1
    assert kept(cache) == [".lock"] and os.environ["PATH"] == path


def test_ninja_is_found_where_no_environment_is_active(builds, loaded, compiler):
    compiler("")
    assert not shutil.which("ninja")
    library.load()
    assert len(builds) == 1


@pytest.mark.parametrize("when", ["before", "within"])
def test_a_full_disk_is_named_and_nothing_is_left(when, cache, builds, monkeypatch):
    room = iter([0] if when == "before" else [10**9, 0])
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: types.SimpleNamespace(free=next(room)))

    def fail(*given, **options):
        raise RuntimeError("error: the compiler fell over")

    monkeypatch.setattr(cpp_extension, "load", fail)
    with pytest.raises(library.NoLibrary, match=f"no space left in '{cache}'; make some, or .* KANBEFAIR_CACHE"):
        library.load()
    assert kept(cache) == [".lock"]


def test_a_cache_folder_that_cannot_be_used_is_named(tmp_path, builds, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("KANBEFAIR_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(library.NoLibrary, match=f"'{tmp_path}/file/cache': Not a directory; .* KANBEFAIR_CACHE"):
        library.load()
    monkeypatch.setenv("KANBEFAIR_CACHE", "~nobody-of-this-name/cache")
    with pytest.raises(library.NoLibrary, match="no home folder for '~nobody-of-this-name/cache'"):
        library.load()


def test_a_disk_that_keeps_no_permissions_is_named_before_anything_is_compiled(cache, builds, monkeypatch):
    monkeypatch.setattr(library, "_private", lambda status: False)
    with pytest.raises(library.NoLibrary, match=f"'{cache}' keeps no owners and permissions"):
        library.load()
    assert not builds


def test_windows_is_told_so(cache, builds, monkeypatch):
    monkeypatch.setattr(library, "sys", types.SimpleNamespace(platform="win32"))
    with pytest.raises(library.NoLibrary, match="Windows"):
        library.load()
    assert not builds and not cache.exists()


# ----- several processes

HOLDER = """
import pathlib, sys, time
from filelock import FileLock
path = pathlib.Path(sys.argv[1])
with FileLock(path):
    path.write_text("4711 on elsewhere")
    print("held", flush=True)
    time.sleep(60)
"""


def test_waiting_for_a_stopped_process_is_said_and_goes_on_when_it_ends(cache, builds, loaded, caplog, monkeypatch):
    monkeypatch.setattr(library, "PATIENCE", 0.1)
    cache.mkdir()
    lock = cache / "fused.lock"
    with subprocess.Popen([sys.executable, "-c", HOLDER, lock], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        holder.send_signal(signal.SIGSTOP)

        class Ending(logging.Handler):
            def emit(self, record):
                assert not builds
                holder.kill()

        logging.getLogger("kanbefair").addHandler(ending := Ending())
        try:
            library.load()
        finally:
            logging.getLogger("kanbefair").removeHandler(ending)
            holder.kill()
    (notice,) = said(caplog)
    assert notice.startswith("waiting for process 4711 on elsewhere") and f"'{lock}'" in notice
    assert len(builds) == 1 and lock.read_text().startswith(f"{os.getpid()} on ")


needs_operator = pytest.mark.skipif(not compiled.prepare(), reason="there is no compiler, so no compiled operator")

PROGRAM = """
import pathlib, shutil, sys, time
import torch
from torch.utils import cpp_extension
from kanbefair.models import compiled

def build(name, sources, build_directory, **options):
    time.sleep(1)
    print("built", flush=True)
    made = pathlib.Path(build_directory, name + ".so")
    shutil.copy(sys.argv[1], made)
    torch.ops.load_library(made)

cpp_extension.load = build
assert compiled.prepare() and torch.ops.kanbefair.adam_
"""


@needs_operator
def test_two_processes_that_meet_a_truncated_library_build_it_once_and_both_load_it(cache, builds, loaded):
    library.load()  # by the stand-ins, for its name
    broken = only(cache, ".so")
    shutil.copy(REAL, broken)
    broken.with_suffix(".sha256").write_text(hashlib.sha256(broken.read_bytes()).hexdigest())
    os.truncate(broken, 300_000)
    command = [sys.executable, "-c", PROGRAM, REAL]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert sorted(out for out, _ in outputs) == ["", "built\n"]
    assert sum(error.count("are built again") for _, error in outputs) == 1
    assert broken.read_bytes() == REAL.read_bytes() and kept(cache) == [".lock", ".sha256", ".so"]
