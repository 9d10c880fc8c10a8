"""Tabular datasets: two of scikit-learn's, which ship with it, and the paper's UCI sets and Titanic.

docs/protocol.md, Datasets, says how the paper's files preprocess and split them.
"""

import json
import logging
import string
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy
import pandas
import torch
from pandas.api.types import is_numeric_dtype
from sklearn import datasets
from sklearn.model_selection import train_test_split
from torch import Tensor

from kanbefair.data.bean_gaps import complete_beans
from kanbefair.data.files import check_first, check_sum, fetch, reading, require
from kanbefair.data.registry import Request, register
from kanbefair.data.task import Task, feature_moments, index_split, make_task, validation_split
from kanbefair.data.tensor_cache import cached
from kanbefair.folders import appearing

SKLEARN = {"WineRecognition": datasets.load_wine, "BreastCancer": datasets.load_breast_cancer}


@register(*SKLEARN, domain="tabular", embedded=True)
def sklearn_table(request: Request) -> Task:
    """scikit-learn's wine recognition and breast cancer tables. One fifth, in class proportion, is the test part."""
    x, y = SKLEARN[request.name](return_X_y=True)
    parts = train_test_split(x, y, test_size=0.2, random_state=42, stratify=y)
    x_train, x_test, y_train, y_test = map(torch.from_numpy, parts)
    train, test = (x_train, y_train), (x_test, y_test)
    return make_task(request.name, "tabular", request.protocol, train, test, moments=feature_moments, division=request.division)


@dataclass(frozen=True)
class TableFile:
    """What is known of a table's file.

    `classes` and `inputs` are the numbers of classes and of input columns, as the paper's files state them. `rows` is
    the number of rows, None for tables whose file we have not seen. `uci` is the number in the UCI repository, None
    for a table from elsewhere.
    """

    classes: int
    inputs: int
    rows: int | None = None
    uci: int | None = None


TABLES = {
    "Abalone": TableFile(28, 8, 4_177, uci=1),
    "Income": TableFile(2, 14, 48_842, uci=2),
    "Mushroom": TableFile(2, 22, uci=73),
    "Spam": TableFile(2, 57, 4_601, uci=94),
    "Telescope": TableFile(2, 10, 19_020, uci=159),
    "Wine": TableFile(7, 11, 6_497, uci=186),
    "Bank": TableFile(2, 16, 45_211, uci=222),
    "Card": TableFile(2, 23, 30_000, uci=350),
    "Dota": TableFile(2, 115, uci=367),
    "Rice": TableFile(2, 7, 3_810, uci=545),
    "Bean": TableFile(7, 16, 13_611, uci=602),
    "Student": TableFile(3, 36, 4_424, uci=697),
    "Toxicity": TableFile(2, 1_203, uci=728),
    "Darwin": TableFile(2, 451, uci=732),
    "Titanic": TableFile(2, 9, 891),
}
UCI = [name for name, table in TABLES.items() if table.uci is not None]

UCI_ADDRESS = "https://archive.ics.uci.edu/api/dataset"
"""Where the UCI repository describes its sets."""
UCI_SUMS = {
    1: "sha256:50126af5ea3554ef637579b40f120be68e26aaa1d354df1e1f0e90775f629b44",
    2: "sha256:82682cd3606b1c0592975abff21db758baed235950a2a9c02931c56f1b8157ee",
    94: "sha256:34fe4a44df6f6ec5ce99711e0ee89f76692118ba56cfa0e3ee9bfc58cf6bddab",
    159: "sha256:0d762a483f7a616d9d773c6b2f9bb487505bf852dc2c48df8773f63600ece94a",
    186: "sha256:2895396422be3e597a390756bd4f3c85b904543e490b7dcf4fcd8b04f3d4c40a",
    222: "sha256:1ae070f431c41d2cc27ebd0e9039409a7fb880d3b1044046f622a266db4c89be",
    350: "sha256:b6baa641b247781a4fb49540db25f0c0399adbee89756b8a315ac23aa191e961",
    545: "sha256:4c8c6d315d071ca9d78ca32cde0b5072d37b2f9f06fa9acc1fd6540ab738f3c3",
    602: "sha256:23036ba7ef1886ee59ae56b96b376f856c011588a7a3bf241f8095abb310b5c4",
    697: "sha256:11d98915ed5b60361afe44408480aa45f42be6f55be7dda62275ac5695caa495",
}
"""The checksums of the tables that this package was tested with, as they are saved here, by their number."""

