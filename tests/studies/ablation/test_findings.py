"""What the ablation says, from made-up scores."""

import numpy
import pandas
import pytest

from kanbefair import sweep
from kanbefair.specs import RunSpec
from kanbefair.studies.ablation import design, findings
from kanbefair.training.learned_splines import DrawnSpec


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
    return pandas.DataFrame(rows, columns=["dataset", "metric", "variant", "size", "focus", "seed", "score"])


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
    table = findings.effects(known)
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
    assert set(findings.effects(few)["interval_over"]) == {"seed"}


def test_no_share_without_a_certain_difference(known):
    flat = known.copy()
    same = flat["variant"].isin(["MLP", "KAN, silu shortcut", "MLP: KAN", "KAN: MLP"])
    noise = numpy.random.default_rng(0).normal(0, 1, same.sum())
    flat.loc[same, "score"] = numpy.where(flat.loc[same, "metric"] == "mae", 10**-noise, noise)
    assert findings.effects(flat)["share"].isna().all()


def test_where_the_bases_do_not_differ_the_answer_gives_both_intervals(known):
    flat = known.copy()
    for place, name in enumerate(CLASSES):
        rows = (flat["dataset"] == name) & (flat["variant"] == "MLP: KAN")
        base = flat[(flat["dataset"] == name) & (flat["variant"] == "MLP")]["score"].to_numpy()
        flat.loc[rows, "score"] = base + 10 * (-1) ** place
    words = findings.answer(findings.effects(flat)).data
    line = next(line for line in words.splitlines() if line.startswith("- **classification, from MLP**"))
    assert "+2.0 points [-11.6, +15.6]; no difference shown over datasets (on these 5 datasets, over seeds: +2.0" in line


def test_claims_of_made_up_scores(known):
    table = findings.claims(known).set_index(["claim", "comparison", "on"])
    row = table.loc[(2, "BSpline_MLP − KAN", "symbolic functions")]
    assert row["effect"] == pytest.approx(-0.25, abs=1e-3) and row["verdict"] == "falls short of KAN"
    assert table.loc[(2, "KAN − MLP", "classification"), "verdict"] == "KAN is better"
    symbolic = table.loc[(3, "BSpline_MLP − MLP", "symbolic functions")]
    assert symbolic["effect"] == pytest.approx(0.75, abs=1e-3) and symbolic["verdict"] == "splines help"
    contrast = table.loc[(3, "BSpline_MLP − MLP", "symbolic functions − classification")]
    classes = table.loc[(3, "BSpline_MLP − MLP", "classification"), "effect"]
    assert contrast["effect"] == pytest.approx(symbolic["effect"] - classes) and contrast["verdict"] == "more for symbolic"
    assert contrast["low"] < contrast["effect"] < contrast["high"] and contrast["datasets"] == 11


def test_the_answer_names_the_change_that_comes_nearest(known):
    near = known.copy()
    better = (near["variant"] == "MLP: spline before the map") & (near["metric"] == "mae")
    near.loc[better, "score"] = 10 ** (numpy.log10(near.loc[better, "score"]) - 0.7)
    words = findings.answer(findings.effects(near)).data
    assert (
        "The single change that comes nearest to it is *spline before the map*: error divided by 8.9 [8.9, 8.9], 95%" in words
    )


def test_scores_take_the_rate_that_validation_chooses(tmp_path):
    tried = [t for t in design.tries("smoke") if t.variant == "MLP" and t.focus and t.spec.dataset == "WineRecognition"]
    runs = sweep.run([t.spec for t in tried], runs=tmp_path, workers=1, progress=False)
    other = runs.assign(key="other", lr=0.5, valid_metric_selected=100.0, test_metric_selected=12.5)
    places = [*tried, *(design.Try("MLP", t.size, True, t.spec) for t in tried)]
    found = findings.scores(runs, places)
    assert found["score"].tolist() == runs["test_metric_selected"].tolist()
    spec = tried[0].spec
    worse = design.Try("MLP", tried[0].size, True, RunSpec(**spec.as_dict() | {"lr": 0.5}))
    other = other[:1].assign(key=worse.spec.key, seed=spec.seed)
    assert 12.5 in findings.scores(pandas.concat([runs, other]), [*tried, worse])["score"].tolist()


def test_the_papers_tops_stand_beside_ours():
    scores = pandas.DataFrame(
        {
            "dataset": ["Bank"] * 4,
            "variant": ["BSpline_MLP"] * 4,
            "size": [2, 2, 4, 4],
            "score": [90.0, 91.0, 88.0, 89.0],
            "live_parameters": [100, 100, 200, 200],
        }
    )
    table = findings.beside_tops(scores).set_index(["dataset", "model"])
    row = table.loc[("Bank", "BSpline_MLP")]
    assert row["paper"] == 90.69 and row["here"] == 90.5 and row["live_parameters"] == 100
    assert numpy.isnan(table.loc[("MNIST", "BSpline_MLP"), "here"]) and len(table) == 8


def test_learned_splines_are_read_point_by_point(tmp_path):
    spec = DrawnSpec(dataset="Digits", model="BSpline_MLP", widths=(2,), points=2)
    layers = [
        {"layer": 1, "count": 7, "low": -0.5, "high": 0.75, "x": [-1.0, 1.0], "y": [[3.0, 4.0], [5.0, 6.0]]},
        {"layer": 2, "count": 8, "low": -0.25, "high": 1.0, "x": [-2.0, 2.0], "y": [[7.0, 9.0]]},
    ]
    sweep.Store(tmp_path).write({"key": spec.key, "curves": {"activations": layers}})
    table = findings.read([spec], tmp_path)
    assert set(table["dataset"]) == {"Digits"} and set(table["model"]) == {"BSpline_MLP"}
    assert table[["layer", "edge", "x", "y", "count", "low", "high"]].to_numpy().tolist() == [
        [1, 0, -1, 3, 7, -0.5, 0.75],
        [1, 0, 1, 4, 7, -0.5, 0.75],
        [1, 1, -1, 5, 7, -0.5, 0.75],
        [1, 1, 1, 6, 7, -0.5, 0.75],
        [2, 0, -2, 7, 8, -0.25, 1],
        [2, 0, 2, 9, 8, -0.25, 1],
    ]
