"""What tests of figures read off them."""

from collections.abc import Callable
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kanbefair.report import style
from kanbefair.report.tables import Outputs


def shown(figure: Figure) -> list[Axes]:
    """The axes that are to be seen, colour bars left out, after a draw."""
    figure.canvas.draw()
    return [axes for axes in figure.axes if axes.get_visible() and axes.get_label() != "<colorbar>"]


def points(axes: Axes) -> set[tuple[float, float]]:
    """All points that carry a marker."""
    lines = [line for line in axes.lines if line.get_marker() not in ("None", "", None)]
    return {(round(float(x), 6), round(float(y), 6)) for line in lines for x, y in line.get_xydata()}


def labels(axis) -> dict[str, float]:
    """Where the labels of an axis stand that are in view."""
    low, high = sorted(axis.get_view_interval())
    pairs = zip(axis.get_ticklabels(), axis.get_ticklocs(), strict=True)
    return {label.get_text(): float(place) for label, place in pairs if low <= place <= high}


def colors(axes: Axes) -> set:
    return {line.get_color() for line in axes.lines}


def named(figure: Figure) -> list[str]:
    """The entries of a figure's legend."""
    return [text.get_text() for text in figure.legends[0].get_texts()]


def check_saved(draw: Callable[[], Figure], folder: Path) -> None:
    """Drawn and saved twice, a figure is the same two files to the byte."""
    saved = []
    for attempt in ("first", "second"):
        outputs = Outputs("smoke", folder / attempt)
        style.save(draw(), outputs, "figure")
        assert sorted(path.name for path in outputs.figures.iterdir()) == ["figure.pdf", "figure.png"]
        saved.append([(outputs.figures / f"figure.{kind}").read_bytes() for kind in ("pdf", "png")])
    assert saved[0] == saved[1]
    assert all(len(content) > 3000 for content in saved[0])
    assert saved[0][0].startswith(b"%PDF")