VERSION = 2
"""Raise it when the preprocessing below changes, so that cached tensors are made anew."""

NEARLY_ALL = 0.9
"""The share of numbers among a column's texts from which the other texts are taken for mistakes."""

ENDS = string.whitespace + "".join(set(string.punctuation) - set("$+-<=>"))
"""The characters that the paper's files strip from both ends of a text of a UCI set."""


def _download_uci(number: int, path: Path) -> None:
    """Save UCI set `number` as the CSV file `path`, target last. The file appears when it is complete.

    The repository says by JSON where the set's own table is and which of its columns are inputs and targets. Raises
    `OSError` as `fetch` does, and if the file is not the known or the first one; other answers raise what reading them does.
    """
    with appearing(path) as part:
        about, table = part.with_name("about.json"), part.with_name("data.csv")
        fetch(f"{UCI_ADDRESS}?id={number}", about)
        known = json.loads(about.read_bytes())["data"]
        fetch(known["data_url"], table)
        columns = [column["name"] for role in ("Feature", "Target") for column in known["variables"] if column["role"] == role]
        pandas.read_csv(table)[columns].to_csv(part, index=False)
        if number in UCI_SUMS:
            check_sum(part, UCI_SUMS[number])
        else:
            check_first(part, path.with_name(f"{path.name}.sha256"))


def _texts(column: pandas.Series, request: Request) -> pandas.Series:
    """A column as texts, a missing one as 'nan'. Those of UCI sets come in lower case without `ENDS` at both ends."""
    texts = column.fillna("nan").astype(str)
    return texts if request.name == "Titanic" else texts.str.lower().str.strip(ENDS)


def _numbers(texts: pandas.Series) -> pandas.Series:
    """Which of the texts are numbers."""
    return pandas.to_numeric(texts, errors="coerce").notna()


def _check_header(x: pandas.DataFrame, y: pandas.Series) -> None:
    """Raise `ValueError` if the names of the columns are a row of data, which would be lost.

    They are if the target's is one of its classes, or if most of the others are numbers but not 1, 2, 3 and so on.
    """
    names = x.columns.to_series()
    numbers = names[_numbers(names)]
    if y.name in set(y) or (2 * len(numbers) > len(names) and (numbers.astype(float).diff()[1:] != 1).any()):
        raise ValueError(f"its first row is data, as '{names.iloc[0]}' and '{y.name}', where the columns' names must be")


def _check_column(request: Request, column: pandas.Series) -> None:
    """Raise `ValueError` if a column's numbers are not finite in float32, or if there is a spoiled one among them.

    A text column has spoiled numbers if nearly all of its texts are numbers, decimal commas allowed, and the others have
    letters or digits. If they have none, as the "?" that stands for a missing number, a logged warning tells of them,
    and of columns that are empty.
    """
    log = logging.getLogger("kanbefair")
    if column.isna().all():
        log.warning("%s: column '%s' is empty and is read as zeros", request.name, column.name)
    elif is_numeric_dtype(column):
        wild = column[column.abs() > numpy.finfo(numpy.float32).max]
        if len(wild):
            raise ValueError(f"column '{column.name}' has {wild.iloc[0]:g} in row {wild.index[0] + 1:,}, not finite in float32")
    else:
        texts = column.dropna().astype(str).str.strip()
        odd = texts[~_numbers(texts)]
        if len(odd) and _numbers(texts.str.replace(",", ".")).mean() >= NEARLY_ALL:
            found = f"column '{column.name}' has '{odd.iloc[0]}' in row {odd.index[0] + 1:,} among its numbers"
            if odd.str.contains(r"\w").any():
                raise ValueError(found)
            log.warning("%s: %s, so that it is read as texts", request.name, found)


