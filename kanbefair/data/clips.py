"""Clips of sound: mono, the first samples at some rate. As the paper takes them, it is the first 1000 at 1 kHz."""

import os
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import soundfile
import torch
from torch import Tensor
from torch.nn.functional import pad
from torchaudio.transforms import Resample
from tqdm.auto import tqdm

from kanbefair.data.files import reading
from kanbefair.data.registry import Request

RATE = 1000
"""Samples per second in a clip."""

SAMPLES = 1000
"""Samples of a clip."""

READ_BEYOND = 0.1
"""Seconds of a recording that are read beyond a clip. The first 1000 samples at 1 kHz depend on nothing after 1.006 s."""


RATES = range(1_000, 192_001)
"""The sample rates, per second, of the recordings that are read."""

LOUDEST = 2.0**15
"""The largest sample that is read. Full scale is 1, but some files hold 16-bit integers as floats."""

UNKNOWN_SIZE = 0x7FFF0000
"""From here on the number of bytes in a WAV header means that its writer did not know it, as when it wrote to a pipe."""


@cache
def _resample(rate: int, new_rate: int) -> Resample:
    return Resample(rate, new_rate)


def clip(path: Path, new_rate: int = RATE, count: int = SAMPLES) -> Tensor:
    """The first `count` samples of a WAV file at `new_rate`, channels averaged: float32 (count,), zeros where it has ended.

    Raises `ValueError` if the file is of another format or rate, is cut short within these samples, or has samples that
    are not finite or far beyond full scale, and what soundfile raises for other damage.
    """
    with soundfile.SoundFile(path) as file:
        rate = file.samplerate
        if file.format not in ("WAV", "WAVEX"):
            raise ValueError(f"it is a file of format {file.format}, not WAV")
        if rate not in RATES:
            raise ValueError(f"it has {rate:,} samples per second, allowed are {RATES[0]:,} to {RATES[-1]:,}")
        read = int((count / new_rate + READ_BEYOND) * rate)
        samples = file.read(read, dtype="float32", always_2d=True)
    if len(samples) < read:
        _check_length(path)
    if len(samples) == 0:
        return torch.zeros(count)
    if not abs(samples).max() <= LOUDEST:
        raise ValueError(f"it has samples that are not finite or larger than {LOUDEST:,.0f}; full scale is 1")
    resampled = _resample(rate, new_rate)(torch.from_numpy(samples).mean(1))[:count]
    return pad(resampled, (0, count - len(resampled)))


def _check_length(path: Path) -> None:
    """Raise `ValueError` if a WAV file has fewer bytes of samples than its header says: libsndfile reads it all the same.

    Only the size of the chunk "data" is believed, that of the whole file is off by some bytes in many files. If it is 0
    and something follows, the program that wrote the file was stopped.
    """
    with path.open("rb") as file:
        name, size = file.read(4), 8  # "RIFF", then the size of the whole and "WAVE"
        order = "big" if name == b"RIFX" else "little"
        while name not in (b"data", b""):
            file.seek(size + size % 2, os.SEEK_CUR)
            name, size = file.read(4), int.from_bytes(file.read(4), order)
        found = path.stat().st_size - file.tell()
    if name and (found < size < UNKNOWN_SIZE or size == 0 < found):
        raise ValueError(f"its header says that it has {size:,} bytes of samples, but it has {found:,}")


def clips(request: Request, paths: Iterable[Path], of: Callable[[Path], Tensor] | None = None) -> Tensor:
    """What `of` makes of each of the WAV files `paths`: float32 (N, features); None stands for `clip`, 1000 samples.

    Raises `InputError` that names the first file that cannot be read.
    """
    rows = []
    for path in tqdm(paths, desc=request.name, unit="clip"):
        with reading(request, path):
            rows.append((of or clip)(path))
    return torch.stack(rows)
