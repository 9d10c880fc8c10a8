import math

import numpy
import pandas
import pytest
from drawings import labels, shown
from matplotlib import pyplot

from kanbefair.models.networks import FAMILIES
from kanbefair.report import style
from kanbefair.report.tables import Outputs


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


@pytest.fixture
def own_looks(monkeypatch):
    """What other tests have registered is not there, and what a test registers is forgotten after it."""
    monkeypatch.setattr(style, "LOOKS", {name: look for name, look in style.LOOKS.items() if name in FAMILIES})


def test_families_of_the_package_look_different(own_looks):
    assert len({look.color for look in style.LOOKS.values()}) == len(style.LOOKS)
    assert len({look.marker for look in style.LOOKS.values()}) == len(style.LOOKS)


def test_a_family_is_given_a_look_by_one_call(own_looks):
    style.register_look("Sine", "#123456", "*")
    color, marker = style.look("Sine")
    assert (color, marker) == ("#123456", "*")


def test_families_without_a_look_take_different_ones_and_keep_them(own_looks):
    style.register_look("Sine", *style.FREE[0])
    families = [f"family {number}" for number in range(10)]
    looks = [style.look(family) for family in families]
    assert looks == [style.look(family) for family in families]
    assert len({*looks, *style.LOOKS.values()}) == len(style.LOOKS)
    taken = {style.LOOKS[name].color for name in ("KAN", "MLP", "BSpline_MLP", "BSpline_First_MLP")}
    assert not taken & {look.color for look in looks}


def test_there_is_a_look_for_every_family(own_looks):
    assert len(set(style.FREE)) == len(style.FREE)
    for number in range(len(style.FREE) + 1):
        assert style.look(f"family {number}") in style.FREE


def test_names_come_in_the_order_of_the_looks_then_as_given():
    assert style.in_order(["new", "MLP", "other", "KAN", "MLP"]) == ["KAN", "MLP", "new", "other"]
    assert style.in_order(["c", "b", "a"], ("a", "z", "b")) == ["a", "b", "c"]


def test_looking_for_an_order_registers_nothing(own_looks):
    before = dict(style.LOOKS)
    style.in_order(["new"])
    assert before == style.LOOKS


@pytest.mark.parametrize(("name", "title"), [("Special_jv", "jv"), ("Special_yv_bounded", "yv bounded"), ("Digits", "Digits")])
def test_short_names(name, title):
    assert style.short(name) == title


def test_a_figure_has_its_style_and_the_rest_of_matplotlib_keeps_its_own():
    size = pyplot.rcParams["font.size"]
    _, axes = style.new_figure(1, 2, width=3)
    assert axes.shape == (1, 2)
    assert axes[0, 0].figure.get_size_inches() == pytest.approx((3, style.PANEL[1]))
    assert axes[0, 0].title.get_fontsize() == 8
    assert not axes[0, 0].spines["top"].get_visible()
    assert pyplot.rcParams["font.size"] == size


def test_panels_that_are_left_over_are_hidden():
    figure, panels = style.wrapped(4, 3)
    assert len(figure.axes) == 6
    assert shown(figure) == panels
    assert len(panels) == 4


def drawn(height=1.0):
    figure, ((axes,),) = style.new_figure(1, 1)
    axes.plot([1, 2, 3], [1, height, 2])
    return figure


def test_equal_figures_are_equal_files_and_others_are_not(tmp_path):
    contents = []
    for name, height in (("a", 1), ("b", 1), ("c", 3)):
        outputs = Outputs("smoke", tmp_path / name)
        figure = drawn(height)
        assert style.save(figure, outputs, "figure") is figure
        assert sorted(path.name for path in outputs.figures.iterdir()) == ["figure.pdf", "figure.png"]
        contents.append([path.read_bytes() for path in sorted(outputs.figures.iterdir())])
    assert contents[0] == contents[1]
    assert contents[0][0] != contents[2][0]
    assert contents[0][1] != contents[2][1]


def test_saving_closes_the_figure(tmp_path):
    style.save(drawn(), Outputs("smoke", tmp_path), "figure")
    assert pyplot.get_fignums() == []


def axes_of(low, high):
    _, ((axes,),) = style.new_figure(1, 1)
    axes.plot([low, high], [low, high])
    return axes


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (1, 20, {"1": 1, "2": 2, "5": 5, "10": 10, "20": 20}),
        (0.01, 1, {"0.01": 0.01, "0.03": 0.03, "0.1": 0.1, "0.3": 0.3, "1": 1}),
        (1e-3, 10, {"0.001": 1e-3, "0.01": 1e-2, "0.1": 0.1, "1": 1, "10": 10}),
    ],
)
def test_a_logarithmic_axis_has_plain_labels_and_fewer_where_it_spans_more(low, high, expected):
    axes = axes_of(low, high)
    style.error_axis(axes)
    assert axes.get_yscale() == "log"
    assert axes.get_xscale() == "linear"
    assert labels(axes.yaxis) == pytest.approx(expected)


def test_labels_have_room_along_a_narrow_axis():
    axes = axes_of(1, 20)
    axes.figure.set_size_inches(1, 2)
    style.log_axis(axes.xaxis)
    assert list(labels(axes.xaxis)) == ["1", "10"]


def test_an_axis_of_ratios_labels_them_as_multiples_in_either_direction():
    for inverted in (False, True):
        axes = axes_of(0.4, 2.5)
        if inverted:
            axes.invert_xaxis()
        style.ratio_axis(axes.xaxis)
        assert labels(axes.xaxis) == pytest.approx({"0.5×": 0.5, "1×": 1, "2×": 2})


def test_an_open_interval_is_not_drawn_on_any_scale():
    values = pandas.DataFrame({"gain": [1.0, 2.0], "low": [0.5, -math.inf], "high": [3.0, math.inf]})
    expected = [[0.5, math.nan], [2.0, math.nan]]
    assert numpy.array_equal(style.whiskers(values), expected, equal_nan=True)
    ratios = 10.0 ** style.closed(values)
    assert ratios["gain"].tolist() == [10.0, 100.0]
    assert ratios["low"].isna().tolist() == [False, True]
    axes = axes_of(1, 1000)
    bars = axes.errorbar(ratios["gain"], [1, 2], xerr=style.whiskers(ratios)).lines[2][0]
    style.ratio_axis(axes.xaxis)
    axes.figure.canvas.draw()
    first, second = bars.get_segments()
    assert first[:, 0] == pytest.approx([10**0.5, 1000])
    assert second.size == 0


def test_rows_are_named_from_the_top():
    axes = axes_of(0, 1)
    style.name_rows(axes, ["first", "second"], lines=True)
    assert labels(axes.yaxis) == {"first": 0, "second": 1}
    assert axes.get_ylim() == (1.5, -0.5)
    assert [line.get_ydata()[0] for line in axes.lines[1:]] == [0.5]


def test_a_note_stands_below_the_panels_and_the_figure_grows_for_it():
    plain, noted = (style.new_figure(1, 1)[0] for _ in range(2))
    style.note(plain, "")
    style.note(noted, "word " * 30 + "\nend")
    assert plain.get_supxlabel() == "" and plain.get_figheight() == style.PANEL[1]
    lines = noted.get_supxlabel().splitlines()
    assert len(lines) > 2 and lines[-1] == "end" and max(map(len, lines)) <= 19 * style.PANEL[0]
    (axes,) = shown(noted)
    assert noted.get_figheight() > style.PANEL[1]
    assert axes.get_tightbbox().y0 > noted._supxlabel.get_window_extent().y1
