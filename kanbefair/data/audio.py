"""Audio datasets. A clip is the first 1000 samples of a recording at 1 kHz, with zeros where it has ended.

As in the paper, clips are not normalised (docs/protocol.md, Datasets). Some sets also come as log-mel spectrograms.
"""

import csv
from functools import partial
from importlib.resources import files
from pathlib import Path

import numpy
import torch
from torch import Tensor
from torchaudio.datasets import SPEECHCOMMANDS

from kanbefair.data.clips import clips
from kanbefair.data.files import fetch_archive, reading, require
from kanbefair.data.registry import Request, register
from kanbefair.data.spectrograms import log_mel
from kanbefair.data.task import PARTS, Task, index_split, make_task, overall_moments
from kanbefair.data.tensor_cache import cached

VERSION = 1
"""Raise it when the preprocessing below changes, so that cached tensors are made anew."""


DIGITS = 10
"""The number of classes of the spoken digits."""

TRAIN, VALID, TEST = range(len(PARTS))


def spoken_words(protocol: str) -> dict[str, Tensor]:
    """The arrays of the clips that ship with the package, as scripts/make_spoken_words.py describes them.

    The array `part` has each clip's number in `PARTS`. Under the protocol `published` it counts the validation part to
    the training part.
    """
    with files("kanbefair.data").joinpath("embedded", "spoken_words.npz").open("rb") as file:
        data = {name: torch.from_numpy(array) for name, array in numpy.load(file, allow_pickle=False).items()}
    if protocol == "published":
        data["part"][data["part"] == VALID] = TRAIN
    return data


def task_of_parts(request: Request, x: Tensor, y: Tensor, part: Tensor, classes: int) -> Task:
    """The task of clips x, (N, features), with class numbers y, (N,).

    `part`, (N,), holds each row's number in `PARTS`. Rows with another number are left out.
    """
    chosen = {name: part == number for number, name in enumerate(PARTS)}
    fields = {f"x_{name}": x[rows] for name, rows in chosen.items()}
    fields |= {f"y_{name}": y[rows].long() for name, rows in chosen.items()}
    return Task(name=request.name, domain="audio", metric="accuracy", output_size=classes, **fields)


@register("SpokenDigits", domain="audio", embedded=True)
def spoken_digits(request: Request) -> Task:
    """2,000 clips of the ten digit words, spoken by espeak-ng: 1000 samples at 1 kHz from where the word begins.

    Before resampling each was scaled so that its loudest sample is 1. No voice is in two parts.
    """
    data = spoken_words(request.protocol)
    return task_of_parts(request, data["wave"].float() / 127, data["digit"], data["part"], DIGITS)


@register("SpokenDigitsMel", domain="audio", embedded=True)
def spoken_digits_mel(request: Request) -> Task:
    """The clips of SpokenDigits with 0 dB noise as log-mel spectrograms of 20 bands × 16 frames.

    They are normalised with one mean and one standard deviation, those of the clips that are trained on.
    """
    data = spoken_words(request.protocol)
    mean, std = overall_moments(data["mel"][data["part"] == TRAIN].double())
    return task_of_parts(request, ((data["mel"] - mean) / std).float(), data["digit"], data["part"], DIGITS)


def check_count(what: str, found: int, known: int) -> None:
    """Raise `ValueError` if the number of `what` is not the publisher's."""
    if found != known:
        raise ValueError(f"it has {found:,} {what}, the publisher's {known:,}")


SPEECH_COMMANDS = "SpeechCommands/speech_commands_v0.02"
SPEECH_COMMANDS_ADDRESS = "https://storage.googleapis.com/download.tensorflow.org/data/speech_commands_v0.02.tar.gz"
SPEECH_COMMANDS_CHECKSUM = "sha256:af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58"
SPEECH_COMMANDS_CLIPS = {"training": 84_843, "validation": 9_981, "testing": 11_005}
COMMANDS = (
    "backward",
    "bed",
    "bird",
    "cat",
    "dog",
    "down",
    "eight",
    "five",
    "follow",
    "forward",
    "four",
    "go",
    "happy",
    "house",
    "learn",
    "left",
    "marvin",
    "nine",
    "no",
    "off",
    "on",
    "one",
    "right",
    "seven",
    "sheila",
    "six",
    "stop",
    "three",
    "tree",
    "two",
    "up",
    "visual",
    "wow",
    "yes",
    "zero",
)


@register("SpeechCommand", domain="audio")
def speech_command(request: Request) -> Task:
    """Speech Commands 0.02, 105,829 clips of 35 words, as torchaudio lays it out, split by the publisher's lists.

    The clips of the validation list are the validation part under the protocol `fair` and unused under `published`.

    Raises `InputError` if files are missing or damaged.
    """

    def download(path: Path) -> None:
        fetch_archive(SPEECH_COMMANDS_ADDRESS, path, ".", SPEECH_COMMANDS_CHECKSUM)

    hint = f"unpack {SPEECH_COMMANDS_ADDRESS} there"
    folder = require(request, SPEECH_COMMANDS, download=download, hint=hint)

    def build() -> dict[str, Tensor]:
        paths, labels, parts = [], [], []
        with reading(request, folder):
            for part, (subset, known) in enumerate(SPEECH_COMMANDS_CLIPS.items()):
                listed = SPEECHCOMMANDS(request.data_dir, subset=subset)
                check_count(f"{subset} clips", len(listed), known)
                for relative, _, word, *_ in map(listed.get_metadata, range(len(listed))):
                    paths.append(folder.parent / relative)
                    labels.append(COMMANDS.index(word))
                    parts.append(part)
        return {"x": clips(request, paths), "y": torch.tensor(labels), "part": torch.tensor(parts)}

    t = cached(request, [folder], VERSION, build, both_protocols=True)
    used = t["part"] if request.protocol == "fair" else torch.where(t["part"] == VALID, -1, t["part"])
    return task_of_parts(request, t["x"], t["y"], used, len(COMMANDS))


