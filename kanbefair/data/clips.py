"""Clips of sound as the paper takes them: mono, at 1 kHz, their first 1000 samples."""

from collections.abc import Iterable
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

READ_SECONDS = 1.1
"""Seconds of a recording that are read. The first 1000 samples at 1 kHz depend on nothing after 1.006 s."""


@cache
def _resample(rate: int) -> Resample:
    return Resample(rate, RATE)


def clip(path: Path) -> Tensor:
    """The first 1000 samples of a WAV file at 1 kHz, channels averaged: float32 (1000,), zeros where it has ended.

    Raises `ValueError` if the file is cut short within these samples, and what soundfile raises for other damage.
    """
    with soundfile.SoundFile(path) as file:
        rate = file.samplerate
        samples = file.read(int(READ_SECONDS * rate), dtype="float32", always_2d=True)
    if len(samples) < int(READ_SECONDS * rate):
        _check_length(path)
    slow = _resample(rate)(torch.from_numpy(samples).mean(1))[:SAMPLES]
    return pad(slow, (0, SAMPLES - len(slow)))


def _check_length(path: Path) -> None:
    """Raise `ValueError` if a WAV file is shorter than its RIFF header says: libsndfile reads it without an error."""
    with path.open("rb") as file:
        header = file.read(8)
    promised = int.from_bytes(header[4:], "little") + 8
    found = path.stat().st_size
    if header[:4] == b"RIFF" and found < promised < 1 << 32:
        raise ValueError(f"it has {found:,} of {promised:,} bytes")


def clips(request: Request, paths: Iterable[Path]) -> Tensor:
    """The clips of all WAV files `paths`: float32 (N, 1000).

    Raises `InputError` that names the first file that cannot be read.
    """
    rows = []
    for path in tqdm(paths, desc=request.name, unit="clip"):
        with reading(request, path):
            rows.append(clip(path))
    return torch.stack(rows)
