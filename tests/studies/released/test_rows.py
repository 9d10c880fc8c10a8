import pandas
import pytest
import torch

from kanbefair.data import files, load
from kanbefair.errors import InputError
from kanbefair.models.basis import basis, fit_coefficients
from kanbefair.models.kan import fit_as_released
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


def test_the_authors_file_is_downloaded_once_and_must_stay_what_it_was(tmp_path, monkeypatch):
    file = tmp_path / "KANbeFair" / "results.csv"

    def answer(content):
        monkeypatch.setattr(files, "_save", lambda url, path: path.write_text(content) >= 0)

    monkeypatch.setattr(released_rows, "BYTES", len(RAW_MLP))
    for wrong in (RAW_MLP[:-1], "", RAW_MLP * 2):
        answer(wrong)
        with pytest.raises(
            InputError, match=rf"cannot be downloaded \(it has {len(wrong)} bytes, not the known {len(RAW_MLP)}\)"
        ):
            released_rows.released(data_dir=tmp_path)
        assert list(file.parent.iterdir()) == []
    answer(RAW_MLP)
    first = released_rows.released(data_dir=tmp_path)
    answer(RAW_MLP.replace("92.5", "12.5"))
    pandas.testing.assert_frame_equal(released_rows.released(data_dir=tmp_path), first)
    file.unlink()
    with pytest.raises(InputError, match=r"is not what the first download brought.*delete '.*results.csv.sha256'"):
        released_rows.released(data_dir=tmp_path)
    answer(RAW_MLP)
    pandas.testing.assert_frame_equal(released_rows.released(data_dir=tmp_path), first)


def test_a_draw_keeps_every_mlp_row(tmp_path):
    lines = [KAN.format(seed, 90.0) for seed in range(50)]
    drawn = released_rows.draw(rows(tmp_path, MLP.format(92.5), *lines), 10, seed=3)
    assert drawn["drawn"].sum() == 10
    assert "MLP" in set(drawn["model"])
    assert len(drawn) <= 11


def test_each_profile_has_its_rows(tmp_path):
    smoke, embedded = (released_rows.for_profile(profile) for profile in ("smoke", "embedded"))
    assert smoke["model"].tolist() == ["KAN", "MLP"]
    assert set(smoke["key"]) < set(embedded["key"])
    path = tmp_path / "rows.csv"
    path.write_text(HEADER + MLP.format(92.5))
    assert released_rows.for_profile("embedded", path)["dataset"].tolist() == ["Rice"]
    assert released_rows.for_profile("paper", path)["dataset"].tolist() == ["Rice"]


def test_accuracies_and_errors_are_told_by_the_domain(tmp_path):
    table = rows(tmp_path, MLP.format(92.5), MLP.format(0.1).replace("Rice", "Special_jv"))
    assert table["metric"].tolist() == ["accuracy", "mae"]
    assert table["test_metric_last"].tolist() == [92.5, 0.1]


def test_rows_of_sets_that_are_not_there_are_left_out(tmp_path):
    table = rows(tmp_path, MLP.format(92.5))
    both = pandas.concat([table, released_rows.quoted()], ignore_index=True)
    assert set(released_rows.loadable(both, tmp_path)["domain"]) == {"symbolic"}


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
