"""Golden runs: what training returns, to ten digits, and under which results version (docs/results_version.md).

`python tests/training/test_golden.py` records them anew.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from kanbefair import training
from kanbefair.data import Task
from kanbefair.data.task import make_task
from kanbefair.models import build, compiled
from kanbefair.provenance import RESULTS_VERSION
from kanbefair.specs import ACTIVATIONS, OPTIMIZERS, RunSpec
from kanbefair.training import stack
from kanbefair.training.continual import STRATEGIES, ContinualSpec

MODELS = ("KAN", "MLP", "BSpline_MLP", "BSpline_First_MLP")
FILE = Path(__file__).with_name("golden_runs.json")
RECORD = "python tests/training/test_golden.py"
CLOSE = {"rel": 1e-10, "abs": 1e-12}
PICTURED = slice(0, None, 40)
"""The points of a picture that are kept."""


@contextmanager
def double_precision() -> Iterator[None]:
    """Within this context parameters, buffers and what is drawn are float64."""
    before = torch.get_default_dtype()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(stack, "build", lambda specs, task: build(specs, task).double())  # the ends of grids are float32
        torch.set_default_dtype(torch.float64)
        try:
            yield
        finally:
            torch.set_default_dtype(before)


def features(rows: int, columns: int = 3) -> Tensor:
    """Numbers in [-1, 1]."""
    return torch.rand(rows, columns, generator=torch.Generator().manual_seed(columns), dtype=torch.float32) * 2 - 1


def numbers(protocol: str) -> Task:
    """Two polynomials of three inputs."""
    x = features(90)
    y = torch.stack([x[:, 0] * x[:, 1] + x[:, 2], x[:, 0] ** 2 - 0.5 * x[:, 1]], dim=1)
    return make_task("toy", "symbolic", protocol, (x[:60], y[:60]), (x[60:], y[60:]))


def classes(protocol: str) -> Task:
    """Four classes of three inputs."""
    x = features(150)
    y = 2 * (x[:, 0] + x[:, 1] > 0).long() + (x[:, 2] > 0.1)
    return make_task("toy", "tabular", protocol, (x[:100], y[:100]), (x[100:], y[100:]))


def texts(protocol: str) -> Task:
    """Two classes of texts of up to eight tokens."""
    generator = torch.Generator().manual_seed(8)
    tokens = torch.randint(0, 12, (90, 8), generator=generator, dtype=torch.int32)
    y = (tokens[:, 0] > 5).long()
    tokens[torch.arange(8) > 1 + tokens[:, :1] % 7] = -1
    parts = (tokens[:60], y[:60]), (tokens[60:], y[60:])
    return make_task("toy", "text", protocol, *parts, vocabulary_size=12)


def peaks(protocol: str) -> Task:
    """A polynomial of one input in place of the peaks."""
    x = features(150, 1)
    y = x**3 - x
    return make_task("Peaks_1d", "continual", protocol, (x[:100], y[:100]), (x[100:], y[100:]))


def in_double(task: Task) -> Task:
    """The task with float64 in place of float32."""
    tensors = {name: values for name, values in vars(task).items() if isinstance(values, Tensor)}
    return replace(task, **{name: values.double() for name, values in tensors.items() if values.is_floating_point()})


TASKS = {"numbers": numbers, "classes": classes, "texts": texts, "peaks": peaks}
COMMON = {"dataset": "toy", "widths": (4,), "epochs": 2, "batch_size": 25, "lr": 0.01, "seed": 3}
SPLINES = {"grid": 4, "grid_range": (-1.5, 1.5)}
STREAM = {"stream": "classes", "groups": ((0, 1), (2, 3))}
PEAKS = {"dataset": "Peaks_1d", "stream": "peaks", "epochs": 3}


def plain_runs() -> Iterator[tuple[str, str, dict[str, object]]]:
    """The names, tasks and fields of plain runs."""
    for optimizer, lr in {"adam": 0.01, "sgd": 0.1, "lbfgs": 0.1}.items():
        own = {"optimizer": optimizer, "lr": lr} | ({"epochs": 1, "batch_size": 200} if optimizer == "lbfgs" else {})
        for protocol in ("fair", "published"):
            shared = own | {"protocol": protocol}
            yield f"KAN {optimizer} {protocol}", "numbers", shared | SPLINES | {"model": "KAN", "shortcut": "silu"}
            yield f"MLP {optimizer} {protocol}", "classes", shared | {"model": "MLP", "activation": "tanh"}
            yield f"BSpline_MLP {optimizer} {protocol}", "numbers", shared | SPLINES | {"model": "BSpline_MLP"}
            yield f"BSpline_First_MLP {optimizer} {protocol}", "numbers", shared | SPLINES | {"model": "BSpline_First_MLP"}
    for shortcut, order in {"identity": 2, "zero": 5}.items():
        for protocol in ("fair", "published"):
            kan = {"model": "KAN", "shortcut": shortcut, "order": order, "protocol": protocol, "widths": (3, 2)}
            yield f"KAN {shortcut} {protocol}", "classes", kan | SPLINES
    for activation in ACTIVATIONS:
        yield f"MLP {activation}", "numbers", {"model": "MLP", "activation": activation, "widths": (5, 3)}
    for model in MODELS:
        if model != "KAN":  # Adam would make steps of the rounding of gradients that are 0 before a normalisation
            own = {"model": model, "batch_norm": True, "optimizer": "sgd", "lr": 0.01}
            yield f"{model} normalised", "classes", own
        yield f"{model} on texts", "texts", {"model": model}
    yield "KAN without", "numbers", {"model": "KAN", "without": ("scale", "bias")} | SPLINES
    yield "MLP on squares", "classes", {"model": "MLP", "loss": "mse"}


def streams() -> Iterator[tuple[str, str, dict[str, object]]]:
    """The names, tasks and fields of runs over a stream."""
    needs = {"replay": {"buffer": 20}, "ewc": {"strength": 10.0}, "knots": {"strength": 10.0}}
    for name in ("naive", "joint", "replay", "ewc", "knots"):
        yield f"stream {name}", "classes", STREAM | {"model": "KAN", "strategy": name} | needs.get(name, {}) | SPLINES
    yield "stream reset", "peaks", PEAKS | {"model": "MLP", "activation": "silu", "optimizer_state": "reset"}
    yield "stream update", "peaks", PEAKS | {"model": "KAN", "grid_update": True, "widths": (), "grid": 2, "order": 2}
    yield "stream local basis", "peaks", PEAKS | {"model": "LocalBasis", "widths": (), "grid": 5, "grid_range": (-1, 1)}
    yield "stream permuted", "numbers", {"model": "BSpline_MLP", "stream": "permuted", "tasks": 2, "optimizer": "sgd"}


RUNS = {name: (kind, RunSpec(**COMMON | fields)) for name, kind, fields in plain_runs()}
RUNS |= {name: (kind, ContinualSpec(**COMMON | fields)) for name, kind, fields in streams()}


def returned(name: str) -> dict[str, float | list]:
    """What the golden run of that name returns, as it is recorded: curves, and other figures of the record."""
    kind, spec = RUNS[name]
    with double_precision():
        (record,) = training.train([spec], in_double(TASKS[kind](spec.protocol)))
    assert record["diverged" if "diverged" in record else "outcome"] in (None, "done", "at chance")
    figures = {name: value for name, value in record.items() if name.startswith(("train_", "valid_", "test_", "overlap"))}
    curves = record.get("curves", {})
    if "picture" in curves:
        curves = {"picture": [values[PICTURED] for values in curves["picture"]]}
    elif not isinstance(spec, ContinualSpec):
        figures = {name: value for name, value in figures.items() if name in ("train_metric_last", "train_metric_selected")}
    left_out = ("train_rows", "train_seconds")
    return {n: v for n, v in (figures | curves).items() if n not in left_out and v == v}  # NaN stands for what is not


def record_all() -> None:
    """Write what the golden runs return now, and under which version."""
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(returned(name))}" for name in RUNS)
    FILE.write_text(f'{{"results_version": {RESULTS_VERSION},\n"runs": {{\n{lines}\n}}}}\n')


@pytest.fixture(scope="module")
def golden() -> dict:
    return json.loads(FILE.read_text())


def test_the_golden_runs_are_of_this_results_version(golden):
    assert golden["results_version"] == RESULTS_VERSION, f"the results version was raised: record golden runs with {RECORD}"
    assert list(golden["runs"]) == list(RUNS), f"the list of golden runs has changed: record them with {RECORD}"


def test_there_is_a_golden_run_of_everything():
    specs = [spec for _, spec in RUNS.values()]
    for field, values in {
        "model": (*MODELS, "LocalBasis"),
        "optimizer": OPTIMIZERS,
        "protocol": ("fair", "published"),
        "activation": ACTIVATIONS,
        "shortcut": ("silu", "identity", "zero"),
        "batch_norm": (True, False),
    }.items():
        assert set(values) <= {getattr(spec, field) for spec in specs}, field
    assert set(STRATEGIES) <= {spec.strategy for spec in specs if isinstance(spec, ContinualSpec)}


@pytest.mark.parametrize("form", ["compiled", "plain"])
@pytest.mark.parametrize("name", RUNS)
def test_a_golden_run_returns_what_it_did(golden, name, form):
    if form == "compiled" and not compiled.prepare():
        pytest.skip("the compiled operators cannot be built here")
    with compiled.plain() if form == "plain" else nullcontext():
        found = returned(name)
    expected = golden["runs"][name]
    assert list(found) == list(expected)
    for figure, value in found.items():
        flat, wanted = (torch.tensor(values, dtype=torch.float64).flatten().tolist() for values in (value, expected[figure]))
        assert flat == pytest.approx(wanted, **CLOSE), (
            f"what runs return has changed ({name}, {figure}): "
            f"if that is right, raise provenance.RESULTS_VERSION (docs/results_version.md) and record them with {RECORD}"
        )


if __name__ == "__main__":
    record_all()
