"""What several tests share."""

from pathlib import Path

import numpy
import pandas

from kanbefair.specs import RunSpec

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
                            "valid_metric_selected": score,
                            "test_metric_selected": score,
                            "test_metric_last": score,
                        }
                    )
    return pandas.DataFrame(rows)


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
