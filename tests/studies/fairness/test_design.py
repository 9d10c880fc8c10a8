from collections import Counter

import pytest

from kanbefair import data
from kanbefair.data import load
from kanbefair.studies.fairness import design, sizes, space
from kanbefair.studies.fairness.datasets import CONFIRMATORY, DATASETS, DOMAINS, schedule
from kanbefair.training import RightRowsSpec

EMBEDDED = ["WineRecognition", "Diabetes", "Docstrings", "Special_lpmv0", "Feynman_I.15.3x", "MNIST1D"]


@pytest.fixture(scope="module")
def tasks():
    return {name: load(name) for name in EMBEDDED}


def test_every_dataset_is_registered_and_of_the_domain_it_speaks_for():
    words = {"tabular classification": "tabular", "tabular regression": "tabular"}
    for name, entry in DATASETS.items():
        assert data.dataset(name).domain == words.get(entry.domain, entry.domain)


def test_confirmatory_domains_have_five_sources_and_others_have_fewer():
    sources = {domain: {e.source for e in DATASETS.values() if e.domain == domain} for domain in DOMAINS}
    assert {domain for domain, own in sources.items() if len(own) >= 5} == set(CONFIRMATORY)
    assert {domain: len(own) for domain, own in sources.items()} == {
        "symbolic": 45,
        "tabular classification": 22,
        "tabular regression": 10,
        "text": 8,
        "vision": 4,
        "audio": 3,
    }


@pytest.mark.parametrize("name", EMBEDDED)
@pytest.mark.parametrize("family", [*design.PAIR, *design.SPLINES])
def test_every_cell_has_24_blind_tries_within_five_per_cent(tasks, name, family):
    for cell in design.cells(DATASETS[name], tasks[name], [family], ["values"]):
        tries = cell.tries
        assert len({own.spec.key for own in tries}) == space.TRIES == 24
        assert all(own.spec.blind and own.spec.seed == design.TRY_SEED for own in tries)
        assert all(own.size == pytest.approx(cell.budget, rel=sizes.TOLERANCE) for own in tries)
        rates = Counter(int(-4 <= _log(own.spec.lr) < -3) + 2 * int(_log(own.spec.lr) >= -2) for own in tries)
        assert set(rates.values()) == {8}
        assert len({own.spec.stack_key() for own in tries}) <= 8, "the three rates of a shape train as one stack"


@pytest.mark.parametrize("family", ["RBF_KAN", "Chebyshev_KAN", "Rational_KAN"])
def test_a_further_family_has_24_tries_of_the_same_size(tasks, family):
    for cell in design.cells(DATASETS["WineRecognition"], tasks["WineRecognition"], [family], ["values"]):
        assert len({own.spec.key for own in cell.tries}) == space.TRIES
        assert all(own.size == pytest.approx(cell.budget, rel=sizes.TOLERANCE) for own in cell.tries)


def _log(rate):
    import math

    return math.log10(rate) + 1e-9


def test_functions_of_equally_many_variables_share_shapes(tasks):
    one, other = (
        design.Cell(DATASETS[name], load(name), "KAN", "values", 2).tries for name in ("Feynman_I.15.3x", "Feynman_I.18.4")
    )
    assert [own.spec.stack_key() for own in one] == [own.spec.stack_key() for own in other]


def test_a_texts_embedding_is_the_same_for_all_families_at_a_level(tasks):
    for level, width in enumerate(sizes.EMBEDDINGS, start=1):
        widths = {
            own.spec.embedding
            for family in design.PAIR
            for own in design.Cell(DATASETS["Docstrings"], tasks["Docstrings"], family, "values", level).tries
        }
        assert widths == {width}


@pytest.mark.parametrize("name", ["WineRecognition", "Diabetes", "MNIST1D"])
def test_frozen_runs_have_new_seeds_and_every_division_and_see_the_test_part(tasks, name):
    entry, task = DATASETS[name], tasks[name]
    own = design.Cell(entry, task, "KAN", "values", 1).tries[5]
    found = design.frozen(own.spec, entry, task)
    divisions = 3 if entry.domain.startswith("tabular") else 1
    assert Counter(spec.division or 0 for spec in found) == dict.fromkeys(range(divisions), 10)
    assert {spec.seed for spec in found} == set(range(101, 111))
    assert not any(spec.blind for spec in found)
    assert all(isinstance(spec, RightRowsSpec) == (task.metric == "accuracy") for spec in found)
    same = (
        "widths",
        "lr",
        "grid",
        "order",
        "shortcut",
        "start",
        "weight_decay",
        "schedule",
        "epochs",
        "batch_size",
        "selection",
    )
    assert all(getattr(spec, field) == getattr(own.spec, field) for spec in found for field in same)


def test_epochs_double(tasks):
    once, twice = (schedule(DATASETS["Diabetes"], tasks["Diabetes"], doubled) for doubled in (0, 1))
    assert twice == once | {"epochs": 2 * once["epochs"]}
    assert once["epochs"] % 10 == 0
