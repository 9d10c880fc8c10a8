"""Where a number comes from: versions, device and the commit of the code that produced it."""

import platform
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path

PACKAGE = Path(__file__).parent
SOURCES = (
    "specs.py",
    "data",
    "basis.py",
    "csrc",
    "fused.py",
    "layers.py",
    "complexity.py",
    "models.py",
    "optim.py",
    "graphs.py",
    "step.py",
    "fit.py",
)
"""The files that decide what a training run returns; `commit` is the last one that touched any of them."""


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
def provenance() -> dict[str, str]:
    """The columns that every table carries: package and library versions and the code's commit."""
    return {
        "kanbefair": version("kanbefair"),
        "torch": version("torch"),
        "python": platform.python_version(),
        "commit": commit(),
    }
