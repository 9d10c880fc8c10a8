"""Random tensors in the sizes of a dataset, to measure time where the data are missing. They cannot be learned."""

import re

import torch

from kanbefair.data.registry import Request, register
from kanbefair.data.task import Task
from kanbefair.values import whole

PATTERN = r"Random_(grey|colour|numbers)_(\d+)_(\d+)_(\d+)_(\d+)"


@register("Random_kind_train_test_inputs_classes", domain="tabular", pattern=PATTERN)
def stand_in(request: Request) -> Task:
    """A dataset whose name states its kind and sizes, for instance `Random_grey_60000_10000_784_10`.

    The sizes are rows of the training part, rows of the test part, inputs, and classes. With 0 classes the target is
    one number. There is no validation part under either protocol. Raises `InputError` for a part or inputs of size 0.

    - `grey`: float32 pixels of mean 0 and standard deviation 1;
    - `colour`: uint8 pixels, normalised when they are used;
    - `numbers`: float32 in (−1, 1).
    """
    kind, *sizes = re.fullmatch(PATTERN, request.name).groups()
    train, test, inputs, classes = map(int, sizes)
    for what, size in (("training rows", train), ("test rows", test), ("inputs", inputs)):
        whole(f"number of {what} of {request.name}", size)
    generator = torch.Generator().manual_seed(0)
    rows = train + test
    x = 2 * torch.rand(rows, inputs, generator=generator) - 1
    moments = {}
    if kind == "grey":
        x *= 3**0.5  # now the standard deviation is 1
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
