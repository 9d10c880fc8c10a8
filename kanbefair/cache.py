"""The folder in which the package keeps what it can make again: finished tensors, compiled operators, downloads."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """`KANBEFAIR_CACHE`, else `kanbefair` in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("KANBEFAIR_CACHE") or Path(base, "kanbefair")).expanduser()
