"""Text datasets. A text is cut into word tokens, which the vocabulary of the training part numbers.

docs/protocol.md, Datasets, lists the paper's sets.
"""

import csv
import gzip
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from kanbefair.data.files import fetch, fetch_archive, reading, require
from kanbefair.data.registry import Request, register
from kanbefair.data.task import PARTS, Task, index_split, validation_split
from kanbefair.data.tensor_cache import cached
from kanbefair.data.tokens import Rows, encode, text_task

VERSION = 1
"""Raise it when the preprocessing below changes, so that cached tensors are made anew."""


LIBRARIES = ("numpy", "scipy", "sklearn", "pandas")
"""The classes of Docstrings in the order of their numbers."""

DOCSTRING_TOKENS = 80
"""The number of tokens of a docstring that are kept. One docstring in a hundred has more."""


def docstring_rows() -> list[tuple[str, str, str, str]]:
    """Part, library, module and text of each docstring that ships with the package."""
    packed = files("kanbefair.data").joinpath("embedded", "docstrings.tsv.gz").read_bytes()
    return [tuple(line.split("\t")) for line in gzip.decompress(packed).decode().split("\n")]


@register("Docstrings", domain="text", embedded=True)
def docstrings(request: Request) -> Task:
    """Which library does a docstring come from: numpy, scipy, scikit-learn or pandas?

    There are 880 of each, without the libraries' names (scripts/make_docstrings.py). No module has docstrings in two
    parts. `fair` holds out the file's validation part, `published` trains on it too. Words that occur once among the
    texts trained on are unknown.
    """
    parts: dict[str, Rows] = {part: ([], []) for part in PARTS}
    for part, library, _, text in docstring_rows():
        texts, labels = parts["train" if part == "valid" and request.protocol == "published" else part]
        texts.append(text)
        labels.append(LIBRARIES.index(library))
    return text_task(request, encode(parts, least_count=2, longest=DOCSTRING_TOKENS), len(LIBRARIES))


@dataclass(frozen=True, kw_only=True)
class TextFile:
    """A publisher's file, with a text and its class on every row.

    - `path`: its place in the data directory;
    - `rows`, `columns`: how many it has;
    - `label`: the number of the column with the class;
    - `text`: the columns with the text, joined by blanks;
    - `classes`: the labels as they are written, in the order of the class numbers;
    - `header`: whether the first row names the columns;
    - `tabs`: whether tabs separate the columns, without quotation marks; else it is CSV;
    - `blank`: whether the first blank of a row separates two columns, in place of tabs or commas;
    - `encoding`: Python's name of the file's; the default is UTF-8 with or without a byte order mark;
    - `download`: address and checksum of this file alone, None if it has no address of its own.
    """

    path: str
    rows: int
    columns: int
    label: int
    text: slice
    classes: tuple[str, ...]
    header: bool = False
    tabs: bool = False
    blank: bool = False
    encoding: str = "utf-8-sig"
    download: tuple[str, str] | None = None


AG_NEWS_ADDRESS = "https://raw.githubusercontent.com/mhjabreel/CharCnn_Keras/master/data/ag_news_csv"
COLA_ADDRESS = "https://nyu-mll.github.io/CoLA/cola_public_1.1.zip"
COLA_CHECKSUM = "md5:9f6d88c3558ec424cd9d66ea03589aba"
COLA_CONTENT = ("raw/*.tsv", "2725862d538a0c77dca6aa5607519a7da80975f4893b4751d332274f23ed8fa2")

AG_NEWS = {
    part: TextFile(
        path=f"AG_NEWS/{part}.csv",
        rows=rows,
        columns=3,
        label=0,
        text=slice(1, 3),
        classes=("1", "2", "3", "4"),
        download=(f"{AG_NEWS_ADDRESS}/{part}.csv", checksum),
    )
    for part, rows, checksum in (
        ("train", 120_000, "md5:b1a00f826fdfbd249f79597b59e1dc12"),
        ("test", 7_600, "sha256:521465c2428ed7f02f8d6db6ffdd4b5447c1c701962353eb2c40d548c3c85699"),
    )
}
COLA = {
    part: TextFile(
        path=f"CoLA/raw/{name}.tsv",
        rows=rows,
        columns=4,
        label=1,
        text=slice(3, 4),
        classes=("0", "1"),
        tabs=True,
    )
    for part, name, rows in (
        ("train", "in_domain_train", 8_551),
        ("valid", "in_domain_dev", 527),
        ("test", "out_of_domain_dev", 516),
    )
}
IMDB = TextFile(
    path="IMDb/IMDB Dataset.csv",
    rows=50_000,
    columns=2,
    label=1,
    text=slice(0, 1),
    classes=("negative", "positive"),
    header=True,
)


