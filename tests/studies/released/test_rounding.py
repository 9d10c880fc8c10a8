import pandas
import pytest

from kanbefair import sweep
from kanbefair.errors import InputError
from kanbefair.specs import grid
from kanbefair.studies.released import reruns, rounding


@pytest.fixture
def retrained(tmp_path):
    """Two runs on tables that stand for the authors', their rows in `tmp_path`, and the released rows in a file."""
    runs = grid(dataset="Digits", model="MLP", activation=["relu", "gelu"], widths=(3,), epochs=1, protocol="published")
    table = sweep.run(runs, runs=tmp_path / "first", workers=1)
    table = table.assign(run_seconds=1.0).reindex(columns=reruns.COLUMNS)
    reruns.write(table, tmp_path / "reruns.csv.gz")
    released = table.rename(columns={"test_metric_last": "test_metric", "train_metric_last": "train_metric"})
    released.assign(test_metric=released["test_metric"] + [0.0, 1.0]).to_csv(tmp_path / "released.csv", index=False)
    return tmp_path


def test_rows_are_trained_again_and_compared(retrained, monkeypatch):
    monkeypatch.setenv(rounding.VARIABLE, rounding.VALUE)
    rounding.run(rows=str(retrained / "released.csv"), workers=1, out=retrained)
    table = pandas.read_csv(retrained / "rounding.csv")
    assert table["ours"].tolist() == table["other"].tolist(), "the variable was set too late to change anything"
    assert (table["released"] - table["ours"]).round(6).tolist() == [0, 1]
    same = rounding.agreement(table).set_index("activation")
    assert same.loc["relu", list(rounding.PAIRS)].tolist() == [1, 1, 1]
    assert same.loc["gelu", list(rounding.PAIRS)].tolist() == [0, 0, 1]


def test_without_the_variable_nothing_is_trained(retrained, monkeypatch, capsys):
    monkeypatch.delenv(rounding.VARIABLE, raising=False)
    with pytest.raises(InputError, match="set MKL_CBWR=COMPATIBLE before Python starts"):
        rounding.run(rows=str(retrained / "released.csv"), out=retrained)
    assert rounding.main(["--rows", str(retrained / "released.csv")]) == 2
    assert "MKL_CBWR" in capsys.readouterr().err


def test_without_mkl_nothing_is_trained(retrained, monkeypatch):
    monkeypatch.setattr(rounding.torch.backends.mkl, "is_available", lambda: False)
    with pytest.raises(InputError, match="does not multiply with MKL"):
        rounding.run(rows=str(retrained / "released.csv"), out=retrained)


def test_the_table_is_of_the_rows_that_are_kept():
    table, retrained = reruns.read("rounding"), reruns.read("reruns")
    found = retrained.astype({"widths": str}).groupby(rounding.SETTINGS)["test_metric_last"].agg(list)
    assert len(table) > 150
    for row in table.astype({"widths": str}).to_dict("records"):
        assert row["ours"] in found[tuple(row[name] for name in rounding.SETTINGS)]
