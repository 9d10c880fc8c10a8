"""The ablation: matched networks, effects of single changes, claims, learned splines."""

import math
from dataclasses import fields

import numpy
import pandas
import pytest
import torch

from kanbefair import sweep
from kanbefair.data import load
from kanbefair.errors import InputError
from kanbefair.models import build, matching
from kanbefair.models.counting import live_parameters
from kanbefair.models.layers import Linear
from kanbefair.models.spline_layers import KANLinear
from kanbefair.specs import RunSpec
from kanbefair.studies.ablation import design, findings
from kanbefair.studies.domains import design as domains_design
from kanbefair.training import fit, learned_splines


@pytest.fixture(scope="module")
def smoke() -> list[design.Try]:
    return design.tries("smoke")


def test_all_variants_of_a_budget_have_nearly_equal_trainable_values(smoke):
    focus = [t for t in smoke if t.focus and t.spec.seed == 1]
    assert {t.variant for t in focus} == set(design.CURVES) | {change.variant for change in design.CHANGES}
    for name in {t.spec.dataset for t in focus}:
        task = load(name)
        own = [t for t in focus if t.spec.dataset == name]
        values = {t.variant: live_parameters(build([t.spec], task)) for t in own}
        budget = values["KAN, silu shortcut"]
        assert all(abs(math.log(value / budget)) < math.log(1.2) for value in values.values()), values


def test_a_change_differs_from_its_base_in_one_thing_only():
    reach = 1.0
    for change in design.CHANGES:
        common = {"dataset": "Digits", "widths": (4,)}
        base = design.variant_spec(design.CURVES[design.BASES[change.base]], reach, **common)
        changed = design.variant_spec(change.fields, reach, **common)
        if changed.model == base.model and change.factor != "everything":
            assert sum(getattr(base, f.name) != getattr(changed, f.name) for f in fields(RunSpec) if f.compare) == 1, change


@pytest.mark.parametrize("model", [{"model": "MLP"}, {"model": "KAN"}, {"model": "BSpline_MLP"}])
@pytest.mark.parametrize("name", ["Digits", "Docstrings"])
def test_matched_widths_are_the_nearest(model, name):
    task = load(name)
    budget = 2500

    def sized(width: int) -> RunSpec:
        return RunSpec(dataset=name, widths=(8, width) if name == "Docstrings" else (width, width), **model)

    def off(width: int) -> float:
        return abs(math.log(matching.trainable_values(sized(width), task) / budget))

    found = matching.matched(sized(8), task, budget)
    assert found == sized(found.widths[1])
    assert off(found.widths[1]) == min(off(width) for width in range(1, 200))


def test_parts_left_out_are_constants_and_do_not_train():
    task = load("WineRecognition")
    kan = RunSpec(dataset=task.name, model="KAN", widths=(4,), without=("scale", "bias"), epochs=1)
    mlp = RunSpec(dataset=task.name, model="MLP", widths=(4,), without=("bias",), epochs=1)
    kept = []
    for spec in (kan, mlp):
        fit.train([spec], task, on_end=kept.append)
    for layer in kept[0].layers:
        assert isinstance(layer, KANLinear) and torch.equal(layer.scale, torch.ones_like(layer.scale))
    for network in kept:
        layers = [layer for layer in network.layers if isinstance(layer, KANLinear | Linear)]
        assert layers and all(not layer.bias.any() for layer in layers)
        assert not any("bias" in name or "scale" in name for name, _ in network.named_parameters())


def test_a_network_without_parts_starts_like_the_whole_one():
    task = load("WineRecognition")
    networks = [
        build([RunSpec(dataset=task.name, model="KAN", widths=(4,), without=w)], task) for w in (None, ("scale", "bias"))
    ]
    for network in networks:
        network.reset([torch.Generator().manual_seed(5)])
    assert torch.equal(networks[0](task.x_test), networks[1](task.x_test))


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


def test_scores_take_the_rate_that_validation_chooses(tmp_path, smoke):
    tried = [t for t in smoke if t.variant == "MLP" and t.focus and t.spec.dataset == "WineRecognition"]
    runs = sweep.run([t.spec for t in tried], runs=tmp_path, workers=1, progress=False)
    other = runs.assign(key="other", lr=0.5, valid_metric_selected=100.0, test_metric_selected=12.5)
    places = [*tried, *(design.Try("MLP", t.size, True, t.spec) for t in tried)]
    found = findings.scores(runs, places)
    assert found["score"].tolist() == runs["test_metric_selected"].tolist()
    spec = tried[0].spec
    worse = design.Try("MLP", tried[0].size, True, RunSpec(**spec.as_dict() | {"lr": 0.5}))
    other = other[:1].assign(key=worse.spec.key, seed=spec.seed)
    assert 12.5 in findings.scores(pandas.concat([runs, other]), [*tried, worse])["score"].tolist()


def test_learned_splines_add_up_to_the_layer(tmp_path):
    """With one input each edge is the layer's output, bias apart."""
    task = load("Special_1d_gelu")
    spec = learned_splines.DrawnSpec(
        dataset=task.name, model="KAN", widths=(1,), grid_range=(-4, 4), epochs=3, lr=0.01, points=33
    )
    (record,) = learned_splines.train([spec], task)
    kept = []
    fit.train([spec], task, on_end=kept.append)
    first = kept[0].layers[0]
    x = torch.linspace(-4, 4, 33)
    with torch.no_grad():
        y = first(x[:, None])[0, :, 0] - first.bias[0, 0]
    layers = record["curves"]["activations"]
    assert [layer["layer"] for layer in layers] == [1, 2] and layers[0]["count"] == 1
    assert numpy.allclose(layers[0]["y"][0], y, atol=1e-5) and numpy.allclose(layers[0]["x"], x)
    assert -4 <= layers[0]["low"] < layers[0]["high"] <= 4
    sweep.Store(tmp_path).write(record)
    table = findings.read([spec], tmp_path)
    assert len(table) == 2 * 33 and set(table["model"]) == {"KAN"}


def test_networks_without_splines_cannot_be_drawn():
    with pytest.raises(InputError, match="MLP has no splines"):
        learned_splines.DrawnSpec(dataset="Digits", model="MLP", widths=(3,))


def test_real_datasets_are_taken_where_their_files_are(tmp_path):
    with pytest.raises(InputError, match="none of MNIST, FMNIST, Income, Bank is in"):
        design.at_hand(domains_design.REAL, str(tmp_path))
    (tmp_path / "uci").mkdir()
    (tmp_path / "uci" / "222.csv").write_text("")
    assert design.at_hand(domains_design.REAL, str(tmp_path)) == ["Bank"]


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
