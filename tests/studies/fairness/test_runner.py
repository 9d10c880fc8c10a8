"""The whole pipeline on small datasets: tried blind, chosen, frozen, judged; and done by the committed tables."""

import json
from datetime import datetime
from functools import partial

import numpy
import pandas
import pytest

from kanbefair import sweep
from kanbefair.data import load
from kanbefair.studies.fairness import choice, datasets, design, runner, space
from kanbefair.studies.fairness.committed import Tables
from kanbefair.studies.fairness.datasets import Entry
from kanbefair.studies.fairness.runner import Part, Runner

CLASSES = Entry("WineRecognition", datasets.TABLES, "WineRecognition", divisions=2)
NUMBERS = Entry("Diabetes", datasets.NUMBERS, "Diabetes")
PART = Part("small", "any", design.PAIR, ("values", "flops"))


@pytest.fixture
def small(monkeypatch):
    """Six tries and two seeds in short runs."""
    monkeypatch.setattr(space, "SHAPES", 2)
    monkeypatch.setattr(design, "SEEDS", range(101, 103))
    monkeypatch.setattr(datasets, "EPOCHS", (10, 10))


def runner_in(folder):
    return Runner("", folder / "results" / "extended", folder / "results" / "runs", 1)


def records(folder):
    return [json.loads(path.read_text())["run"] for path in (folder / "results" / "runs").glob("??/*.json")]


def no_training(*specs, **options):
    raise AssertionError("something is trained")


def test_the_test_part_is_read_only_when_all_choices_are_frozen(small, tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "_about", lambda *about: {})
    own = runner_in(tmp_path)
    monkeypatch.setattr(Tables, "put", lambda *tables: None)
    own.group([CLASSES, NUMBERS], PART)
    found = records(tmp_path)
    tries, frozen = ([row for row in found if bool(row.get("blind")) is blind] for blind in (True, False))
    assert len(tries) > 40 and len(frozen) > 30
    assert not any(name for row in tries for name in row if name.startswith("test_"))
    assert all(any(name.startswith("test_") for name in row) for row in frozen)
    assert {row["seed"] for row in tries}.isdisjoint(row["seed"] for row in frozen)
    moments = [[datetime.fromisoformat(row["finished"]) for row in rows] for rows in (tries, frozen)]
    assert max(moments[0]) <= min(moments[1]), "choices are frozen before any test row is read"


def test_tables_hold_equal_tries_within_five_per_cent_and_new_seeds(small, tmp_path):
    own = runner_in(tmp_path)
    own.group([CLASSES], PART)
    tries, final, about, pairs = (own.tables.read(f"fairness_{name}") for name in ("tries", "final", "datasets", "pairs"))
    cells = tries.groupby(choice.CELL)
    assert len(cells) == 2 * 3 * 2 and (cells.size() == 6).all() and (cells["chosen"].sum() == 1).all()
    assert (abs(tries["size"] / tries["target"] - 1) <= 0.05).all()
    assert (final.groupby(choice.CELL).size() == 2 * 2).all()
    assert set(final["seed"]) == {101, 102} and set(final["division"]) == {0, 1}
    chosen = tries[tries["chosen"]].set_index(choice.CELL)["trial"].sort_index()
    assert final.groupby(choice.CELL)["trial"].first().equals(chosen)
    assert about["dataset"].tolist() == ["WineRecognition"] and about["test_rows"].item() == 36
    assert len(pairs) == 6 and (pairs["first"] == "KAN").all() and (pairs["row_variance"] > 0).all()


def test_scores_are_those_of_the_records(small, tmp_path):
    own = runner_in(tmp_path)
    own.group([CLASSES], PART)
    final = own.tables.read("fairness_final").drop_duplicates("key").set_index("key")
    frozen = {row["key"]: row for row in records(tmp_path) if not row.get("blind")}
    done = final[final["outcome"] == "done"]
    assert len(done)
    for key, row in done.iterrows():
        assert row["score"] == pytest.approx(frozen[key]["test_metric_selected"], rel=1e-5)
        assert row["score_last"] == pytest.approx(frozen[key]["test_metric_last"], rel=1e-5)
    constant = choice.constant(load("WineRecognition"))
    assert final.loc[final["outcome"] == "at chance", "score"].to_numpy() == pytest.approx(constant, rel=1e-5)


def test_rows_of_the_tables_count_as_done(small, tmp_path, monkeypatch):
    own = runner_in(tmp_path)
    own.group([CLASSES], PART)
    before = {name: own.tables.read(f"fairness_{name}") for name in ("tries", "final", "pairs")}
    elsewhere = Runner("", tmp_path / "results" / "extended", tmp_path / "other", 1)
    monkeypatch.setattr(sweep, "run", no_training)
    elsewhere.group([CLASSES], PART)
    for name, table in before.items():
        pandas.testing.assert_frame_equal(elsewhere.tables.read(f"fairness_{name}"), table)


def test_rows_of_another_results_version_are_trained_again(small, tmp_path, monkeypatch):
    own = runner_in(tmp_path)
    own.group([CLASSES], PART)
    path = own.tables.path("fairness_final")
    own.tables.read("fairness_final").assign(results_version=0).to_csv(path, index=False)
    asked = []
    monkeypatch.setattr(Runner, "rows", lambda self, specs, label: asked.append((label, len(specs))) or 1 / 0)
    elsewhere = Runner("", tmp_path / "results" / "extended", tmp_path / "other", 1)
    monkeypatch.setattr(Runner, "rows", partial(_asked, asked))
    with pytest.raises(ZeroDivisionError):
        elsewhere.group([CLASSES], PART)
    assert [label for label, count in asked if count] == ["frozen"]


def _asked(asked, specs, label):
    asked.append((label, len(specs)))
    return {} if not specs else 1 / 0


def test_epochs_double_while_too_many_gain_late_and_at_most_twice(small, tmp_path, monkeypatch):
    monkeypatch.setattr(choice, "gains_late", lambda *curve: True)
    own = runner_in(tmp_path)
    own.group([CLASSES], PART)
    about = own.tables.read("fairness_datasets")
    assert about["doubled"].item() == 2 and about["epochs"].item() == 40 and about["late"].item() == 100
    assert set(own.tables.read("fairness_tries")["epochs"]) == {40}
    assert own.tables.doubled("WineRecognition") == 2


def test_row_variance_is_that_of_the_mean_difference():
    generator = numpy.random.default_rng(0)
    rows = {key: generator.random(500) < 0.8 for key in "abcd"}
    final = pandas.DataFrame({"dataset": "d", "budget_kind": "values", "level": 1, "family": list("xxyy"), "key": list("abcd")})
    (found,) = runner.pairs(final, rows).to_dict("records")
    difference = 100 * ((rows["a"] * 1.0 + rows["b"]) / 2 - (rows["c"] * 1.0 + rows["d"]) / 2)
    assert found["row_variance"] == pytest.approx(difference.std(ddof=1) ** 2 / 500)
    assert runner.pairs(final, {"a": rows["a"]}).empty
