"""What several tests share."""

import math
from pathlib import Path

import numpy
import pandas
import pytest
import torch

from kanbefair import sweep, training
from kanbefair.specs import RunSpec, grid
from kanbefair.sweep import Identity, Store, store
from kanbefair.training import cuda_graphs

ROOT = Path(__file__).parents[1]
"""The project."""
SHARED = ROOT.parent / "shared"
"""Real datasets and released rows beside the project, where they are."""

KINDS = [
    {"model": "KAN", "shortcut": "silu", "grid_range": (-2, 2)},
    {"model": "KAN", "shortcut": "identity", "grid": 3, "order": 2},
    {"model": "KAN", "shortcut": "zero", "grid": 10, "order": 5},
    {"model": "MLP", "activation": "relu"},
    {"model": "MLP", "activation": "gelu"},
    {"model": "MLP", "activation": "polynomial3"},
    {"model": "MLP", "activation": "tanh", "batch_norm": True},
    {"model": "BSpline_MLP", "batch_norm": True},
    {"model": "BSpline_First_MLP"},
    {"model": "KAN", "start": "power_law", "layer_norm": True},
    {"model": "MLP", "layer_norm": True, "gain": 2.0},
    {"model": "RBF_KAN", "layer_norm": True, "options": {"centres": 5}},
    {"model": "Chebyshev_KAN", "options": {"degree": 3}},
    {"model": "Rational_KAN", "options": {"groups": 3}},
]


def named(kind):
    return "-".join(str(value) for value in kind.values())


def spec(**fields) -> RunSpec:
    return RunSpec(**({"dataset": "toy", "model": "MLP", "widths": (7,), "epochs": 3, "batch_size": 50, "lr": 1e-2} | fields))


def runs(metric="accuracy", datasets=("A_b", "Special_c"), protocol="fair", seeds=(1, 2, 3)):
    generator = numpy.random.RandomState(0)
    rows = []
    for dataset in datasets:
        for model in ("KAN", "MLP"):
            for seed in seeds:
                for size in (100, 400, 1600):
                    score = generator.rand() * (30 if metric == "accuracy" else 0.3) + (50 if metric == "accuracy" else 1e-3)
                    rows.append(
                        {
                            "key": str(len(rows)),
                            "dataset": dataset,
                            "model": model,
                            "seed": seed,
                            "protocol": protocol,
                            "metric": metric,
                            "parameters": size,
                            "flops": size * 10.0,
                            "live_parameters": size - 3,
                            "outcome": "done",
                            "valid_metric_selected": score,
                            "test_metric_selected": score,
                            "test_metric_last": score,
                        }
                    )
    return pandas.DataFrame(rows)


SCORES = ["valid_metric_selected", "test_metric_selected", "test_metric_last"]


def troubled(metric="accuracy"):
    """Runs on A, B and C: the largest KANs on A failed, all KANs on B are at chance, all MLPs on C diverged."""
    table = runs(metric, datasets=("A", "B", "C")).assign(message=None)
    kan = table["model"] == "KAN"
    lost = kan & (table["dataset"] == "A") & (table["parameters"] == 1600)
    table.loc[lost, ["outcome", "message"]] = ["failed", "it needs about 40 GB of memory"]
    table.loc[kan & (table["dataset"] == "B"), "outcome"] = "at chance"
    early = ~kan & (table["dataset"] == "C")
    table.loc[early, "outcome"] = "diverged"
    table.loc[lost | early, SCORES] = math.nan
    return table


def without_scores(table):
    """The same runs, all failed."""
    return table.assign(outcome="failed", message="no memory", **dict.fromkeys(SCORES, math.nan))


STREAM = {"dataset": "Digits", "stream_name": "threes", "strategy": "naive", "optimizer_state": "carried", "outcome": "done"}
"""Where a run of `stream_runs` stands unless it is told otherwise."""
MEASURED = ("test_average", "test_learned", "test_backward", "test_backward_paper", "test_forgetting")


def stream_runs(**given) -> pandas.DataFrame:
    """Runs over a stream, one per entry of the lists among `given`, of seeds 1, 2, …; all else is alike."""
    fixed = {"network": "KAN", "method": "Adam", "metric": "accuracy", "lr": 0.01, "strength": math.nan, "overlap": 0.5}
    numbers = dict.fromkeys(["valid_average", "valid_learned", "live_parameters", *MEASURED], 0.0)
    size = max([1, *(len(value) for value in given.values() if isinstance(value, list))])
    return pandas.DataFrame(STREAM | fixed | numbers | {"seed": list(range(1, size + 1))} | given)