def _read(request: Request, path: Path) -> tuple[pandas.DataFrame, pandas.Series]:
    """The input columns and the target column as texts, checked against the publisher's shape.

    Raises `InputError` if the file cannot be read or has another shape.
    """
    known = TABLES[request.name]
    with reading(request, path):
        frame = pandas.read_csv(path, low_memory=False)  # so that a column's type is that of all its rows
        if request.name == "Titanic":
            x = frame.drop(columns=["PassengerId", "Survived", "Name"])
            y = frame["Survived"]
        else:
            x = frame.iloc[:, :-1]
            y = frame.iloc[:, -1]
        if y.isna().any():
            raise ValueError(f"row {y.isna().argmax() + 1} has no target")
        y = _texts(y, request)
        _check_header(x, y)
        shape = {"rows": len(x), "input columns": x.shape[1], "classes": y.nunique()}
        for (what, found), stated in zip(shape.items(), (known.rows, known.inputs, known.classes), strict=True):
            if stated not in (None, found):
                raise ValueError(f"it has {found:,} {what}, the publisher's {stated:,}")
        x = complete_beans(x) if request.name == "Bean" else x
        for _, column in x.items():
            _check_column(request, column)
        return x, y


def _coded(x: pandas.DataFrame, seen: numpy.ndarray, request: Request) -> numpy.ndarray:
    """The input columns as numbers: float64 (rows, columns).

    The texts of a column are numbered in the order of their first appearance in the rows `seen`, sorted row numbers.
    A text that is not there gets the next number. A missing number is 0.
    """
    columns = []
    for _, column in x.items():
        if is_numeric_dtype(column):
            columns.append(column.fillna(0).to_numpy(float))
            continue
        texts = _texts(column, request)
        known = pandas.Index(texts.iloc[seen].unique())
        codes = known.get_indexer(texts)
        columns.append(numpy.where(codes < 0, len(known), codes).astype(float))
    return numpy.stack(columns, axis=1)


def _tensors(request: Request, path: Path) -> dict[str, Tensor]:
    """Inputs, float32 (rows, columns), and class numbers, int64 (rows,), of the train and the test part."""
    x, y = _read(request, path)
    labels = torch.from_numpy(pandas.factorize(y)[0]).long()
    with reading(request, path):
        train, test = index_split(len(x), len(x)) if request.name == "Titanic" else index_split(len(x))
        if len(train) < 2 or len(test) < 1:
            raise ValueError(f"{len(x):,} rows are too few for a train and a test part")
    published = request.protocol == "published"
    seen = numpy.arange(len(x)) if published else train[validation_split(labels[train], request.division)[0]]
    values = torch.from_numpy(_coded(x, numpy.sort(seen), request))
    mean, std = feature_moments(values[seen])
    values = ((values - mean) / std).float()
    return {"x_train": values[train], "y_train": labels[train], "x_test": values[test], "y_test": labels[test]}


def _load(request: Request, path: Path) -> Task:
    """The task of the table in the file `path`, through the tensor cache."""
    t = cached(request, [path], VERSION, partial(_tensors, request, path))
    train, test = (t["x_train"], t["y_train"]), (t["x_test"], t["y_test"])
    classes = TABLES[request.name].classes
    return make_task(
        request.name, "tabular", request.protocol, train, test, output_size=classes, source=path, division=request.division
    )


@register(*UCI, domain="tabular")
def uci(request: Request) -> Task:
    """A UCI set from `uci/<id>.csv` (header row, target last), which is downloaded if it is missing.

    Both protocols split by the paper's rule (`index_split`) and number the classes by first appearance in the file.
    `published` codes texts and scales with all rows, test rows included, as the paper's files do. `fair` does so with
    the rows that are trained on.

    Raises `InputError` if the file is missing or does not have the publisher's shape.
    """
    number = TABLES[request.name].uci
    hint = f"save UCI dataset {number} (archive.ics.uci.edu) there as CSV with a header row and the target last"
    return _load(request, require(request, f"uci/{number}.csv", download=partial(_download_uci, number), hint=hint))


@register("Titanic", domain="tabular")
def titanic(request: Request) -> Task:
    """Kaggle's Titanic from `Titanic/train.csv`, without names and passenger numbers.

    It is coded and scaled as the UCI sets are, with two differences: texts are compared as they stand, and the split
    is that of its own 891 rows.

    Raises `InputError` if the file is missing or does not have the publisher's shape.
    """
    hint = "Kaggle wants a log-in: take train.csv from its competition 'titanic' and put it there"
    return _load(request, require(request, "Titanic/train.csv", hint=hint))
