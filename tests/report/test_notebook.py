import pandas
import pytest
import torch

from kanbefair import sweep, training
from kanbefair.errors import InputError
from kanbefair.models import compiled
from kanbefair.provenance import RESULTS_VERSION, mkl_setting, processor
from kanbefair.report import begin, computed, plan, tables
from kanbefair.report.columns import Column
from kanbefair.report.shared_columns import RUNS
from kanbefair.specs import grid
from kanbefair.studies.domains import figures
from kanbefair.training import ContinualSpec

COMMON = {"profile": "smoke", "data_dir": "", "device": "cpu", "workers": 1, "out": ""}


def given(tmp_path, *more_cells, **changes):
    """What a notebook's `globals()` hold when it calls `begin`: cells of parameters, then `more_cells`, were run before."""
    values = COMMON | {"out": str(tmp_path)} | changes
    own = "\n".join(f"{name}: {type(value).__name__} = {value!r}  # a parameter" for name, value in COMMON.items())
    injected = "\n".join(["# Parameters", *(f"{name} = {value!r}" for name, value in values.items())])
    cells = ["", own, injected, *more_cells, "section = begin(globals())"]
    around = {"__name__": "__main__", "_": "x", "_i1": "y", "In": cells, "Out": {}, "pandas": pandas, "begin": begin}
    return around | values


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
        ({"profile": 3}, "notebook parameter 'profile' is 3; it must be a text"),
        ({"data_dir": None}, "notebook parameter 'data_dir' is None; it must be a text"),
        ({"out": ["a"]}, r"notebook parameter 'out' is \['a'\]; it must be a text"),
        ({"workers": "2"}, "notebook parameter 'workers' is '2'; it must be a whole number of at least 0"),
        ({"workers": 2.0}, "notebook parameter 'workers' is 2.0; it must be a whole number of at least 0"),
        ({"workers": None}, "notebook parameter 'workers' is None; it must be a whole number of at least 0"),
        ({"workers": True}, "notebook parameter 'workers' is True; it must be a whole number of at least 0"),
        ({"workers": -2}, "notebook parameter 'workers' is -2; it must be a whole number of at least 0"),
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


OWN = {"rows": "", "sample": 200, "share": 0.5, "whole": True, "datasets": []}


def test_a_notebook_can_have_parameters_of_its_own(tmp_path):
    begin(given(tmp_path, **OWN), extra=OWN)
    begin(given(tmp_path, **OWN | {"datasets": "Digits, Rice", "sample": 3, "share": 1}), extra=OWN)
    with pytest.raises(InputError, match="unknown notebook parameter 'row'; known: .*, rows"):
        begin(given(tmp_path, row=200), extra=OWN)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rows": 5}, "notebook parameter 'rows' is 5; it must be a text"),
        ({"sample": "5"}, "notebook parameter 'sample' is '5'; it must be a whole number"),
        ({"sample": -1}, "notebook parameter 'sample' is -1; it must be a whole number of at least 0"),
        ({"share": "0.5"}, "notebook parameter 'share' is '0.5'; it must be a finite number"),
        ({"whole": "yes"}, "notebook parameter 'whole' is 'yes'; it must be True or False"),
        ({"datasets": None}, "notebook parameter 'datasets' is None; it must be names, in a list or in a text"),
        ({"datasets": 5}, "notebook parameter 'datasets' is 5; it must be names"),
        ({"datasets": ["Rice", 5]}, r"notebook parameter 'datasets' is \['Rice', 5\]; it must be names"),
        ({"datasets": "Rice Wine,Rice"}, "notebook parameter 'datasets' holds 'Rice' twice; name it once"),
    ],
)
def test_parameters_of_a_notebooks_own_are_checked_for_type(tmp_path, change, words):
    with pytest.raises(InputError, match=words):
        begin(given(tmp_path / "new", **OWN | change), extra=OWN)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("missing", ["profile", "workers", "rows"])
def test_a_parameter_that_is_missing_is_named(tmp_path, missing):
    variables = given(tmp_path, **OWN)
    del variables[missing]
    with pytest.raises(InputError, match=f"notebook parameter '{missing}' is missing; run the cell of parameters first"):
        begin(variables, extra=OWN)


def test_begin_can_be_called_again_when_later_cells_have_run(tmp_path):
    later = given(tmp_path, "best = 3\nnames = ['a']", "%matplotlib inline") | {"best": 3, "names": ["a"], "section": None}
    assert begin(later).profile == "smoke"


def test_a_cell_of_parameters_counts_as_it_was_last_run(tmp_path):
    wrong, right = "profle: str = 'smoke'\nprofile: str = 'smoke'", "profile: str = 'smoke'"
    assert begin(given(tmp_path, wrong, "section = begin(globals())", right)).profile == "smoke"
    with pytest.raises(InputError, match="unknown notebook parameter 'profle'"):
        begin(given(tmp_path, right, "section = begin(globals())", wrong))


def test_without_cells_all_plain_variables_are_parameters(tmp_path):
    variables = given(tmp_path)
    del variables["In"]
    assert begin(variables).profile == "smoke"
    with pytest.raises(InputError, match="unknown notebook parameter 'profle'"):
        begin(variables | {"profle": "smoke"})
    assert begin(variables | {"section": begin(variables), "best": 3}).profile == "smoke"


