"""The ablation in words, from tables of effects made by hand."""

import math

import pandas
import pytest

from kanbefair.studies.ablation import answer
from kanbefair.studies.ablation.effects import RATIO

FIVE = math.log10(5)


@pytest.mark.parametrize(
    ("unit", "values", "words"),
    [
        (RATIO, (1, FIVE, 2 - FIVE), "error divided by 10 [5, 20]"),
        (RATIO, (-1, FIVE - 2, -FIVE), "error times 10 [5, 20]"),
        (RATIO, (1 - FIVE, FIVE - 1, 1), "error divided by 2 [0.5, 10]"),
        (RATIO, (FIVE - 1, -1, 1 - FIVE), "error times 2 [0.5, 10]"),
        ("points", (2, -1, 5), "+2.0 points [-1.0, +5.0]"),
        ("points", (-3, -4.5, -1.5), "-3.0 points [-4.5, -1.5]"),
    ],
)
def test_a_size_in_words(unit, values, words):
    row = pandas.Series(dict(zip(("effect", "low", "high"), values, strict=True)) | {"unit": unit})
    assert answer.size(row) == words


def group(name, unit, rows):
    """Rows (base, change, effect, half the interval, share) of a table of effects; over seeds the interval is half as
    wide."""
    return [
        {"group": name, "base": base, "factor": "everything" if change in ("KAN", "MLP") else "one", "change": change}
        | {"unit": unit, "effect": effect, "low": effect - half, "high": effect + half, "share": share, "remark": None}
        | {"holm": math.nan if change in ("KAN", "MLP") else 0.01 if abs(effect) > half else 0.05}
        | {"seed_low": effect - half / 2, "seed_high": effect + half / 2, "interval_over": "dataset", "datasets": 6}
        for base, change, effect, half, share in rows
    ]


def test_the_answer_in_full():
    two, nan = math.log10(2), math.nan
    errors = [
        ("MLP", "KAN", 1, two, 1.0),
        ("MLP", "a little", two, two / 2, 0.3),
        ("MLP", "too far", 1 + two, two, 1.3),
        ("MLP", "the other way", -1, two, -1.0),
        ("MLP", "far too far", 1 + 2 * two, two, 2.0),
        ("MLP", "unclear", -two, 1, -0.3),
        ("KAN", "MLP", -two, 2 * two, nan),
        ("KAN", "no way", 0, two, nan),
    ]
    points = [
        ("MLP", "KAN", 10, 1, 1.0),
        ("MLP", "half way", 5, 8, 0.5),
        ("KAN", "MLP", -4, 1, 1.0),
        ("KAN", "most of it", -3, 1, 0.75),
        ("KAN", "better still", 2, 1, -0.5),
        ("KAN", "best", 3, 1, -0.75),
    ]
    rows = group("symbolic functions", RATIO, errors) + group("classification", "points", points)
    assert answer.answer(pandas.DataFrame(rows)).data.splitlines() == [
        "- **symbolic functions, from MLP**: KAN in its place gives error divided by 10 [5, 20]. The single change that comes "
        "nearest to it is *too far*: error divided by 20 [10, 40], 130% of the way.",
        "  - Changes that surely help (Holm's test of all single changes): *a little* (error divided by 2 [1.4, 2.8]); "
        "*too far* (error divided by 20 [10, 40]); *far too far* (error divided by 40 [20, 80]).",
        "  - Changes that surely harm (Holm's test of all single changes): *the other way* (error times 10 [5, 20]).",
        "- **symbolic functions, from KAN**: MLP in its place gives error times 2 [0.5, 8]; "
        "whether the two differ is undecided over datasets "
        "(on these 6 datasets, over seeds: error times 2 [1, 4]).",
        "  - Changes that surely help (Holm's test of all single changes): none.",
        "  - Changes that surely harm (Holm's test of all single changes): none.",
        "- **classification, from MLP**: KAN in its place gives +10.0 points [+9.0, +11.0]. The single change that comes "
        "nearest to it is *half way*: +5.0 points [-3.0, +13.0], 50% of the way.",
        "  - Changes that surely help (Holm's test of all single changes): none.",
        "  - Changes that surely harm (Holm's test of all single changes): none.",
        "- **classification, from KAN**: MLP in its place gives -4.0 points [-5.0, -3.0]. The single change that comes "
        "nearest to it is *most of it*: -3.0 points [-4.0, -2.0], 75% of the way.",
        "  - Changes that surely help (Holm's test of all single changes): *better still* (+2.0 points [+1.0, +3.0]); "
        "*best* (+3.0 points [+2.0, +4.0]).",
        "  - Changes that surely harm (Holm's test of all single changes): *most of it* (-3.0 points [-4.0, -2.0]).",
    ]


def test_the_answer_hands_on_what_is_remarked_and_what_has_no_score():
    rows = group(
        "classification", "points", [("MLP", "KAN", 2, 1, 1), ("MLP", "no bias", 1, 3, 0.5), ("KAN", "no bias", 1, 3, 1)]
    )
    rows[1]["remark"] = "MLP: no bias is at chance on c"
    assert answer.answer(pandas.DataFrame(rows)).data.splitlines() == [
        "- **classification, from MLP**: KAN in its place gives +2.0 points [+1.0, +3.0]. The single change that comes nearest "
        "to it is *no bias*: +1.0 points [-2.0, +4.0], 50% of the way.",
        "  - Changes that surely help (Holm's test of all single changes): none.",
        "  - Changes that surely harm (Holm's test of all single changes): none.",
        "  - MLP: no bias is at chance on c.",
        "- **classification, from KAN**: MLP in its place has no score to compare with.",
        "  - Changes that surely help (Holm's test of all single changes): none.",
        "  - Changes that surely harm (Holm's test of all single changes): none.",
    ]