def read(request: Request, path: Path, source: TextFile) -> Rows:
    """The texts and class numbers of the file `path`. A text may be empty.

    Raises `InputError` if it cannot be read or is not as `source` says.
    """
    texts, labels = [], []
    form = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if source.tabs else {"strict": True}
    with reading(request, path), path.open(encoding=source.encoding, newline="") as file:
        rows = (line.rstrip("\r\n").split(" ", 1) for line in file) if source.blank else csv.reader(file, **form)
        for number, row in enumerate(islice(rows, int(source.header), None), 1):
            if len(row) != source.columns or row[source.label] not in source.classes:
                raise ValueError(f"row {number} does not have {source.columns} columns with a class of {list(source.classes)}")
            texts.append(" ".join(row[source.text]))
            labels.append(source.classes.index(row[source.label]))
            if "\0" in texts[-1]:
                raise ValueError(f"row {number} has a zero byte in its text")
        if len(texts) != source.rows:
            raise ValueError(f"it has {len(texts):,} rows, the publisher's {source.rows:,}")
        if absent := set(range(len(source.classes))) - set(labels):
            raise ValueError(f"it has no row of class '{source.classes[min(absent)]}'")
    return texts, labels


def take(rows: Rows, numbers: Iterable[int]) -> Rows:
    """The texts and classes of the given row numbers."""
    numbers = list(numbers)
    return [rows[0][n] for n in numbers], [rows[1][n] for n in numbers]


def hold_out(request: Request, train: Rows, test: Rows) -> dict[str, Rows]:
    """The parts "train", "valid" and "test" of the two given ones.

    Under the protocol `fair` "valid" is a share of the training rows (`validation_split`), else it is empty.
    """
    fit, valid = range(len(train[0])), range(0)
    if request.protocol == "fair":
        fit, valid = (rows.tolist() for rows in validation_split(torch.tensor(train[1])))
    return {"train": take(train, fit), "valid": take(train, valid), "test": test}


def download(source: TextFile, path: Path) -> None:
    """Download the file to `path`; `OSError` as `fetch` raises it."""
    address, checksum = source.download
    fetch(address, path, checksum)


@register("AG_NEWS", domain="text")
def ag_news(request: Request) -> Task:
    """AG News, titles and descriptions in four classes: 120,000 train and 7,600 test texts (`AG_NEWS/*.csv`).

    Raises `InputError` if a file is missing or damaged.
    """
    hint = f"take it from {AG_NEWS_ADDRESS}"
    hints = {"train": f"{hint}, or use the dataset 'AG_NEWS_test', which is made of the test part", "test": hint}
    paths = {
        part: require(request, source.path, download=partial(download, source), hint=hints[part])
        for part, source in AG_NEWS.items()
    }

    def build() -> dict[str, Tensor]:
        return encode(hold_out(request, *(read(request, paths[part], AG_NEWS[part]) for part in ("train", "test"))))

    return text_task(request, cached(request, paths.values(), VERSION, build), classes=4)


@register("AG_NEWS_test", domain="text")
def ag_news_test(request: Request) -> Task:
    """The 7,600 texts of AG News's test part alone, split into train and test by `index_split`.

    It is this package's own, for machines without the train part. Raises `InputError` if the file is missing or
    damaged.
    """
    source = AG_NEWS["test"]
    hint = f"take it from {AG_NEWS_ADDRESS}"
    return split_by_index(request, source, require(request, source.path, download=partial(download, source), hint=hint))


@register("IMDb", domain="text")
def imdb(request: Request) -> Task:
    """50,000 film reviews, negative (0) or positive (1), split by `index_split` (`IMDb/IMDB Dataset.csv`).

    Raises `InputError` if the file is missing or damaged.
    """
    hint = "Kaggle wants a log-in: take 'IMDB Dataset.csv' from its 'IMDB Dataset of 50K Movie Reviews', put it there"
    return split_by_index(request, IMDB, require(request, IMDB.path, hint=hint))


def split_by_index(request: Request, source: TextFile, path: Path) -> Task:
    """The task of the one file `path`, split by the paper's rule, through the tensor cache."""

    def build() -> dict[str, Tensor]:
        rows = read(request, path, source)
        return encode(hold_out(request, *(take(rows, numbers) for numbers in index_split(source.rows))))

    return text_task(request, cached(request, [path], VERSION, build), classes=len(source.classes))


@register("CoLA", domain="text")
def cola(request: Request) -> Task:
    """Is a sentence acceptable English (1) or not (0)? The files are `CoLA/raw/*.tsv`.

    The publisher's in-domain train part is the train part and the out-of-domain dev part the test part, as in the
    paper. The in-domain dev part is the validation part under the protocol `fair` and unused under `published`.

    Raises `InputError` if a file is missing or damaged.
    """

    def download(path: Path) -> None:
        fetch_archive(COLA_ADDRESS, request.data_dir / "CoLA", "cola_public", COLA_CHECKSUM, COLA_CONTENT)

    hint = f"unpack {COLA_ADDRESS} and put its files in 'raw' there"
    paths = {part: require(request, source.path, download=download, hint=hint) for part, source in COLA.items()}

    def build() -> dict[str, Tensor]:
        parts = {part: read(request, paths[part], COLA[part]) for part in PARTS}
        return encode(parts if request.protocol == "fair" else parts | {"valid": ([], [])})

    return text_task(request, cached(request, paths.values(), VERSION, build), classes=2)
