"""What a stack in training keeps of itself every few minutes, so that it can go on where it was after it was ended.

A file has three parts: a line of JSON that says of which runs it is and what computed it, the state as `torch.save` writes it,
and the SHA-256 of both. The state holds tensors, numbers, words, lists and dictionaries, and is loaded as such only.
"""

import hashlib
import io
import json
import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import torch

from kanbefair.folders import whole
from kanbefair.specs import RunSpec
from kanbefair.training.records import computed_with

SECONDS = 180
"""So far apart are checkpoints."""
SUFFIX = ".checkpoint"
SUM_BYTES = 64
"""The length of a SHA-256 in hexadecimal digits."""


class Checkpoint:
    """The checkpoint of a stack.

    Args:
        path: its file; `begun` finds those that end in `SUFFIX`.
        names: the names of the records of the stack's runs, in order. They stand for specs, data, code and results version.
        device: where the stack trains.
        seconds: how far apart checkpoints are.
    """

    def __init__(
        self, path: str | os.PathLike, names: Sequence[str], *, device: str | torch.device = "cpu", seconds: float = SECONDS
    ):
        self.path = Path(path)
        self.identity = {"names": list(names), **computed_with(device)}
        self.seconds = seconds
        self.last = time.monotonic()
        self.told = False

    def read(self) -> dict | None:
        """The state that was written last, on the CPU. None if there is none, or, after a notice, if it is damaged, of other
        runs or computed otherwise: by another version, form or machine."""
        try:
            with open(self.path, "rb") as file:
                line, state = file.readline(), file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            return self._unusable(f"it cannot be read ({error.strerror})")
        whole = memoryview(state)
        digest = hashlib.sha256(line)
        digest.update(whole[:-SUM_BYTES])
        if whole[-SUM_BYTES:] != digest.hexdigest().encode():
            return self._unusable("its content does not have its checksum")
        found = json.loads(line)
        for name, value in self.identity.items():
            if found.get(name) != value:
                other = "it is of other runs" if name == "names" else f"its {name} is {found.get(name)!r}, not {value!r}"
                return self._unusable(other)
        return torch.load(io.BytesIO(whole[:-SUM_BYTES]), map_location="cpu", weights_only=True)

    def _unusable(self, why: str) -> None:
        logging.getLogger("kanbefair").warning("the checkpoint '%s' is not used, its runs begin anew: %s", self.path, why)

    def due(self) -> bool:
        """Whether it is time for the next checkpoint."""
        return time.monotonic() - self.last >= self.seconds

    def write(self, state: dict) -> None:
        """Keep the state instead of the one before, which stays if that cannot be done; of that there is one notice in all."""
        try:
            with whole(self.path) as file:
                summed = _Summed(file)
                summed.write(json.dumps(self.identity).encode() + b"\n")
                torch.save(state, summed)
                file.write(summed.sum.hexdigest().encode())
        except (OSError, RuntimeError) as error:
            reason = error.__context__ if isinstance(error, RuntimeError) else error  # PyTorch's own hides the disk's
            if not isinstance(reason, OSError):
                raise
            if not self.told:
                logging.getLogger("kanbefair").warning(
                    "no checkpoint can be written to '%s', training goes on without: %s", self.path.parent, reason.strerror
                )
            self.told = True
        self.last = time.monotonic()

    def delete(self) -> None:
        """Delete the file, as its runs are finished or have failed."""
        with suppress(OSError):
            self.path.unlink()


class _Summed:
    """A file to write to, and the SHA-256 of what was written."""

    def __init__(self, file: io.BufferedIOBase):
        self.file = file
        self.sum = hashlib.sha256()

    def write(self, content: bytes) -> int:
        """Write and sum."""
        self.sum.update(content)
        return self.file.write(content)

    def flush(self) -> None:
        """Nothing is held back here."""


class _OfOne:
    """The checkpoint of one of several runs that train one after the other, kept in that of all, with the records before it."""

    def __init__(self, whole: Checkpoint, done: list[dict], state: dict | None):
        self.whole = whole
        self.done = done
        self.state = state
        self.due = whole.due

    def read(self) -> dict | None:
        """The run's own state."""
        return self.state

    def write(self, state: dict) -> None:
        """Keep it, and the records."""
        self.whole.write({"done": self.done, "state": state})


def one_by_one(
    train: Callable[[RunSpec, Checkpoint | None], dict], specs: Sequence[RunSpec], checkpoint: Checkpoint | None
) -> list[dict]:
    """The records of runs that `train`, given a run and its checkpoint, trains one after the other."""
    if checkpoint is None:
        return [train(spec, None) for spec in specs]
    before = checkpoint.read() or {"done": [], "state": None}
    done, state = before["done"], before["state"]
    for spec in specs[len(done) :]:
        done.append(train(spec, _OfOne(checkpoint, done, state)))
        state = None
    return done


def begun(folder: str | os.PathLike) -> list[tuple[Path, list[str]]]:
    """The checkpoints in a folder, each with the names of its runs' records, in order. Only the first line of each is read."""
    found = []
    for path in sorted(Path(folder).glob(f"*{SUFFIX}")):
        with suppress(OSError, ValueError, KeyError, TypeError), open(path, "rb") as file:
            found.append((path, list(json.loads(file.readline())["names"])))
    return found
