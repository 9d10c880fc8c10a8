"""Effects of single changes, from scores made by hand."""

import math

import numpy
import pandas
import pytest
from helpers import PLAIN_KAN as KAN
from helpers import made_up_scores
from scipy.stats import t as student

from kanbefair.studies.ablation import design, effects
from kanbefair.studies.ablation.design import Change
from kanbefair.studies.ablation.effects import RATIO

HALF = student.ppf(0.975, 2) / math.sqrt(3)
"""Half the interval of three values that are 1 apart."""


def test_differences_are_points_of_accuracy_and_powers_of_ten_of_errors():
    rows = [
        ("c", "accuracy", 0, 80.5, 60.5),
        ("c", "accuracy", 1, 95.5, 100.0),
        ("f", "mae", 0, 0.001, 0.1),
        ("f", "mae", 1, 0.5, 0.05),
    ]
    rows = [(*row[:3], variant, score) for row in rows for variant, score in zip(("new", "old"), row[3:], strict=True)]
    scores = pandas.DataFrame(rows, columns=["dataset", "metric", "seed", "variant", "score"]).assign(focus=True)
    alone = pandas.DataFrame([("c", "accuracy", 2, "new", 70.0, True)], columns=scores.columns)
    found = effects.differences(pandas.concat([scores, scores.assign(focus=False, score=1.0), alone]), "new", "old")
    assert found["group"].tolist() == ["symbolic functions"] * 2 + ["classification"] * 2
    assert found["effect"].tolist() == pytest.approx([2, -1, 20, -4.5])
    # 40 wrong in 20, then 0.5 wrong in 5
    assert found["relative"].tolist() == pytest.approx([2, -1, math.log10(2), -1])


CHANGES = [
    Change("MLP", "everything", "KAN", {}),
    Change("MLP", "bias", "no bias", {}),
    Change("KAN", "everything", "MLP", {}),
    Change("KAN", "order", "K = 2", {}),
]


def test_a_share_is_of_the_certain_way_from_the_same_base_in_the_same_group(monkeypatch):
    monkeypatch.setattr(effects, "CHANGES", CHANGES)
    levels = {
        "MLP": (1, 10),
        KAN: (5, 30),
        "MLP: KAN": (3, 20),
        "MLP: no bias": (1.5, 8),
        "KAN: MLP": (1, (21, 31, 41)),  # for certain on symbolic functions only
        "KAN: K = 2": (2, 29),
    }
    found = effects.effects(made_up_scores(levels))
    names = [("MLP", "KAN"), ("MLP", "no bias"), ("KAN", "MLP"), ("KAN", "K = 2")]
    assert list(zip(found["base"], found["change"], strict=True)) == 2 * names
    assert found["unit"].tolist() == [RATIO] * 4 + ["points"] * 4
    assert found["effect"].tolist() == pytest.approx([2, 0.5, -4, -3, 10, -2, 1, -1])
    assert found["share"].tolist() == pytest.approx([1, 0.25, 1, 0.75, 1, -0.2, math.nan, math.nan], nan_ok=True)
    whole = found.iloc[0]
    assert (whole["low"], whole["high"]) == (pytest.approx(2 - 0.01 * HALF), pytest.approx(2 + 0.01 * HALF))


def test_one_interval_is_over_datasets_and_one_over_seeds():
    rows = [(f"d{place}", seed, 2.0 * place + seed) for place in range(5) for seed in range(3)]
    found = effects.mean_effect(pandas.DataFrame(rows, columns=["dataset", "seed", "effect"]))
    half = student.ppf(0.975, 4) * math.sqrt(10 / 5)  # five means that are 2 apart have the variance 10
    assert (found["effect"], found["interval_over"], found["datasets"], found["seeds"]) == (5, "dataset", 5, 3)
    assert [found["low"], found["high"]] == pytest.approx([5 - half, 5 + half])
    assert [found["seed_low"], found["seed_high"]] == pytest.approx([5 - HALF, 5 + HALF])


def test_holm_adjusts_for_all_tests_and_keeps_their_order():
    # 4 · 0.01, 3 · 0.02, then no less than before, and a test without p that counts
    p = pandas.Series([0.02, 0.03, math.nan, 0.01])
    assert effects.holm(p).tolist() == pytest.approx([0.06, 0.06, math.nan, 0.04], nan_ok=True)


def test_p_is_that_of_the_t_test_whose_interval_stands_beside_it():
    own = pandas.DataFrame({"dataset": "c", "seed": [0, 1, 2], "effect": [1.0, 2.0, 4.0]})
    t = (7 / 3) / (numpy.std([1, 2, 4], ddof=1) / math.sqrt(3))
    assert effects.p_value(own) == pytest.approx(2 * student.sf(t, 2))
    assert math.isnan(effects.p_value(own.assign(effect=1.0))) and math.isnan(effects.p_value(own[:1]))


