"""What the study runs on: every dataset with the domain it speaks for, its source, and how it is trained on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas

from kanbefair.data import Task
from kanbefair.data.formulas import FAMILIES

TABLES = "tabular classification"
NUMBERS = "tabular regression"
DOMAINS = ("symbolic", TABLES, NUMBERS, "text", "vision", "audio")
CONFIRMATORY = ("symbolic", TABLES, NUMBERS, "text")
"""The domains with at least five sources, which are spoken of as such; of the others each dataset is."""

STEPS = {"symbolic": 2_500, TABLES: 1_500, NUMBERS: 1_500, "text": 1_500, "vision": 4_000, "audio": 1_500}
"""About so many training steps a run makes, before epochs double."""
EPOCHS = (10, 300)
"""The fewest and the most epochs before they double."""
FEW_ROWS = 2_000
BATCH_SIZES = (32, 128)
"""Rows of a batch where there are fewer than `FEW_ROWS` training rows, and where there are more. Formulas have the latter."""
ENDS = {"symbolic": 1.0, TABLES: 3.0, NUMBERS: 3.0, "text": 1.0, "vision": 3.0, "audio": 3.0}
"""Grids reach from minus this to this: what comes in is scaled to ±1 (formulas), a mean (texts), or standardised."""


@dataclass(frozen=True)
class Entry:
    """A dataset of the study.

    Args:
        name: under which it is registered.
        domain: the domain it speaks for, one of `DOMAINS`.
        source: datasets of one source share rows, recordings or a formula, and count once.
        divisions: how many divisions into training and validation rows the frozen runs have.
        third: whether it is one of the third on which all is run that is not run everywhere.
    """

    name: str
    domain: str
    source: str
    divisions: int = 1
    third: bool = False


def _entries(domain: str, names: Iterable[str], sources: dict[str, str], divisions: int = 1) -> list[Entry]:
    """Entries of a domain; every third of them is one of the third."""
    return [Entry(name, domain, sources.get(name, name), divisions, third=number % 3 == 0) for number, name in enumerate(names)]


_FORMULAS = [*FAMILIES["paper"], *(name for family, names in FAMILIES.items() if family != "paper" for name in names)]
_PAPERS_TABLES = ["Income", "Spam", "Telescope", "Wine", "Bank", "Card", "Rice", "Bean", "Student", "Titanic"]
_OTHER_TABLES = ["Ionosphere", "Letter", "Splice", "Satellite", "Shuttle", "Vehicle", "Vowel", "Banknote", "Phoneme"]
_NUMBERS = ["Concrete", "Energy", "Kin8nm", "Naval", "Power", "Protein", "WineRed", "Yacht", "AbaloneAge", "Diabetes"]
_TEXTS = ["TREC", "MR", "Subj", "CR", "MPQA", "SST-2", "SST-5", "CoLA", "AG_NEWS_test", "Docstrings"]

SOURCES = {
    **dict.fromkeys(["Special_ellipkinc", "Special_ellipeinc"], "elliptic integrals"),
    **dict.fromkeys(["Special_jv", "Special_yv", "Special_kv", "Special_iv"], "Bessel functions"),
    **dict.fromkeys(["Special_yv_bounded", "Special_kv_bounded"], "Bessel functions"),
    **dict.fromkeys(["Special_lpmv0", "Special_lpmv1", "Special_lpmv2"], "Legendre functions"),
    **dict.fromkeys(["Special_sphharm01", "Special_sphharm02"], "spherical harmonics"),
    **dict.fromkeys(["Feynman_I.6.20a", "Feynman_I.6.20"], "Gaussian"),
    **dict.fromkeys(["MR", "SST-2", "SST-5"], "film reviews"),
    **dict.fromkeys(["FSDD", "FSDDMel"], "FSDD"),
    **dict.fromkeys(["EMODB", "EMODBMel"], "EMODB"),
    **dict.fromkeys(["SpokenDigits", "SpokenDigitsMel"], "spoken words"),
}
"""The source of each dataset that shares it with another one of its domain."""

DATASETS = {
    entry.name: entry
    for entry in (
        *_entries("symbolic", _FORMULAS, SOURCES),
        *_entries(TABLES, [*_PAPERS_TABLES, *_OTHER_TABLES, "Mammography", "WineRecognition", "BreastCancer"], SOURCES, 3),
        *_entries(NUMBERS, _NUMBERS, SOURCES, 3),
        *_entries("text", _TEXTS, SOURCES),
        *_entries("vision", ["FMNIST", "MNIST", "Digits", "MNIST1D"], SOURCES),
        *_entries("audio", ["FSDDMel", "FSDD", "EMODBMel", "EMODB", "SpokenDigitsMel", "SpokenDigits"], SOURCES),
    )
}
"""All datasets by name. WineRed, numbers, is part of Wine, classes: they are of two domains, which are never pooled."""


def names_of(domain: str) -> list[str]:
    """The datasets of a domain."""
    return [name for name, entry in DATASETS.items() if entry.domain == domain]


def whole(final: pandas.DataFrame, families: Sequence[str]) -> pandas.DataFrame:
    """The rows of `final` of domains and kinds of budget in which every dataset of the domain has runs of all families.

    Only these speak as domains: who looks at labels while runs come in, and stops when they please, errs more often than said.
    """
    kept = []
    for (domain, _), own in final.groupby(["domain", "budget_kind"], sort=False):
        there = [set(own.loc[own["family"] == family, "dataset"]) for family in families]
        if set(names_of(domain)) <= set.intersection(*there):
            kept.append(own)
    return pandas.concat(kept) if kept else final[:0]


def schedule(entry: Entry, task: Task, doubled: int = 0) -> dict[str, int]:
    """The epochs, a multiple of ten, and the batch size of every run on a dataset; epochs double `doubled` times."""
    rows = len(task.x_train)
    batch = BATCH_SIZES[rows >= FEW_ROWS or entry.domain == "symbolic"]
    epochs = min(max(STEPS[entry.domain] / -(-rows // batch), EPOCHS[0]), EPOCHS[1])
    return {"epochs": 10 * round(epochs / 10) * 2**doubled, "batch_size": batch}
