"""The package as its users import it, and as it is without a checkout."""

import importlib
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import kanbefair


def test_the_public_names_are_there():
    assert all(hasattr(kanbefair, name) for name in kanbefair.__all__)
    assert kanbefair.__version__ == version("kanbefair")


def test_the_command_leaves_the_function_of_its_name():
    importlib.import_module("kanbefair.train")
    spec = kanbefair.RunSpec(dataset="Special_1d_gelu", model="MLP", widths=(2,), epochs=1)
    (record,) = kanbefair.train([spec], kanbefair.load(spec.dataset))
    assert record["key"] == spec.key


@pytest.fixture
def installed(tmp_path):
    """Calls `python` where only a copy of the package is, as a wheel would lay it, from an empty folder."""
    site = tmp_path / "site"
    here = tmp_path / "here"
    here.mkdir()
    shutil.copytree(Path(kanbefair.__file__).parent, site / "kanbefair", ignore=shutil.ignore_patterns("__pycache__"))
    environment = os.environ | {"PYTHONPATH": str(site)}

    def call(*arguments):
        return subprocess.run([sys.executable, *arguments], cwd=here, env=environment, capture_output=True, text=True)

    return call, site, here


def test_without_a_checkout_results_go_to_the_working_directory(installed):
    call, site, here = installed
    done = call("-m", "kanbefair.train", "--dataset", "Digits", "--model", "MLP", "--epochs", "1")
    assert done.returncode == 0, done.stderr
    assert len(list((here / "results" / "runs").rglob("*.json"))) == 1
    assert not (site / "results").exists()


def test_without_a_checkout_what_needs_one_says_so(installed):
    call, _, here = installed
    done = call("-m", "kanbefair.execute", "--profile", "smoke")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        f"error: there are no notebooks in '{here / 'notebooks'}'; call this from a clone of the project"
    )
