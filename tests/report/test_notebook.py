import pandas
import pytest
import torch

from kanbefair import training
from kanbefair.errors import InputError
from kanbefair.models import compiled
from kanbefair.provenance import processor
from kanbefair.report import begin, computed, plan
from kanbefair.report.columns import Column
from kanbefair.report.shared_columns import RUNS
from kanbefair.specs import grid
from kanbefair.studies.domains import figures

COMMON = {"profile": "smoke", "data_dir": "", "device": "cpu", "workers": 1, "out": ""}


def given(tmp_path, **changes):
    """What a notebook's `globals()` hold when it calls `begin`."""
    around = {"__name__": "__main__", "_": "x", "_i1": "y", "In": ["", "profile"], "Out": {}, "pandas": pandas, "begin": begin}
    return around | COMMON | {"out": str(tmp_path)} | changes


def test_begin_reads_the_parameters(tmp_path):
    begun = begin(given(tmp_path, workers=2, data_dir="/data"))
    assert (begun.profile, begun.device, begun.workers, begun.data_dir) == ("smoke", "cpu", 2, "/data")
    assert begun.outputs.results == tmp_path / "results" / "smoke"
    assert begin(given(tmp_path, workers=0)).workers >= 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"profle": "smoke"}, "unknown notebook parameter 'profle'; known: profile, data_dir, device, workers, out"),
        ({"seeds": [1, 2]}, "unknown notebook parameter 'seeds'"),
        ({"profile": "smok"}, "unknown profile 'smok'; did you mean 'smoke'"),
        ({"profile": 3}, "notebook parameter 'profile' is 3; it must be of type str"),
        ({"workers": "two"}, "notebook parameter 'workers' is 'two'; it must be of type int"),
        ({"workers": True}, "notebook parameter 'workers' is True; it must be of type int"),
        ({"workers": -2}, "workers is -2; give 0 for one per core"),
        ({"device": "tpux"}, "unknown device 'tpux'; use cpu or cuda"),
    ],
)
def test_begin_refuses_what_it_cannot_use(tmp_path, change, words):
    with pytest.raises(InputError, match=words):
        begin(given(tmp_path / "new", **change))
    assert not (tmp_path / "new").exists()


def test_begin_refuses_a_folder_that_cannot_be_written(unwritable):
    with pytest.raises(InputError, match="cannot write to folder"):
        begin(given(unwritable))


def test_a_notebook_can_have_parameters_of_its_own(tmp_path):
    begin(given(tmp_path, rows=200), extra=("rows",))
    with pytest.raises(InputError, match="unknown notebook parameter 'row'; known: .*, rows"):
        begin(given(tmp_path, row=200), extra=("rows",))


def test_a_section_trains_writes_reads_and_saves(tmp_path):
    begun = begin(given(tmp_path))
    specs = grid(dataset="Special_jv", model=["KAN", "MLP"], widths=(2,), epochs=1, seed=[1, 2])
    table = begun.train("runs", specs)
    assert table["key"].tolist() == [spec.key for spec in specs]
    pandas.testing.assert_frame_equal(table, begun.read("runs"))
    assert begun.write("best", table[:1], RUNS)["key"].tolist() == [specs[0].key]
    begun.save("figure", figures.budgets(table, kinds=("flops",)))
    made = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.suffix in (".csv", ".png", ".pdf"))
    assert made == ["figures/smoke/figure.pdf", "figures/smoke/figure.png", "results/smoke/best.csv", "results/smoke/runs.csv"]


def test_files_say_how_they_were_computed_and_what_is_returned_does_not(tmp_path):
    begun, how = begin(given(tmp_path)), computed.NAMES
    runs = begun.train("runs", grid(dataset="Special_jv", model="MLP", widths=(2,), epochs=1))
    scores = begun.write("scores", runs[["model"]], [Column("model", "its name")])
    for name, returned in {"runs": runs, "scores": scores}.items():
        for table in (returned, begun.read(name), begun.find(name)):
            assert not set(how) & set(table)
        assert list(begun.outputs.read(name)) == [*returned, *how]
    said = [begun.outputs.read(name)[how].iloc[0].tolist() for name in ("runs", "scores")]
    assert said[0] == said[1] == [processor(), compiled.form(torch.device("cpu")), 1]


def test_columns_that_are_not_declared_are_refused(tmp_path):
    begun = begin(given(tmp_path))
    table = pandas.DataFrame({"model": ["KAN"], "score": [1.0]})
    with pytest.raises(InputError, match="table 'scores' is not declared"):
        begun.write("scores", table)
    with pytest.raises(InputError, match="table 'scores' has a column 'score' that is not declared"):
        begun.write("scores", table, [Column("model", "its name")])
    with pytest.raises(InputError, match="table 'verdict' has a column 'model' that is not declared; declare it in .*domains"):
        begun.write("verdict", table)


def test_a_second_time_trains_nothing_and_writes_the_same_bytes(tmp_path, monkeypatch):
    specs = grid(dataset="Special_jv", model="MLP", widths=(2,), epochs=1)
    begin(given(tmp_path)).train("runs", specs)
    before = (tmp_path / "results" / "smoke" / "runs.csv").read_bytes()
    monkeypatch.setattr(training, "train", None)
    begin(given(tmp_path)).train("runs", specs)
    assert (tmp_path / "results" / "smoke" / "runs.csv").read_bytes() == before


def test_plan_says_what_will_be_run():
    specs = [
        *grid(dataset=["Digits", "Rice"], model="KAN", widths=[(2,), (4,)], seed=[1, 2, 3], epochs=7),
        *grid(dataset="Digits", model="MLP", widths=(8,), lr=[1e-2, 1e-3], seed=[1, 2, 3], epochs=9),
    ]
    assert plan(specs).to_dict("records") == [
        {"dataset": "Digits", "model": "KAN", "runs": 6, "tries": 2, "seeds": 3, "epochs": 7},
        {"dataset": "Rice", "model": "KAN", "runs": 6, "tries": 2, "seeds": 3, "epochs": 7},
        {"dataset": "Digits", "model": "MLP", "runs": 6, "tries": 2, "seeds": 3, "epochs": 9},
    ]


def test_the_cost_is_estimated_only_where_it_is_high(tmp_path):
    specs = grid(dataset="Special_jv", model="MLP", widths=(2,), epochs=1000)
    assert begin(given(tmp_path)).cost(specs) is None
    row = begin(given(tmp_path, profile="paper")).cost(specs).iloc[0]
    assert (row["runs"], row["missing"], row["stacks"]) == (1, 1, 1)
    assert 0 < row["hours"] < 1
    assert list((tmp_path / "results" / "runs").iterdir()) == []
