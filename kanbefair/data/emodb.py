"""EMODB, the Berlin database of emotional speech (Burkhardt et al., "A Database of German Emotional Speech", 2005).

Ten actors say ten sentences in seven emotions. The paper that this package compares with does not use it.
"""

import re
from functools import partial

import torch
from torch import Tensor

from kanbefair.data.audio import TEST, TRAIN, VALID, VERSION, check_count, task_of_parts
from kanbefair.data.clips import clips
from kanbefair.data.files import reading, require
from kanbefair.data.registry import Request, register
from kanbefair.data.spectrograms import log_mel
from kanbefair.data.task import Task, overall_moments
from kanbefair.data.tensor_cache import cached

FOLDER = "EMODB/wav"
HINT = "take the recordings from the publisher's page emodb.bilderbar.info and put them there"
RECORDINGS = 535

EMOTIONS = "WLEAFTN"
"""The letters of anger, boredom, disgust, fear, happiness, sadness and neutral speech, in the order of the classes."""

MEN = ("03", "10", "11", "12", "15")
WOMEN = ("08", "09", "13", "14", "16")
TESTED = (MEN[-1], WOMEN[-1])
HELD_OUT = (MEN[-2], WOMEN[-2])
"""The last man and the last woman by number are the test part, the last but one of each the validation part."""

MEL = partial(log_mel, rate=16_000, seconds=2, window=2048)
"""The files at hand end after 2 s. A window is 128 ms, a frame 125 ms."""

NAME = re.compile(rf"({'|'.join(MEN + WOMEN)})[ab]\d\d([{EMOTIONS}])[a-z]")
"""Speaker, sentence, emotion and version, as in "03a01Fa"."""


def part_of(speaker: str) -> int:
    """The number in `PARTS` of the part that a speaker is in."""
    return TEST if speaker in TESTED else VALID if speaker in HELD_OUT else TRAIN


@register("EMODB", "EMODBMel", domain="audio")
def emodb(request: Request) -> Task:
    """535 recordings in seven emotions, `EMODB/wav/*.wav`, parted by speaker: no voice is in two parts.

    EMODB has clips as the paper takes them. EMODBMel has log-mel spectrograms (`log_mel`), normalised with one mean and
    one standard deviation, those of the recordings that are trained on.

    Two speakers are the validation part under the protocol `fair` and trained on under `published`.

    Raises `InputError` if files are missing or damaged.
    """
    folder = require(request, FOLDER, hint=HINT)
    mel = request.name == "EMODBMel"

    def build() -> dict[str, Tensor]:
        with reading(request, folder):
            paths = sorted(folder.glob("*.wav"))
            check_count("recordings", len(paths), RECORDINGS)
            if unknown := [path.name for path in paths if not NAME.fullmatch(path.stem)]:
                raise ValueError(f"'{unknown[0]}' is not named as the publisher's recordings are, such as '03a01Fa.wav'")
        return {
            "x": clips(request, paths, MEL if mel else None),
            "y": torch.tensor([EMOTIONS.index(path.stem[5]) for path in paths]),
            "part": torch.tensor([part_of(path.stem[:2]) for path in paths]),
        }

    t = cached(request, [folder], VERSION, build, both_protocols=True)
    x, part = t["x"], t["part"]
    if request.protocol == "published":
        part = torch.where(part == VALID, TRAIN, part)
    if mel:
        mean, std = overall_moments(x[part == TRAIN].double())
        x = ((x - mean) / std).float()
    return task_of_parts(request, x, t["y"], part, len(EMOTIONS))