@pytest.mark.parametrize("change", [{"datasets": "Rice"}, {"sample": 10}])
def test_other_tables_do_not_go_to_the_committed_folders(tmp_path, monkeypatch, change):
    monkeypatch.setattr(tables, "PROJECT", tmp_path)
    for out in ("", str(tmp_path), f"{tmp_path}/results/.."):
        variables = given(tmp_path, **OWN | {"profile": "embedded", "out": out})
        assert begin(variables, extra=OWN).outputs.committed
        with pytest.raises(InputError, match=f"with '{next(iter(change))}' as given .*; name another folder with out"):
            begin(variables | change, extra=OWN)
        assert begin(variables | change | {"profile": "smoke"}, extra=OWN).profile == "smoke"
    assert begin(given(tmp_path / "new", **OWN | {"profile": "embedded"} | change), extra=OWN).profile == "embedded"


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
    capability, mkl = torch.backends.cpu.get_cpu_capability(), mkl_setting()
    assert said[0] == said[1] == [RESULTS_VERSION, processor(), capability, mkl, compiled.form(torch.device("cpu")), 1]


HAPPENED = ["done", "at chance", "diverged", "failed"]


def swept(monkeypatch, happened, **columns):
    """A sweep's table of runs whose outcomes are these takes the place of `sweep.run`; failed ones have no figures."""

    def run(specs, **options):
        table = real(specs, **options | {"progress": False}).assign(outcome=happened, message=None, **columns)
        failed = table["outcome"] == "failed"
        table.loc[failed, "message"] = "no room"
        table.loc[failed, [name for name in table if "_metric_" in name or name in computed.NAMES]] = None
        if failed.any():
            raise sweep.RunsFailed(table)
        return table

    real = sweep.run
    monkeypatch.setattr(sweep, "run", run)
    return grid(dataset="Special_jv", model="MLP", widths=(2,), epochs=1, seed=list(range(len(happened))))


def test_below_the_number_of_runs_stands_what_happened_to_them(tmp_path, monkeypatch, capsys):
    table = begin(given(tmp_path)).train("runs", swept(monkeypatch, HAPPENED))
    said = "1 of 4 runs diverged (MLP 1); 1 is at chance (MLP 1); 1 failed (MLP 1: no room)"
    count, happened = capsys.readouterr().out.splitlines()
    assert "'runs: 3 of 4 runs trained now'" in count and tables.HAPPENED in happened and f"'{said}'" in happened
    assert table["outcome"].tolist() == HAPPENED and table["test_metric_last"].isna().tolist() == [False] * 3 + [True]


def test_where_all_are_done_nothing_more_is_said(tmp_path, monkeypatch, capsys):
    begin(given(tmp_path)).train("runs", swept(monkeypatch, ["done"]))
    assert "'runs: 1 of 1 runs trained now'" in capsys.readouterr().out


def test_where_all_runs_failed_there_is_no_table(tmp_path, monkeypatch):
    with pytest.raises(sweep.RunsFailed, match="2 of 2 runs failed.*no room"):
        begin(given(tmp_path)).train("runs", swept(monkeypatch, ["failed", "failed"]))
    assert not list(tmp_path.rglob("*.csv"))


def test_runs_that_were_computed_in_several_ways_are_told_of_once(tmp_path, monkeypatch, capsys):
    begun = begin(given(tmp_path))
    with monkeypatch.context() as first:
        begun.train("runs", swept(first, ["done", "failed"], processor=["A", "B"]))
    assert "several ways" not in capsys.readouterr().out
    begun.train("runs", swept(monkeypatch, ["done", "done"], processor=["A", "B"]))
    assert "these runs were computed in several ways: processor A | B" in capsys.readouterr().out
    begun.read("runs")
    assert "several ways" not in capsys.readouterr().out
    again = begin(given(tmp_path))
    again.find("runs")
    assert "these runs were computed in several ways: processor A | B" in capsys.readouterr().out


def test_columns_that_are_not_declared_are_refused(tmp_path):
    begun = begin(given(tmp_path))
    table = pandas.DataFrame({"model": ["KAN"], "score": [1.0]})
    with pytest.raises(InputError, match="table 'scores' is not declared"):
        begun.write("scores", table)
    with pytest.raises(InputError, match="table 'scores' has a column 'score' that is not declared"):
        begun.write("scores", table, [Column("model", "its name")])
    with pytest.raises(InputError, match="table 'verdict' has a column 'model' that is not declared; declare it in .*domains"):
        begun.write("verdict", table)


STREAM = {"dataset": "Peaks_1d", "stream": "peaks", "model": "KAN", "widths": ()}


@pytest.mark.parametrize("name", ["own_table", "tabular_runs"])
def test_a_table_that_has_no_columns_for_the_runs_is_refused_before_training(tmp_path, monkeypatch, name):
    monkeypatch.setattr(training, "train", None)
    with pytest.raises(InputError, match=f"table '{name}' has a column 'stream' .*that is not declared"):
        begin(given(tmp_path)).train(name, [ContinualSpec(**STREAM)])
    assert list(tmp_path.rglob("*.json")) == []


def test_what_is_no_list_of_runs_is_refused(tmp_path):
    (run,) = grid(dataset="Special_jv", model="MLP", widths=(2,))
    for wrong in ([], run, None):
        for call in (plan, lambda specs: begin(given(tmp_path)).train("runs", specs)):
            with pytest.raises(InputError, match="it must be a list of at least one RunSpec"):
                call(wrong)


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
