import numpy
import pandas
import pytest
import torch

from kanbefair.data import load
from kanbefair.errors import InputError
from kanbefair.models.basis import basis, fit_coefficients
from kanbefair.models.kan import fit_as_released
from kanbefair.report import statistics
from kanbefair.studies.released import findings
from kanbefair.studies.released import rows as released_rows
from kanbefair.training import fit

HEADER = (
    "dataset,model,widths,activation,batch_size,epochs,lr,seed,grid,order,shortcut,grid_range,train_metric,test_metric,"
    "parameters,flops\n"
)
MLP = "Rice,MLP,32,relu,128,20,0.001,1314,,,,,93.0,{},322,644\n"
KAN = "Rice,KAN,2,,128,10,0.001,{},5,3,silu,-2.0_2.0,90.0,{},193,3000\n"
RAW_MLP = "2024-06-06 10:24:02,Rice,MLP,32,False,relu,128,20,0.001,1314,3,5,silu,-1.0_1.0,93.0,92.5,322,644,1.0,0.1\n"
RAW_KAN = "2024-06-06 10:24:02,Rice,KAN,2_4,False,gelu,128,10,0.0001,521,10,2,zero,-4.0_4.0,93.0,92.5,322,644,1.0,0.1\n"


def rows(tmp_path, *lines):
    path = tmp_path / "rows.csv"
    path.write_text(HEADER + "".join(lines))
    return released_rows.released(path)


def test_quoted_rows_and_bars_are_there():
    quoted = released_rows.quoted()
    assert set(quoted["model"]) == {"KAN", "MLP"}
    assert quoted["test_metric"].between(0, 1).all()
    assert released_rows.headline().set_index("domain").loc["vision", ["KAN", "MLP"]].tolist() == [77.88, 85.88]


def test_the_authors_own_file_has_no_header(tmp_path):
    path = tmp_path / "results.csv"
    path.write_text(RAW_MLP + RAW_KAN)
    mlp, kan = (released_rows.spec(row) for row in released_rows.released(path).to_dict("records"))
    assert (mlp.model, mlp.widths, mlp.activation, mlp.grid, mlp.protocol) == ("MLP", (32,), "relu", None, "published")
    assert (kan.widths, kan.grid, kan.order, kan.shortcut, kan.grid_range) == ((2, 4), 10, 2, "zero", (-4.0, 4.0))
    assert (kan.lr, kan.seed, kan.epochs, kan.activation) == (1e-4, 521, 10, None)


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "dataset,model\nRice,MLP\n"])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "rows.csv"
    path.write_text(content)
    with pytest.raises(InputError, match="does not hold released rows"):
        released_rows.released(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        released_rows.released(tmp_path / "nowhere.csv")


def test_duplicates_are_equal_rows_and_kan_rows_that_differ_in_the_seed(tmp_path):
    table = rows(tmp_path, MLP.format(92.5), MLP.format(92.5), KAN.format(1314, 90.0), KAN.format(521, 90.4))
    pairs = findings.duplicates(table).sort_values("model")
    assert pairs["model"].tolist() == ["KAN", "MLP"]
    assert pairs["points"].tolist() == pytest.approx([0.4, 0.0])
    shares = findings.agreement(pairs).set_index("model")
    assert shares.loc["KAN", ["exact", "within 0.15 points", "within 0.5 points"]].tolist() == [0, 0, 100]
    assert shares.loc["MLP", "exact"] == 100


def test_agreement_of_errors():
    ratio = [1.0005, 1.0015, 0.96, 1.08, 2.0]
    pairs = pandas.DataFrame({"domain": "symbolic", "model": "KAN", "metric": "mae", "ratio": ratio, "points": numpy.nan})
    row = findings.agreement(pairs).iloc[0]
    assert row[["within 0.1 %", "within 0.2 %", "within 5 %", "within 1.1 times"]].tolist() == [20, 40, 60, 80]


def test_our_runs_are_joined_to_the_rows_by_key(tmp_path):
    table = rows(tmp_path, MLP.format(92.5), KAN.format(1314, 90.0)).assign(drawn=True)
    runs = pandas.DataFrame({"key": table["key"], "test_metric_last": [92.5, 89.0]})
    assert findings.compare(table, runs)["points"].tolist() == [0.0, -1.0]


def test_a_draw_keeps_every_mlp_row(tmp_path):
    lines = [KAN.format(seed, 90.0) for seed in range(50)]
    drawn = released_rows.draw(rows(tmp_path, MLP.format(92.5), *lines), 10, seed=3)
    assert drawn["drawn"].sum() == 10
    assert "MLP" in set(drawn["model"])
    assert len(drawn) <= 11


def test_effort_and_equal_tries(tmp_path):
    other = MLP.format(91.0).replace("relu", "gelu")
    table = rows(tmp_path, MLP.format(92.5), other, *(KAN.format(s, 90.0) for s in (1, 2)), *[KAN.format(3, 89.0)] * 3)
    effort = findings.effort(table).set_index("model")
    assert effort.loc["KAN", ["rows", "tries", "seeds", "epochs", "most_units"]].tolist() == [5, 1, 3, 10, 2]
    assert effort.loc["MLP", ["rows", "tries"]].tolist() == [2, 2]
    equal = findings.equal_tries(table, draws=4)
    assert equal.groupby(["seed", "model"]).size().tolist() == [2] * 8
    verdicts = findings.verdicts(table)
    assert verdicts["tries"].tolist() == ["all", "all", "equal", "equal"]
    assert not numpy.isfinite(verdicts["low"]).any()


def test_rows_of_sets_that_are_not_there_are_left_out(tmp_path):
    table = rows(tmp_path, MLP.format(92.5))
    both = pandas.concat([table, released_rows.quoted()], ignore_index=True)
    assert set(released_rows.available(both, tmp_path)["domain"]) == {"symbolic"}


@pytest.mark.parametrize(("grid", "order", "cut"), [(5, 2, False), (5, 3, False), (20, 3, True), (3, 5, True)])
def test_released_starts_are_cut_off_where_the_authors_were(grid, order, cut):
    noise = torch.rand(6, grid + 1, generator=torch.Generator().manual_seed(0)) - 0.5
    table = basis(torch.arange(grid + 1.0), 0.0, float(grid), grid, order)
    for first_exact in (True, False):
        start = fit_as_released(noise, grid, order, first_exact=first_exact)
        exact = ((start @ table.T - noise).abs() < 1e-4).all(dim=1).tolist()
        assert exact == [first_exact or not cut] + [not cut] * 5
    start = fit_as_released(noise, grid, order, first_exact=True)
    torch.testing.assert_close(start[0], fit_coefficients(noise[0], grid, order))


def test_a_quoted_row_comes_back():
    table = released_rows.quoted()
    row = table[(table["model"] == "MLP") & (table["widths"] == "5")].iloc[0]
    run = released_rows.spec(row.to_dict())
    (record,) = fit.train([run], load(run.dataset, protocol="published", seed=run.seed))
    assert record["test_metric_last"] == pytest.approx(row["test_metric"], rel=1e-3)
    assert (record["parameters"], record["flops"]) == (row["parameters"], row["flops"])
    assert statistics.BUDGETS == ("parameters", "flops")
