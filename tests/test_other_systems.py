"""macOS and Windows lack some of what Linux has: with it taken away, the package imports and trains, in plain form."""

import os
import subprocess
import sys

import pytest
from helpers import ROOT

IMPORT = """
import importlib, pathlib, pkgutil, types
import kanbefair
for module in pkgutil.walk_packages(kanbefair.__path__, "kanbefair."):
    importlib.import_module(module.name)
"""
WITHOUT = {
    "macOS": (
        """
import os, pathlib
del os.sched_getaffinity
read = pathlib.Path.read_text
def read_text(path, *given, **named):
    if str(path).startswith("/proc"):
        raise FileNotFoundError(path)
    return read(path, *given, **named)
pathlib.Path.read_text = read_text
"""
        + IMPORT,
        "no C++ compiler 'c++' on PATH",
    ),
    "Windows": (
        """
import os, sys
import psutil  # its part for Linux needs what is taken away next
sys.modules["fcntl"] = sys.modules["resource"] = None
del os.sched_getaffinity
"""
        + IMPORT
        + """
del os.fork, os.getuid, os.geteuid
kanbefair.models.library.sys = types.SimpleNamespace(platform="win32")
""",
        "Windows",
    ),
}
TRAIN = """
import sys
specs = kanbefair.grid(dataset="Special_jv", model=["KAN", "MLP"], widths=(3,), epochs=2)
table = kanbefair.run(specs, runs=sys.argv[1], workers=1, progress=False)
assert kanbefair.sweep.worker_count(None, "cpu") >= 1
assert list(table.epochs) == [2, 2] and (table.form == "plain").all()
"""


@pytest.mark.parametrize("system", WITHOUT)
def test_without_what_other_systems_lack_it_imports_and_trains_after_one_sentence(system, tmp_path):
    program, words = WITHOUT[system]
    environment = {name: value for name, value in os.environ.items() if name not in ("KANBEFAIR_FUSED", "CXX")}
    environment |= {"KANBEFAIR_CACHE": str(tmp_path / "cache"), "PATH": str(tmp_path)}
    said_by_filelock = "ignore:only soft file lock is available"  # of a Linux without fcntl
    command = [sys.executable, "-W", said_by_filelock, "-c", program + TRAIN, tmp_path / "runs"]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (sentence,) = done.stderr.splitlines()
    assert "plain form" in sentence and words in sentence
