"""A small stream of digits: three tasks of two classes."""

from collections.abc import Callable

import numpy
import pytest

from kanbefair.data import Task, load
from kanbefair.training.continual.spec import ContinualSpec

PAIRS = ((0, 1), (2, 3), (4, 5))


@pytest.fixture(scope="session")
def digits() -> Task:
    return load("Digits")


@pytest.fixture
def spec() -> Callable[..., ContinualSpec]:
    """`spec(**fields)`: a short run of a small MLP over the stream, with some fields changed."""
    fields = {
        "dataset": "Digits",
        "stream": "classes",
        "groups": PAIRS,
        "model": "MLP",
        "widths": (16,),
        "epochs": 3,
        "lr": 1e-2,
        "batch_size": 32,
        "seed": 1,
    }
    return lambda **given: ContinualSpec(**fields | given)


@pytest.fixture
def matrix() -> Callable[[dict], numpy.ndarray]:
    """`matrix(record)`: the test accuracies after each of the three tasks (rows) on each of them (columns)."""
    return lambda record: numpy.array([[record[f"test_{after}_{on}"] for on in (1, 2, 3)] for after in (1, 2, 3)])
