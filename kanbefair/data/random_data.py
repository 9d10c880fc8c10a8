"""Random tensors in the sizes of a dataset, to measure time with where the data are not at hand; nothing can be learned."""

import re

import torch

from kanbefair.data.registry import Request, register
from kanbefair.data.task import Task

PATTERN = r"Random_(grey|colour|numbers)_(\d+)_(\d+)_(\d+)_(\d+)"


@register("Random_kind_train_test_inputs_classes", domain="tabular", pattern=PATTERN)
def stand_in(request: Request) -> Task:
    """`Random_grey_60000_10000_784_10`: normalised pixels, 60,000 training and 10,000 test rows of 784 inputs, 10 classes;
    `Random_colour_…`: uint8 pixels, normalised when used; `Random_numbers_…`: float32 in (−1, 1); 0 classes: one number is
    predicted. No validation part under any protocol."""
    kind, *sizes = re.fullmatch(PATTERN, request.name).groups()
    train, test, inputs, classes = map(int, sizes)
    generator = torch.Generator().manual_seed(0)
    rows = train + test
    x, moments = 2 * torch.rand(rows, inputs, generator=generator) - 1, {}
    if kind == "grey":
        x *= 3**0.5  # deviation 1
    elif kind == "colour":
        x = torch.randint(256, (rows, inputs), generator=generator, dtype=torch.uint8)
        moments = {"mean": torch.full((inputs,), 0.5), "std": torch.full((inputs,), 0.3)}
    y = torch.randint(classes, (rows,), generator=generator) if classes else torch.rand(rows, 1, generator=generator)
    return Task(
        name=request.name,
        domain="tabular",
        metric="accuracy" if classes else "mae",
        output_size=classes or 1,
        x_train=x[:train],
        y_train=y[:train],
        x_valid=x[:0],
        y_valid=y[:0],
        x_test=x[train:],
        y_test=y[train:],
        **moments,
    )
