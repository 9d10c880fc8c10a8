"""The command: which parts there are, and what it says before it trains."""

import pandas
import pytest

from kanbefair.studies.fairness import datasets, design, run, space
from kanbefair.studies.fairness.datasets import DATASETS


@pytest.fixture
def small(monkeypatch):
    """Six tries and two seeds in short runs."""
    monkeypatch.setattr(space, "SHAPES", 2)
    monkeypatch.setattr(design, "SEEDS", range(101, 103))
    monkeypatch.setattr(datasets, "EPOCHS", (10, 10))


def test_every_part_names_datasets():
    for part in run.PARTS.values():
        assert any(entry.domain == part.domain for entry in DATASETS.values())
    assert {part.domain for part in run.PARTS.values()} == set(datasets.DOMAINS)


def test_the_command_says_what_it_will_cost_and_what_is_not_here(small, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(run.cost, "estimate", lambda specs, **how: pandas.DataFrame({"hours": [len(specs) / 72]}))
    status = run.main(
        ["tabular regression", "--datasets", "Diabetes Yacht", "--data-dir", str(tmp_path), "--out", str(tmp_path)]
    )
    said = capsys.readouterr().out
    assert status == 0
    assert "not here, left out: Yacht" in said
    assert "1 datasets, 72 tries, 72 frozen runs; what is left takes about 2.00 hours" in said
    assert "Diabetes: done" in said
    assert run.main(["tables"]) == 2


def test_labels_and_claims_are_written_from_what_is_there(tmp_path, capsys):
    assert run.main(["labels", "--out", str(tmp_path)]) == 0
    for name in ("claims", "fairness_sensitivity_labels"):
        table = pandas.read_csv(tmp_path / "results" / "extended" / f"{name}.csv")
        assert len(table) and set(table["label"]) == {"not run yet"}


def test_functions_train_together_and_others_alone():
    entries = [DATASETS[name] for name in ("Special_yv", "Wine", "Special_lpmv0", "Rice")]
    assert [[entry.name for entry in own] for own in run.groups(entries)] == [
        ["Special_yv", "Special_lpmv0"],
        ["Wine"],
        ["Rice"],
    ]
    assert {name for name in run.ALL if name.startswith("sensitivity:")} == {f"sensitivity:{name}" for name in run.TO_RUN}