def joined(*tables: pandas.DataFrame) -> pandas.DataFrame:
    """The tables, one below the other."""
    return pandas.concat(tables, ignore_index=True)


PLAIN_KAN = "KAN, silu shortcut"
JITTER = {"MLP": (0, 0, 0), PLAIN_KAN: (-1, 0, 1), "BSpline_MLP": (0, -1, 1), "BSpline_First_MLP": (0, 1, -1)}
"""Hundredths by which the seeds of a variant of `made_up_scores` differ, in three other orders."""


def made_up_scores(levels, accuracy=lambda level: 50 + level, symbolic=("f",), classes=("c",)):
    """Scores of the ablation from the levels that each variant has on symbolic functions and on classification.

    A level is one for all seeds, give or take a hundredth, or one per seed; an error is 10^−level. Datasets of a group
    differ by some hundredths, other ones for each variant.
    """
    rows = []
    for variant, both in levels.items():
        for level, names, metric in zip(both, (symbolic, classes), ("mae", "accuracy"), strict=True):
            jitter = JITTER.get(variant, (1, 0, -1))
            for place, dataset in enumerate(names):
                for seed in range(3):
                    own = level[seed] if isinstance(level, tuple) else level + 0.01 * (jitter[seed] + place * len(variant))
                    score = accuracy(own) if metric == "accuracy" else 10.0**-own
                    rows.append((dataset, metric, variant, 8, True, seed, score))
    scores = pandas.DataFrame(rows, columns=["dataset", "metric", "variant", "size", "focus", "seed", "score"])
    return scores.assign(outcome="done", lost=0)


def runs_of(rows, protocol="fair", metric="accuracy"):
    """Rows (dataset, model, seed, parameters, validation, test); FLOPs are ten times the parameters."""
    table = pandas.DataFrame(rows, columns=["dataset", "model", "seed", "parameters", "valid", "test"])
    return pandas.DataFrame(
        {
            "key": [f"{i:03}" for i in range(len(table))],
            "dataset": table["dataset"],
            "model": table["model"],
            "seed": table["seed"],
            "protocol": protocol,
            "metric": metric,
            "parameters": table["parameters"],
            "flops": table["parameters"] * 10.0,
            "valid_metric_selected": table["valid"],
            "test_metric_selected": table["test"],
            "test_metric_last": table["test"],
            "test_metric_best": table["test"] + 99,
        }
    )


# ----- layers and networks


SEEDS = [11, 12, 13]
RANGES = [(-1.0, 1.0), (-2.0, 2.0), (-0.5, 1.5)]


def generator(seed):
    return torch.Generator().manual_seed(seed)


def generators(seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def drawn(layer):
    """The layer with run s drawn from SEEDS[s]."""
    for run, seed in enumerate(SEEDS):
        layer.reset_run(run, generator(seed))
    return layer


def inputs(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=generator(seed), dtype=dtype)


# ----- training


MODELS = ("KAN", "MLP", "BSpline_MLP", "BSpline_First_MLP")


def values(network, run):
    return {name: tensor[run].clone() for name, tensor in network.state_dict().items()}


class StandIn:
    """Takes the place of CUDA's recording on a CPU: a recording is not carried out, and is carried out at each replay."""

    def __init__(self, monkeypatch):
        self.asides, self.recordings, self.replays = 0, 0, 0
        monkeypatch.setattr(cuda_graphs, "DEVICES", {"cpu"})
        monkeypatch.setattr(cuda_graphs, "Side", lambda: self)

    def do(self, work):
        self.asides += 1
        work()

    def record(self, work):
        self.recordings += 1

        def replay():
            self.replays += 1
            work()

        return replay


# ----- sweeps over the toy tasks of `task`


TIMES = ["train_seconds", "run_seconds"]


def kept(folder, spec, curves=None, data="0" * 16, **fields):
    """Keep a record of a run that nobody has trained, and return the record's name."""
    own = Identity(spec, data)
    said = dict.fromkeys(store.NEEDED, "said")
    Store(folder).write(own, spec.as_dict() | said | fields | {"curves": curves or {}})
    return own.record


def two_stacks():
    return grid(dataset="Toy", model="MLP", widths=[(3,), (9,)], epochs=2, lr=[1e-2, 1e-3])


def sweep_here(specs, folder, train=None, **options):
    """A sweep in this process; `train` takes the place of what trains a stack."""
    with pytest.MonkeyPatch.context() as patched:
        if train is not None:
            patched.setattr(training, "train", train)
        return sweep.run(specs, runs=folder, workers=1, progress=False, **options)


def no_training(*args, **options):
    raise AssertionError("something is trained")
