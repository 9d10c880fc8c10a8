import shutil

import pandas
import pytest

from kanbefair import training
from kanbefair.errors import InputError
from kanbefair.studies.released import reruns
from kanbefair.studies.released import rows as released_rows

NAMES = ["Special_ellipkinc", "Special_sphharm01"]


def rows_of(retrained, path, change=lambda row: row):
    """The rows as released ones."""
    lines = retrained.rename(columns={"train_metric_last": "train_metric", "test_metric_last": "test_metric"})
    pandas.DataFrame([change(row) for row in lines.to_dict("records")]).to_csv(path, index=False)
    return str(path)


def test_runs_are_trained_once_and_compared_with_released_rows(small, tmp_path, monkeypatch):
    reruns.run(workers=1, out=tmp_path)
    monkeypatch.setattr(reruns, "FOLDER", tmp_path)
    retrained = reruns.read("reruns")
    assert list(retrained.columns) == reruns.COLUMNS
    assert set(zip(retrained["dataset"], retrained["model"], strict=True)) == {(n, m) for n in NAMES for m in ("KAN", "MLP")}
    assert (retrained["run_seconds"] > 0).all()
    assert reruns.read("agreement") is None

    def change(row):
        return row | {"test_metric": row["test_metric"] * (1.01 if row["model"] == "MLP" else 1)}

    shutil.rmtree(tmp_path / "runs")  # the rows alone say what has been trained
    monkeypatch.setattr(training, "train", None)
    reruns.run(rows=rows_of(retrained, tmp_path / "released.csv", change), workers=1, out=tmp_path)
    agreement = reruns.read("agreement").set_index("model")
    assert agreement["rows"].to_dict() == {"MLP": 2, "KAN": 2}
    assert agreement["within 0.2 %"].to_dict() == {"MLP": 0, "KAN": 100}
    assert agreement.loc["MLP", "within 5 %"] == 100
    assert reruns.read("exceptions")["ratio"].tolist() == pytest.approx([1 / 1.01] * 2)
    assert reruns.read("differences")["pair"].unique().tolist() == ["ours / released"]
    assert set(reruns.read("agreement_by_dataset")["domain"]) == set(NAMES)


def test_an_interrupted_sweep_leaves_its_finished_rows_and_goes_on(small, tmp_path, monkeypatch):
    whole = training.train
    calls = []

    def once(*given, **options):
        if calls:
            raise KeyboardInterrupt
        calls.append(1)
        return whole(*given, **options)

    monkeypatch.setattr(training, "train", once)
    with pytest.raises(KeyboardInterrupt):
        reruns.run(workers=1, out=tmp_path)
    first = pandas.read_csv(tmp_path / "reruns.csv.gz")
    assert len(first) == 2
    monkeypatch.setattr(training, "train", whole)
    reruns.run(workers=1, out=tmp_path)
    second = pandas.read_csv(tmp_path / "reruns.csv.gz")
    assert len(second) == 4
    pandas.testing.assert_frame_equal(second.merge(first[["dataset", "model"]])[reruns.COLUMNS], first, check_dtype=False)


def test_released_rows_beside_the_grid_are_trained_too(small, tmp_path):
    reruns.run(workers=1, out=tmp_path)
    retrained = pandas.read_csv(tmp_path / "reruns.csv.gz")
    path = rows_of(retrained.head(1), tmp_path / "released.csv", lambda row: row | {"epochs": 1})
    wanted = reruns.specs("symbolic", NAMES, reruns.normalised(released_rows.released(path)))
    assert sorted(spec.epochs for spec in wanted) == [1, 2, 2, 2, 2]


def test_a_kans_seed_counts_for_symbolic_functions_alone(tmp_path):
    line = "{},KAN,2,,128,10,0.001,521,5,3,silu,-1.0_1.0,90.0,90.0,193,3000\n"
    path = tmp_path / "rows.csv"
    path.write_text(
        "dataset,model,widths,activation,batch_size,epochs,lr,seed,grid,order,shortcut,grid_range,train_metric,test_metric,"
        "parameters,flops\n" + line.format("Rice") + line.format("Special_jv")
    )
    rows = reruns.normalised(released_rows.released(path))
    assert rows["seed"].tolist() == [1314, 521]
    assert [released_rows.spec(row).key for row in rows.to_dict("records")] == rows["key"].tolist()


def test_bad_input_ends_in_one_line(capsys, tmp_path):
    assert reruns.main(["--data-dir", str(tmp_path / "nowhere")]) == 2
    assert reruns.main(["--rows", str(tmp_path / "none.csv")]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2 and all(line.startswith("error: ") for line in errors)


def test_the_committed_rows_are_whole():
    retrained = reruns.read("reruns")
    assert len(retrained) == len(retrained.drop(columns="run_seconds").drop_duplicates())
    finite = retrained[retrained["diverged"].isna()]
    assert finite[["train_metric_last", "test_metric_last", "test_metric_best"]].notna().all(axis=None)
    for row in retrained.sample(50, random_state=0).to_dict("records"):
        assert released_rows.spec(row).protocol == "published"


def test_unknown_folders_are_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        reruns.run(out=tmp_path / "file")
