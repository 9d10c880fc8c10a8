"""Where a number comes from: versions, the results version, the processor and the commit of the code that produced it."""

import os
import platform
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path

RESULTS_VERSION = 1
"""The version of what training runs return. Records of another version are not read, but made anew.

It is raised when a run that was right before returns other numbers (docs/results_version.md).
"""

PACKAGE = Path(__file__).parent
SOURCES = ("__init__.py", "specs.py", "values.py", "data", "models", "training", "sweep/stacks.py")
"""The files and folders that decide what a training run returns; `__init__.py` says how
matrix products are rounded, `sweep/stacks.py` which data a run sees.

`commit` is the last commit that touched any of them.
"""


@cache
def commit() -> str:
    """Short hash of the last commit that changed `SOURCES`, with "+" if they differ from it; "unknown" without git."""
    paths = [str(PACKAGE / name) for name in SOURCES]
    git = ["git", "-C", str(PACKAGE)]
    try:
        last = subprocess.run(
            [*git, "log", "-1", "--format=%h", "--abbrev=10", "--", *paths], capture_output=True, text=True, check=True
        )
        dirty = subprocess.run([*git, "status", "--porcelain", "--", *paths], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return (last.stdout.strip() or "uncommitted") + ("+" if dirty.stdout.strip() else "")


@cache
def processor_facts() -> dict[str, str]:
    """What Linux says of the first processor, by the field's name in /proc/cpuinfo; empty on other systems."""
    try:
        first, *_ = Path("/proc/cpuinfo").read_text().split("\n\n")
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def processor() -> str:
    """The processor's name."""
    return processor_facts().get("model name") or platform.processor() or platform.machine()


def mkl_setting() -> str:
    """How Intel's matrix products are told to round (the environment's MKL_CBWR), "default" if nothing is said."""
    return os.environ.get("MKL_CBWR") or "default"


@cache
def provenance() -> dict[str, str]:
    """The columns that every table carries: package and library versions and the code's commit."""
    return {
        "kanbefair": version("kanbefair"),
        "torch": version("torch"),
        "python": platform.python_version(),
        "commit": commit(),
    }
