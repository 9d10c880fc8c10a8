"""Recordings as log-mel spectrograms: 32 bands × 16 frames, 512 inputs."""

from functools import cache
from pathlib import Path

from torch import Tensor
from torchaudio.transforms import MelSpectrogram

from kanbefair.data.clips import clip

BANDS, FRAMES = 32, 16

FLOOR = 1e-4
"""Added to the power before the logarithm. In a window of 512 samples a tone at full scale has a power near 2e4."""


@cache
def _transform(rate: int, hop: int, window: int) -> MelSpectrogram:
    return MelSpectrogram(rate, n_fft=window, hop_length=hop, n_mels=BANDS)


def log_mel(path: Path, rate: int, seconds: int, window: int) -> Tensor:
    """The log-mel spectrogram of a WAV file's first `seconds` at `rate`, zeros where it has ended: float32 (32 · 16,).

    Frame k is around sample k · hop, with hop = seconds · rate / 16, and weighs `window` samples with a Hann window. At
    the beginning the recording is mirrored. The bands are torchaudio's: triangles on the HTK mel scale, from 0 to
    rate / 2. A value is ln(power + `FLOOR`); the frames of the lowest band come first.

    Raises what `clip` does.
    """
    hop = seconds * rate // FRAMES
    power = _transform(rate, hop, window)(clip(path, rate, seconds * rate))[:, :FRAMES]
    return (power + FLOOR).log().flatten()
