import pandas
from drawings import check_saved, labels, shown

from kanbefair.studies.counting import figures


def counts():
    rows = [
        {
            "model": model,
            "budget": budget,
            "parameters": budget * 1.02,
            "flops": budget * factor,
            "flops_shared": budget * (factor / 4 if model == "KAN" else factor),
            "flops_local": budget * (factor / 8 if model == "KAN" else factor),
        }
        for model, factor in (("KAN", 16), ("MLP", 2))
        for budget in (1e3, 1e4, 1e5)
    ]
    return pandas.DataFrame(rows)


def test_a_figure_is_drawn_and_saved_twice_to_the_same_bytes(tmp_path):
    check_saved(lambda: figures.counting(counts()), tmp_path)


def test_counting_draws_each_definition_once_and_ratios_to_the_mlp():
    left, right = shown(figures.counting(counts()))
    assert len(left.lines) == 4
    heights = {round(float(line.get_ydata()[0]), 6) for line in right.lines}
    assert heights == {8.0, 2.0, 1.0}
    assert right.get_ylabel() == "FLOPs of KAN ÷ FLOPs of MLP"
    assert set(labels(right.yaxis)) == {"1×", "2×", "5×"}
