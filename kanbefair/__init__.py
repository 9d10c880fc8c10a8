"""kanbefair: when does a Kolmogorov–Arnold network beat a multi-layer perceptron under a fair comparison?

Data flows one way: spec → run → record → table → figure. Read the folders in the order data, models, training, sweep, report,
studies. The names below are the public ones.

>>> import kanbefair
>>> kanbefair.count(kanbefair.Shape(family="MLP", widths=(784, 10, 10, 10), activation="relu")).parameters
8070
"""

import os

os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")
"""Intel's matrix products then round the same whatever the memory alignment, so that a run's result does not depend on
where in a stack it stands. It must be set before the first product."""

from importlib.metadata import version

from kanbefair.data import Task, load
from kanbefair.data import register as register_dataset
from kanbefair.errors import InputError
from kanbefair.models import MLP, BSpline_First_MLP, BSpline_MLP, KANbeFair, Shape, count, match
from kanbefair.models import register as register_model
from kanbefair.specs import RunSpec, grid
from kanbefair.sweep import run
from kanbefair.training import train

__version__ = version("kanbefair")


def __getattr__(name: str) -> object:
    """`verdict` is imported when it is asked for: it brings the report's plotting, which workers need not load."""
    if name == "verdict":
        from kanbefair.report.statistics import verdict

        return verdict
    raise AttributeError(f"module 'kanbefair' has no attribute '{name}'")


__all__ = [
    "MLP",
    "BSpline_First_MLP",
    "BSpline_MLP",
    "InputError",
    "KANbeFair",
    "RunSpec",
    "Shape",
    "Task",
    "__version__",
    "count",
    "grid",
    "load",
    "match",
    "register_dataset",
    "register_model",
    "run",
    "train",
    "verdict",
]
