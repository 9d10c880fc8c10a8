import pandas
import pytest
import torch

from kanbefair.models.activations import activation
from kanbefair.models.basis import fit_coefficients
from kanbefair.models.spline_layers import KANLinear
from kanbefair.report.tables import Outputs
from kanbefair.studies.counting import design, figures


@pytest.fixture
def table():
    return design.spline_layer()


def curve(table, part, name):
    return table[(table["part"] == part) & (table["name"] == name)]


def test_the_knots_are_those_of_the_grid_and_k_more_on_each_side(table):
    knots = table[table["part"] == "knot"]
    assert knots["name"].value_counts().to_dict() == {"grid": 6, "extension": 6}
    grid = knots.loc[knots["name"] == "grid", "x"]
    assert (grid.min(), grid.max()) == (design.LOW, design.HIGH)
    assert knots["x"].diff().dropna().round(6).unique() == [design.STEP]


def test_every_basis_is_drawn_where_it_is_not_zero(table):
    bases = table[table["part"] == "basis"]
    assert bases["name"].nunique() == design.GRID + design.ORDER
    for _, own in bases.groupby("name"):
        assert (own["y"].iloc[1:-1] > 0).all()
        assert own["y"].iloc[[0, -1]].tolist() == [0, 0]


def test_k_plus_one_bases_are_marked_and_add_up_to_one(table):
    marked = table[table["part"] == "marked"]
    assert marked["name"].tolist() == [3, 4, 5, 6]
    assert marked["y"].sum() == pytest.approx(1, abs=1e-5)


def test_the_edge_is_what_a_kan_layer_computes(table):
    layer = KANLinear(1, 1, grid=5, order=3, grid_ranges=[(-1.0, 1.0)], shortcut=activation("silu"))
    targets = torch.tensor(design.TARGETS, dtype=torch.float64)
    with torch.no_grad():
        layer.coefficients[0, 0, :, 0] = fit_coefficients(targets, 5, 3)
        layer.scale.fill_(design.SCALE)
        layer.base.fill_(design.BASE_WEIGHT)
        whole = curve(table, "edge", "sum")
        y = layer.plain(torch.tensor(whole["x"].to_numpy(), dtype=torch.float32)[:, None])
    assert whole["y"].tolist() == pytest.approx(y.flatten().tolist(), abs=1e-5)
    parts = curve(table, "edge", "shortcut")["y"].to_numpy() + curve(table, "edge", "spline")["y"].to_numpy()
    assert whole["y"].tolist() == pytest.approx(parts.tolist(), abs=2e-6)


def test_the_spline_is_zero_outside_the_knots(table):
    spline = curve(table, "edge", "spline")
    knots = table.loc[table["part"] == "knot", "x"]
    outside = (spline["x"] < knots.min()) | (spline["x"] > knots.max())
    assert outside.sum() > 10
    assert (spline.loc[outside, "y"] == 0).all()


def test_the_picture_is_drawn_from_the_written_table(table, tmp_path):
    written = Outputs("smoke", tmp_path).write("spline_layer", table)
    assert isinstance(written, pandas.DataFrame)
    left, right = figures.spline_layer(written).axes
    assert [text.get_text() for text in left.texts] == [f"$B_{{{number}}}$" for number in range(1, 9)]
    assert "G+K = 8 bases" in left.get_title()
    assert [text.get_text() for text in right.get_legend().get_texts()][-1].startswith("sum")