URBAN_SOUND_ADDRESS = "https://zenodo.org/records/1203745/files/UrbanSound8K.tar.gz"
URBAN_SOUND_CHECKSUM = "md5:9aa69802bbf37fb986f71ec1483a196e"
URBAN_SOUND_CLIPS = 8_732
URBAN_SOUND_CLASSES = 10


@register("UrbanSound8K", domain="audio")
def urban_sound(request: Request) -> Task:
    """UrbanSound8K, 8,732 clips of ten classes of street sounds, split by the paper's rule (`index_split`).

    That rule ignores the publisher's folds, and clips of one recording can be in both parts.

    Raises `InputError` if files are missing or damaged.
    """

    def download(path: Path) -> None:
        fetch_archive(URBAN_SOUND_ADDRESS, path.parents[1], "UrbanSound8K", URBAN_SOUND_CHECKSUM)

    hint = f"unpack {URBAN_SOUND_ADDRESS} in the data directory"
    table = require(request, "UrbanSound8K/metadata/UrbanSound8K.csv", download=download, hint=hint)
    folder = require(request, "UrbanSound8K/audio", hint=hint)

    def build() -> dict[str, Tensor]:
        with reading(request, table), table.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
            labels = [int(row["classID"]) for row in rows]
            paths = [folder / f"fold{row['fold']}" / row["slice_file_name"] for row in rows]
            check_count("clips", len(rows), URBAN_SOUND_CLIPS)
            if set(labels) != set(range(URBAN_SOUND_CLASSES)):
                raise ValueError(f"it has classes {sorted(set(labels))}, the publisher's are 0 to 9")
        return {"x": clips(request, paths), "y": torch.tensor(labels)}

    t = cached(request, [table, folder], VERSION, build, both_protocols=True)
    train, test = ((t["x"][rows], t["y"][rows]) for rows in index_split(len(t["y"])))
    return make_task(request.name, "audio", request.protocol, train, test, output_size=URBAN_SOUND_CLASSES, source=table)


FSDD_ADDRESS = "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/v1.0.10.zip"
FSDD_CONTENT = ("recordings/*.wav", "04e1baae96c6a26e39c623f2b01d0182ddae627ba0ac02a3cdc17ba2af99fd9b")
FSDD_CLIPS = 3_000
FSDD_TEST_INDICES = 5
"""The publisher's test part: the recordings of each speaker and digit with an index below this."""


FSDD_MEL = partial(log_mel, rate=8_000, seconds=1, window=512)
"""One recording in a hundred is longer than a second. A window is 64 ms, a frame 62.5 ms."""


@register("FSDD", "FSDDMel", domain="audio")
def fsdd(request: Request) -> Task:
    """The Free Spoken Digit Dataset 1.0.10: 3,000 recordings of ten digits by six speakers, with the publisher's split.

    The paper does not use it. The files are `free-spoken-digit-dataset/recordings/{digit}_{speaker}_{index}.wav`, with
    8,000 samples per second. FSDDMel has log-mel spectrograms in place of clips (`log_mel`), normalised with one mean and
    one standard deviation, those of the recordings that are trained on.

    Raises `InputError` if files are missing or damaged.
    """

    def download(path: Path) -> None:
        fetch_archive(FSDD_ADDRESS, path.parent, "free-spoken-digit-dataset-1.0.10", content=FSDD_CONTENT)

    hint = f"unpack {FSDD_ADDRESS} and put its folder 'recordings' there"
    folder = require(request, "free-spoken-digit-dataset/recordings", download=download, hint=hint)

    mel = request.name == "FSDDMel"

    def build() -> dict[str, Tensor]:
        with reading(request, folder):
            paths = sorted(folder.glob("*.wav"))
            named = [path.stem.split("_") for path in paths]
            labels = [range(DIGITS).index(int(digit)) for digit, _, _ in named]
            test = [int(index) < FSDD_TEST_INDICES for _, _, index in named]
            check_count("recordings", len(paths), FSDD_CLIPS)
        return {"x": clips(request, paths, FSDD_MEL if mel else None), "y": torch.tensor(labels), "test": torch.tensor(test)}

    t = cached(request, [folder], VERSION, build, both_protocols=True)
    train, test = ((t["x"][rows], t["y"][rows]) for rows in (~t["test"], t["test"]))
    moments = overall_moments if mel else None
    return make_task(request.name, "audio", request.protocol, train, test, moments=moments, output_size=DIGITS, source=folder)
