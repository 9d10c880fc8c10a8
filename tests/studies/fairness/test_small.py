from itertools import product

import pandas

from kanbefair.data import load
from kanbefair.report.notebook import begin
from kanbefair.studies.fairness import design, findings, small
from kanbefair.studies.fairness.datasets import DATASETS


def notebook(folder):
    return begin({"profile": "smoke", "data_dir": "", "device": "cpu", "workers": 1, "out": str(folder)})


def test_the_tries_are_the_first_of_the_large_studys():
    (kan, mlp) = small.cells("smoke", "")
    large = design.Cell(DATASETS["WineRecognition"], load("WineRecognition"), "KAN", "values", 1)
    assert [own.spec.key for own in kan.tries] == [own.spec.key for own in large.tries[:3]]
    assert len(small.tries([kan, mlp])) == 6


def test_every_profile_has_cells_of_both_families():
    cells = small.cells("embedded", "")
    assert [(cell.entry.name, cell.family) for cell in cells] == list(product(small.NAMES, ("KAN", "MLP")))
    assert {cell.level for cell in cells} == {1}
    assert {len(cell.tries) for cell in cells} == {6}


def test_a_small_study_goes_from_tries_to_labels(tmp_path, monkeypatch):
    monkeypatch.setattr(design, "SEEDS", range(101, 103))
    section = notebook(tmp_path)
    cells = small.cells("smoke", "")
    judge = small.judge(section)
    tries = judge.tries(cells)
    specs = small.frozen(cells, tries)
    assert {spec.seed for spec in specs} == {101, 102} and len(specs) == 4 and not any(spec.blind for spec in specs)
    own = small.study(judge, cells, tries)
    assert set(own.final["key"]) == {spec.key for spec in specs}
    (row,) = section.write("fairness_small", findings.by_dataset(own)).to_dict("records")
    assert row["dataset"] == "WineRecognition" and row["variance_rows"] > 0
    assert small.again(own, own) == (
        "Of 6 tries 6 are in the large study's tables, 6 with the same score; "
        "of 4 frozen runs 4 are in the large study's tables, 4 with the same score."
    )
    other = findings.Study(own.tries.assign(valid=1.1 * own.tries["valid"]), own.final[:0], own.datasets, pandas.DataFrame())
    assert small.again(own, other).startswith(
        "Of 6 tries 6 are in the large study's tables, 0 with the same score, the others are off by at most 9.1 %; none of 4"
    )
