"""Makes kanbefair/data/embedded/spoken_words.npz: the ten digit words, spoken by espeak-ng in many voices.

Every word is spoken in 8 accents by 25 voice variants, at a pitch and a speed drawn from a fixed seed: 2,000 clips.
Silence before and after the word is cut off and the loudest sample scaled to 1. Two forms are kept of each clip:

- `wave`, int8 (clips, 1000): resampled to 1 kHz, as the paper does; 127 stands for 1; zeros where the word has ended.
- `mel`, uint8 (clips, 20 bands × 16 frames): with white noise of the word's own power (0 dB), the log-mel spectrogram
  of the first 0.8 s at 8 kHz, in decibels above -80 dB.

`digit` (0 to 9), `accent`, `voice` and `part` (row numbers of ACCENTS, VOICES and PARTS) are uint8 (clips,). Each
voice is in one part only.

espeak-ng must be installed (Debian: `apt-get install espeak-ng`; the shipped file was made with 1.51+dfsg-10+deb12u2).
The same version gives the same file:

    python scripts/make_spoken_words.py [OUTPUT]
"""

import io
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy
import soundfile
import torch
from torchaudio.functional import resample
from torchaudio.transforms import MelSpectrogram
from tqdm.auto import tqdm

OUTPUT = Path(__file__).parents[1] / "kanbefair" / "data" / "embedded" / "spoken_words.npz"
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ACCENTS = (
    "en-gb",
    "en-gb-scotland",
    "en-gb-x-gbclan",
    "en-gb-x-gbcwmd",
    "en-gb-x-rp",
    "en-us",
    "en-us-nyc",
    "en-029",
)
VOICES = (
    "f1",
    "f2",
    "f3",
    "f4",
    "f5",
    "m1",
    "m2",
    "m3",
    "m4",
    "m5",
    "m6",
    "m7",
    "m8",
    "klatt",
    "klatt2",
    "klatt4",
    "Alex",
    "Andrea",
    "Annie",
    "belinda",
    "david",
    "linda",
    "Michael",
    "paul",
    "steph",
)
PARTS = ("train", "valid", "test")
SEED = 0
WAVE_RATE, WAVE_SAMPLES = 1000, 1000
MEL_RATE, MEL_BANDS, MEL_FRAMES, HOP = 8000, 20, 16, 400
SILENCE = 0.02
"""Share of the loudest sample below which a sample before or after the word is silence."""


def speak(word: str, accent: str, voice: str, pitch: int, speed: int) -> tuple[torch.Tensor, int]:
    """espeak-ng's samples (N,) in [-1, 1] and their rate; `pitch` 0 to 99, `speed` in words a minute."""
    command = ["espeak-ng", "-v", f"{accent}+{voice}", "-p", str(pitch), "-s", str(speed), "--stdout", word]
    wav = subprocess.run(command, check=True, capture_output=True).stdout
    samples, rate = soundfile.read(io.BytesIO(wav), dtype="float32")
    return torch.from_numpy(samples), rate


def trim(samples: torch.Tensor) -> torch.Tensor:
    """The samples (N,) from the first to the last that is not silence, the loudest scaled to 1."""
    loud = (samples.abs() > SILENCE * samples.abs().max()).nonzero()
    return samples[loud[0, 0] : loud[-1, 0] + 1] / samples.abs().max()


def fit_length(samples: torch.Tensor, length: int) -> torch.Tensor:
    """The first `length` samples, with zeros at the end if there are fewer."""
    return torch.nn.functional.pad(samples[:length], (0, max(length - len(samples), 0)))


def wave(samples: torch.Tensor, rate: int) -> torch.Tensor:
    """int8 (1000,): the samples (N,) in [-1, 1] at 1 kHz."""
    slow = resample(samples, rate, WAVE_RATE).clamp(-1, 1)
    return (fit_length(slow, WAVE_SAMPLES) * 127).round().to(torch.int8)


def mel(samples: torch.Tensor, rate: int, generator: torch.Generator) -> torch.Tensor:
    """uint8 (bands * frames,): log-mel spectrogram of the samples (N,) with 0 dB noise, in decibels
    above -80 dB."""
    word = resample(samples, rate, MEL_RATE)
    clip = fit_length(word, MEL_FRAMES * HOP)
    noisy = clip + word.square().mean().sqrt() * torch.randn(len(clip), generator=generator)
    spectrogram = MelSpectrogram(MEL_RATE, n_fft=512, hop_length=HOP, n_mels=MEL_BANDS)(noisy)[:, :MEL_FRAMES]
    decibel = 10 * spectrogram.clamp_min(1e-8).log10()
    return (decibel + 80).round().to(torch.uint8).flatten()


def recipes() -> list[tuple[int, int, int, int, int]]:
    """(digit, accent, voice, pitch, speed) of every clip, in order."""
    combined = list(product(range(len(WORDS)), range(len(ACCENTS)), range(len(VOICES))))
    draws = numpy.random.RandomState(SEED)
    pitches = draws.randint(25, 76, len(combined)).tolist()
    speeds = draws.randint(120, 201, len(combined)).tolist()
    return [(*c, pitch, speed) for c, pitch, speed in zip(combined, pitches, speeds, strict=True)]


def part(voice: int) -> int:
    """Row number in PARTS: of every five voices the fifth is in the test part, the fourth in validation."""
    return (0, 0, 0, 1, 2)[voice % 5]


def main(output: Path = OUTPUT) -> None:
    """Speak every clip, write the file and say how large it is."""
    clips = recipes()
    generator = torch.Generator().manual_seed(SEED)
    waves, mels = [], []
    for digit, accent, voice, pitch, speed in tqdm(clips):
        samples, rate = speak(WORDS[digit], ACCENTS[accent], VOICES[voice], pitch, speed)
        word = trim(samples)
        waves.append(wave(word, rate))
        mels.append(mel(word, rate, generator))
    digits, accents, voices = numpy.array(clips, dtype=numpy.uint8).T[:3]
    numpy.savez_compressed(
        output,
        wave=torch.stack(waves).numpy(),
        mel=torch.stack(mels).numpy(),
        digit=digits,
        accent=accents,
        voice=voices,
        part=numpy.array([part(voice) for voice in voices], dtype=numpy.uint8),
    )
    print(f"{output}: {len(clips):,} clips, {output.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
