"""Texts as the numbers of their word tokens, numbered by a vocabulary of the rows trained on."""

import re
from collections import Counter
from collections.abc import Iterable
from itertools import chain

import torch
from torch import Tensor

from kanbefair.data.registry import Request
from kanbefair.data.task import PARTS, Task

UNKNOWN = "<unk>"
"""The token that stands for words outside the vocabulary."""


Rows = tuple[list[str], list[int]]
"""Texts and their class numbers."""


def tokens(text: str) -> list[str]:
    """The lower-cased words and punctuation marks of a text, cut as torchtext's "basic_english" does.

    Double quotation marks, colons, semicolons and HTML's line breaks are dropped.

    >>> tokens('It\\'s "well-known": 3.5!')
    ['it', "'", 's', 'well-known', '3', '.', '5', '!']
    """
    return re.findall(r"[.,()!?']|[^\s.,()!?';:]+", text.lower().replace("<br />", " ").replace('"', ""))


def vocabulary(texts: Iterable[list[str]], least_count: int = 1) -> dict[str, int]:
    """The number of each token: 0 is `<unk>`, then come the tokens of `texts`, the most frequent first.

    Tokens seen fewer than `least_count` times are left out. Equally frequent tokens are in alphabetical order.
    """
    counts = Counter(chain.from_iterable(texts))
    known = sorted((token for token in counts if counts[token] >= least_count), key=lambda token: (-counts[token], token))
    return {token: number for number, token in enumerate([UNKNOWN, *(token for token in known if token != UNKNOWN)])}


def encode(parts: dict[str, Rows], least_count: int = 1, longest: int | None = None) -> dict[str, Tensor]:
    """The parts "train", "valid" and "test" as tensors, coded by the vocabulary of the part "train".

    The vocabulary has the tokens seen at least `least_count` times. Of each text the first `longest` tokens are taken,
    all if it is None.

    Of each part there are `tokens_*`, int32 (tokens,), the token numbers of all texts end to end; `lengths_*`, int64
    (N,), the number of tokens of each text; and `y_*`, int64 (N,), the classes. `vocabulary_size` is int64 ().
    """
    cut = {part: [tokens(text)[:longest] for text in texts] for part, (texts, _) in parts.items()}
    numbers = vocabulary(cut["train"], least_count)
    tensors = {"vocabulary_size": torch.tensor(len(numbers))}
    for part, texts in cut.items():
        coded = [numbers.get(token, 0) for token in chain.from_iterable(texts)]
        tensors[f"tokens_{part}"] = torch.tensor(coded, dtype=torch.int32)
        tensors[f"lengths_{part}"] = torch.tensor([len(text) for text in texts], dtype=torch.int64)
        tensors[f"y_{part}"] = torch.tensor(parts[part][1], dtype=torch.int64)
    return tensors


def pad(numbers: Tensor, lengths: Tensor) -> Tensor:
    """The texts as rows: int32 (N, length of the longest text, at least 1), -1 where a text has ended.

    `numbers`, int32 (tokens,), holds the token numbers of all texts end to end, `lengths`, int64 (N,), how many each
    text has. torch's `pad_sequence` gives the same tensor 4 to 16 times as slowly, and fails where there is no text.
    """
    width = max(int(lengths.max()), 1) if len(lengths) else 1
    padded = torch.full((len(lengths), width), -1, dtype=torch.int32)
    padded[torch.arange(width) < lengths[:, None]] = numbers
    return padded


def text_task(request: Request, tensors: dict[str, Tensor], classes: int) -> Task:
    """The `Task` of tensors that `encode` made."""
    fields = {f"y_{part}": tensors[f"y_{part}"] for part in PARTS}
    fields |= {f"x_{part}": pad(tensors[f"tokens_{part}"], tensors[f"lengths_{part}"]) for part in PARTS}
    return Task(
        name=request.name,
        domain="text",
        metric="accuracy",
        output_size=classes,
        vocabulary_size=int(tensors["vocabulary_size"]),
        **fields,
    )
