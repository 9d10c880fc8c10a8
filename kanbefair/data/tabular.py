"""Tables with classes: two of scikit-learn's, which ship with it, UCI sets, the paper's among them, and others.

docs/protocol.md, Datasets, says how the paper's files preprocess and split them.
"""

import json
import logging
import string
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
from kanbefair.data.table_files import TABLES, UCI_SUMS
from kanbefair.data.task import Task, feature_moments, index_split, make_task, scaled, validation_split
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


UCI = [name for name, table in TABLES.items() if table.uci is not None]

UCI_ADDRESS = "https://archive.ics.uci.edu/api/dataset"
"""Where the UCI repository describes its sets."""
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
    """A column as texts, a missing one as 'nan'. Most tables' come in lower case without `ENDS` at both ends."""
    texts = column.fillna("nan").astype(str)
    return texts if TABLES[request.name].as_written else texts.str.lower().str.strip(ENDS)


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
        y = frame.pop(known.target or frame.columns[-1])
        x = frame.drop(columns=list(known.dropped))
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


def _split(request: Request, rows: int) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Row numbers (train, test) of a table with so many rows."""
    tests = TABLES[request.name].test
    if tests is not None:
        return numpy.arange(max(rows - tests, 0)), numpy.arange(max(rows - tests, 0), rows)
    return index_split(rows, rows) if request.name == "Titanic" else index_split(rows)


def _tensors(request: Request, path: Path) -> dict[str, Tensor]:
    """Inputs, float32 (rows, columns), and targets of the train and the test part.

    Targets are class numbers, int64 (rows,), or scaled numbers, float32 (rows, 1).
    """
    x, y = _read(request, path)
    with reading(request, path):
        train, test = _split(request, len(x))
        if len(train) < 2 or len(test) < 1:
            raise ValueError(f"{len(x):,} rows are too few for a train and a test part")
        if TABLES[request.name].classes is None:
            targets = scaled(torch.tensor(y.astype(float).to_numpy()).unsqueeze(1), train)
        else:
            targets = torch.from_numpy(pandas.factorize(y)[0]).long()
    published = request.protocol == "published"
    seen = numpy.arange(len(x)) if published else train[validation_split(targets[train], request.division)[0]]
    inputs = scaled(torch.from_numpy(_coded(x, numpy.sort(seen), request)), seen)
    return {"x_train": inputs[train], "y_train": targets[train], "x_test": inputs[test], "y_test": targets[test]}


def _load(request: Request, path: Path) -> Task:
    """The task of the table in the file `path`, through the tensor cache."""
    t = cached(request, [path], VERSION, partial(_tensors, request, path))
    train, test = (t["x_train"], t["y_train"]), (t["x_test"], t["y_test"])
    outputs = TABLES[request.name].classes or 1
    return make_task(
        request.name, "tabular", request.protocol, train, test, output_size=outputs, source=path, division=request.division
    )


@register(*UCI, domain="tabular")
def uci(request: Request) -> Task:
    """A UCI set from `uci/<id>.csv` (header row, target last), which is downloaded if it is missing.

    Both protocols split by the paper's rule (`index_split`), except as said below, and number the classes by first
    appearance in the file. `published` codes texts and scales with all rows, test rows included, as the paper's files do.
    `fair` does so with the rows that are trained on.

    Seven sets, which are not the paper's, come from R's package mlbench and are not downloaded. Of these the publishers of
    Letter, Splice, Satellite, Shuttle and Vowel have named a test part, which mlbench's files have at their end and which
    is used here. Vowel's has seven speakers of whom no row is trained on, so the speaker's number is no input, and nine of
    the publisher's ten numbers, as mlbench lacks the second. Its classes differ in case alone. Splice's inputs are the
    three bits of each of 60 bases. Shuttle has classes of 10 and 13 rows, and 79 % of its rows have one class. Ionosphere
    has a column that is constant, and scaled to 0. Banknote's rows lie in order of class.

    AbaloneAge is Abalone with the rings as a number; its targets are standardised with the mean and the standard deviation
    of all rows outside the test part, so that they are the same in all divisions.

    Raises `InputError` if the file is missing or does not have the publisher's shape.
    """
    known = TABLES[request.name]
    path = f"uci/{known.uci}.csv"
    if known.mlbench:
        hint = f"save the table {known.mlbench} of R's package mlbench there as CSV with a header row and the class last"
        return _load(request, require(request, path, hint=hint))
    hint = f"save UCI dataset {known.uci} (archive.ics.uci.edu) there as CSV with a header row and the target last"
    return _load(request, require(request, path, download=partial(_download_uci, known.uci), hint=hint))


@register("Phoneme", "Mammography", domain="tabular")
def research_table(request: Request) -> Task:
    """A table from `tables/<name in small letters>.csv` (header row, target last), treated as UCI's are (`uci`).

    Phoneme (ELENA project) tells nasal from oral vowels, Mammography (Woods et al. 1993) calcifications from other spots:
    2.3 % of its rows, which lie nearly in order of class; 30 % repeat an earlier row.

    Raises `InputError` if the file is missing or does not have the known shape.
    """
    file = f"{request.name.lower()}.csv"
    hint = f"take {file} from github.com/jbrownlee/Datasets and put it there under a row with the columns' names"
    return _load(request, require(request, f"tables/{file}", hint=hint))


@register("Titanic", domain="tabular")
def titanic(request: Request) -> Task:
    """Kaggle's Titanic from `Titanic/train.csv`, without names and passenger numbers.

    It is coded and scaled as the UCI sets are, with two differences: texts are compared as they stand, and the split
    is that of its own 891 rows.

    Raises `InputError` if the file is missing or does not have the publisher's shape.
    """
    hint = "Kaggle wants a log-in: take train.csv from its competition 'titanic' and put it there"
    return _load(request, require(request, "Titanic/train.csv", hint=hint))
