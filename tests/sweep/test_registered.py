"""What a user registers is known to the workers, wherever it was defined, and a change of it is another run."""

import json
import subprocess
import sys
from dataclasses import replace

import nbformat
import pandas
import papermill
import pytest
from helpers import no_training, sweep_here

from kanbefair import data
from kanbefair.data.task import make_task
from kanbefair.errors import InputError
from kanbefair.specs import RunSpec, grid
from kanbefair.sweep import registered as sent_along
from kanbefair.training import ContinualSpec

DEFINED = """
import torch
from torch import nn
from kanbefair import register_dataset, register_model
from kanbefair.data.task import feature_moments, make_task
from kanbefair.models import LayerCount, Network
from kanbefair.models.layers import Linear

@register_dataset("Mine", domain="tabular")
def mine(request):
    g = torch.Generator().manual_seed(0)
    x = torch.randn(60, 4, generator=g)
    y = (x[:, 0] > 0).long()
    return make_task("Mine", "tabular", request.protocol, (x[:48], y[:48]), (x[48:], y[48:]), moments=feature_moments)

class Doubled(nn.Module):
    def forward(self, x):
        return {factor} * x.tanh()

class Own(Network):
    def layer(self, number):
        linear = Linear(*self.widths[number : number + 2], stack=self.runs)
        return [linear] if number == self.depth - 1 else [linear, Doubled()]

def count_layer(shape, i, o, last):
    return LayerCount(o * (i + 1), o * (i + 1), 2 * i * o, 2 * i * o, 2 * i * o)

register_model("Own", Own, defaults={{}}, layer_count=count_layer)
"""
SWEEP = """
from kanbefair import grid, run
specs = grid(dataset="Mine", model=["Own", "MLP"], widths=[(4,), (8,)], epochs=2)
table = run(specs, runs={runs!r}, workers={workers}, progress=False)
table.to_json({table!r})
"""


NAMED = ["record", "code"]
"""Columns that may differ: a notebook's cells compile to other code than a script's lines."""


def texts(folder, workers=2, factor=2):
    here = {"runs": str(folder / "runs"), "table": str(folder / "table.json"), "workers": workers}
    return DEFINED.format(factor=factor), SWEEP.format(**here)


def carried_out(folder, *command):
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return pandas.read_json(folder / "table.json").drop(columns=NAMED)


@pytest.fixture
def alone(tmp_path):
    """The table of one process."""
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "script.py").write_text("\n".join(texts(tmp_path / "alone", workers=1)))
    return carried_out(tmp_path / "alone", "script.py")


def test_from_a_script_without_a_guard_from_a_module_and_from_a_notebook(tmp_path, alone):
    defined, swept = texts(tmp_path)
    (tmp_path / "script.py").write_text(defined + swept)
    pandas.testing.assert_frame_equal(carried_out(tmp_path, "script.py"), alone)
    (tmp_path / "runs").rename(tmp_path / "runs of the script")
    (tmp_path / "own_things.py").write_text(defined)
    (tmp_path / "imports.py").write_text("import own_things\n" + swept)
    pandas.testing.assert_frame_equal(carried_out(tmp_path, "imports.py"), alone)
    (tmp_path / "runs").rename(tmp_path / "runs of the module")
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    cells = [nbformat.v4.new_code_cell(text) for text in (defined, swept)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), tmp_path / "own.ipynb")
    papermill.execute_notebook(tmp_path / "own.ipynb", None, progress_bar=False)
    found = pandas.read_json(tmp_path / "table.json").drop(columns=NAMED)
    pandas.testing.assert_frame_equal(found, alone)


def test_a_changed_layer_is_another_run_and_the_old_one_comes_back(tmp_path):
    tables = []
    for factor in (2, 3, 2):
        (tmp_path / "script.py").write_text("\n".join(texts(tmp_path, workers=1, factor=factor)))
        tables.append(carried_out(tmp_path, "script.py"))
    first, changed, again = (table.set_index("model") for table in tables)
    pandas.testing.assert_frame_equal(first, again)
    assert (changed.loc["Own", "test_loss_last"] != first.loc["Own", "test_loss_last"]).all()
    pandas.testing.assert_frame_equal(changed.loc["MLP"], first.loc["MLP"])
    assert len(list((tmp_path / "runs").glob("*/*.json"))) == 2 + 2 + 2


# ----- data


def registered(toy, shuffled):
    task = toy("classes", "fair")
    train = task.x_train, task.y_train.flip(0) if shuffled else task.y_train
    test = (task.x_test, task.y_test)
    data.register("Own", domain="tabular")(lambda request: make_task("Own", "tabular", "fair", train, test))