def _scores(values: dict[str, float], datasets: dict[str, str], seeds: int = 4) -> pandas.DataFrame:
    """Made-up scores: accuracy = value; error = 10^−value; it differs per dataset and seed, alike for
    all variants but for noise of 1e-4."""
    rows, noise = [], numpy.random.default_rng(1)
    for place, (name, metric) in enumerate(datasets.items()):
        for seed in range(seeds):
            for variant, value in values.items():
                shift = 0.1 * place + 0.01 * seed + noise.normal(0, 1e-4)
                score = value + shift if metric == "accuracy" else 10 ** -(value + shift)
                rows.append((name, metric, variant, 8, True, seed, score))
    scores = pandas.DataFrame(rows, columns=["dataset", "metric", "variant", "size", "focus", "seed", "score"])
    return scores.assign(outcome="done", lost=0)


SYMBOLIC = {f"f{n}": "mae" for n in range(6)}


CLASSES = {f"c{n}": "accuracy" for n in range(5)}


@pytest.fixture
def known() -> pandas.DataFrame:
    """MLP 1, KAN 2; every change of MLP adds 0.25, every change of KAN takes away 0.5, 'everything' crosses over."""
    values = {name: 1.75 for name in design.CURVES} | {"MLP": 1.0, "KAN, silu shortcut": 2.0}
    for change in design.CHANGES:
        whole = {"MLP": 2.0, "KAN": 1.0}[change.base]
        values[change.variant] = whole if change.factor == "everything" else {"MLP": 1.25, "KAN": 1.5}[change.base]
    return _scores(values, SYMBOLIC | CLASSES)


def test_effects_of_made_up_scores(known):
    table = effects.effects(known)
    assert len(table) == 2 * len(design.CHANGES)
    for _, row in table.iterrows():
        size = {"MLP": 0.25, "KAN": -0.5}[row["base"]]
        size = {"MLP": 1.0, "KAN": -1.0}[row["base"]] if row["factor"] == "everything" else size
        assert [row["effect"], row["low"], row["seed_high"]] == pytest.approx([size] * 3, abs=1e-3)
        assert row["low"] < row["effect"] < row["high"]
        assert row["share"] == pytest.approx(abs(size), abs=1e-3)
        assert row["interval_over"] == "dataset" and row["seeds"] == 4
        assert row["datasets"] == (6 if row["group"] == "symbolic functions" else 5)


def test_the_interval_is_over_seeds_where_there_are_few_datasets(known):
    few = known[known["dataset"].isin(["f0", "c0", "c1"])]
    assert set(effects.effects(few)["interval_over"]) == {"seed"}


def test_no_share_without_a_certain_difference(known):
    flat = known.copy()
    same = flat["variant"].isin(["MLP", "KAN, silu shortcut", "MLP: KAN", "KAN: MLP"])
    noise = numpy.random.default_rng(0).normal(0, 1, same.sum())
    flat.loc[same, "score"] = numpy.where(flat.loc[same, "metric"] == "mae", 10**-noise, noise)
    assert effects.effects(flat)["share"].isna().all()


TROUBLED = {"MLP": (0, 0), KAN: (1, 1), "MLP: KAN": (1, 1)}


def test_an_effect_remarks_on_runs_at_chance_and_without_a_score():
    scores = made_up_scores(TROUBLED, symbolic=("f", "g"))
    assert effects.remark(scores, ["symbolic functions", "classification"], KAN, "MLP") is None
    here = scores["variant"] == KAN
    scores.loc[here & (scores["dataset"] == "f"), "outcome"] = "at chance"
    scores.loc[here & (scores["dataset"] == "g") & (scores["seed"] == 1), ["outcome", "lost"]] = ["at chance", 2]
    scores = scores[~((scores["variant"] == "MLP") & (scores["dataset"] == "g"))]
    assert effects.remark(scores, ["symbolic functions"], KAN, "MLP") == (
        f"{KAN} is at chance on f; 2 runs of {KAN} have no score; no run of MLP has a score on g"
    )
    assert effects.remark(scores, ["classification"], KAN, "MLP") is None


def test_a_variant_without_a_score_has_no_effect(monkeypatch):
    monkeypatch.setattr(effects, "CHANGES", CHANGES)
    scores = made_up_scores(TROUBLED | {"MLP: no bias": (0, 0), "KAN: MLP": (0, 0), "KAN: K = 2": (0, 0)})
    found = effects.effects(scores[~scores["variant"].isin(["MLP: KAN", "KAN: K = 2"])])
    assert set(zip(found["base"], found["change"], strict=True)) == {("MLP", "no bias"), ("KAN", "MLP")}
    none = effects.effects(scores[scores["variant"] == "MLP: no bias"])
    assert none.empty and list(none) == effects.EFFECTS


def test_two_samples_of_which_one_has_one_value_have_no_interval():
    one, three = (pandas.DataFrame({"dataset": "a", "seed": range(n), "effect": float(n)}) for n in (1, 3))
    found = effects.mean_effect(one, three)
    assert (found["effect"], found["low"], found["high"]) == (-2, -math.inf, math.inf)