def test_shuffled_labels_are_another_run(own_registries, toy, tmp_path):
    specs = grid(dataset="Own", model="MLP", widths=(3,), epochs=2)
    for shuffled in (False, True, False):
        registered(toy, shuffled)
        fresh = sweep_here(specs, tmp_path / f"fresh {shuffled}")
        pandas.testing.assert_frame_equal(sweep_here(specs, tmp_path / "one"), fresh)
    registered(toy, False)
    sweep_here(specs, tmp_path / "one", train=no_training)


def test_another_data_folder_is_another_run(tmp_path):
    header = ",".join(f"c{k}" for k in range(22)) + ",target\n"
    inputs = [",".join(str((row * k + row // 7) % 5) for k in range(1, 23)) for row in range(200)]
    for name, flip in (("a", 0), ("b", 1)):
        (tmp_path / name / "uci").mkdir(parents=True)
        rows = [f"{values},{'pe'[(row + flip * (row // 3)) % 2]}\n" for row, values in enumerate(inputs)]
        (tmp_path / name / "uci" / "73.csv").write_text(header + "".join(rows))
    specs = grid(dataset="Mushroom", model="MLP", widths=(3,), epochs=2)
    for name in ("a", "b", "a"):
        fresh = sweep_here(specs, tmp_path / f"fresh {name}", data_dir=tmp_path / name)
        pandas.testing.assert_frame_equal(sweep_here(specs, tmp_path / "one", data_dir=tmp_path / name), fresh)
    assert len(list((tmp_path / "one").glob("*/*.json"))) == 2


# ----- what is sent to workers


def test_what_comes_with_the_package_has_no_code_of_its_own():
    assert sent_along.code(RunSpec(dataset="Digits", model="KAN", widths=(2,))) is None
    assert sent_along.code(ContinualSpec(dataset="Peaks_1d", model="KAN", widths=(), stream="peaks", strategy="joint")) is None


def test_a_family_of_datasets_is_sent_as_it_is_registered(own_registries, toy):
    def loader(request):
        return toy("classes", request.protocol)

    data.register("Own_n", domain="tabular", pattern=r"Own_\d+")(loader)
    spec = RunSpec(dataset="Own_7", model="MLP", widths=(2,))
    sent = sent_along.entries([spec])
    assert sent_along.code(spec) is not None
    del data.registry._DATASETS["Own_n"]
    with pytest.raises(InputError, match="unknown dataset 'Own_7'"):
        data.dataset("Own_7")
    sent_along.restore(sent)
    assert data.dataset("Own_7").loader is loader


def test_a_module_whose_values_were_set_from_outside_runs_as_it_is_in_memory_whatever_its_file_says(tmp_path):
    defined, swept = texts(tmp_path)
    (tmp_path / "own_things.py").write_text(
        defined.replace("return 2 * x.tanh()", "return FACTOR * x.tanh()") + "\nFACTOR = 2\n"
    )
    (tmp_path / "script.py").write_text("import own_things\nown_things.FACTOR = 3\n" + swept)
    changed = carried_out(tmp_path, "script.py").set_index("model")
    (tmp_path / "runs").rename(tmp_path / "runs of 3")
    (tmp_path / "script.py").write_text("import own_things\n" + swept)
    as_written = carried_out(tmp_path, "script.py").set_index("model")
    assert (changed.loc["Own", "test_loss_last"] != as_written.loc["Own", "test_loss_last"]).all()
    pandas.testing.assert_frame_equal(changed.loc["MLP"], as_written.loc["MLP"])


def test_data_that_change_during_a_sweep_end_it_and_are_kept_under_no_false_name(own_registries, toy, tmp_path):
    calls = []

    def changing(request):
        calls.append(request.name)
        task = toy("classes", "fair")
        return replace(task, x_test=task.x_test + len(calls))

    data.register("Own", domain="tabular")(changing)
    names = [f"Same{number}" for number in range(6)]
    data.register(*names, domain="tabular")(lambda request: toy("classes", "fair"))
    specs = grid(dataset=["Own", *names], model="MLP", widths=(3,), epochs=1)
    with pytest.raises(InputError, match="the data of Own have changed since the sweep began; start it anew"):
        sweep_here(specs, tmp_path)
    digests = {json.loads(path.read_text())["run"]["data"] for path in tmp_path.glob("*/*.json")}
    assert digests <= {toy("classes", "fair").digest}
