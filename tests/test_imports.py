"""The contracts of pyproject.toml; `make test` holds the package to them, here each is seen to be broken."""

import shutil
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest
from helpers import ROOT

BAD_IMPORTS = {
    "a lower layer never imports a higher one": ("data.task", "kanbefair.sweep", "Store"),
    "studies import domains and never each other": ("studies.speed.design", "kanbefair.studies.continual", "findings"),
    "no module imports the public names from the package's root": ("sweep.store", "kanbefair", "RunSpec"),
    "no circle of imports": ("models.layers", "kanbefair.models.kan", "KANStack"),
    "only the style and the studies' figures draw": ("report.statistics", "matplotlib", "pyplot"),
    "only the report and the studies' findings speak to a notebook": ("sweep.cost", "IPython", "display"),
    "only execute reads and runs notebooks": ("report.tables", "papermill", "execute_notebook"),
    "models and training know no tables": ("training.step", "pandas", "DataFrame"),
}
"""By the contract that forbids it: a module of the package, and the module and the name that it is to import."""


@pytest.fixture(scope="module")
def complaints(tmp_path_factory) -> str:
    """What lint-imports says of a copy of the package with all bad imports."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "kanbefair", folder / "kanbefair", ignore=shutil.ignore_patterns("__pycache__", "embedded"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    for importer, module, name in BAD_IMPORTS.values():
        with (folder / "kanbefair" / importer.replace(".", "/")).with_suffix(".py").open("a") as file:
            file.write(f"\n\ndef late():\n    from {module} import {name}\n")
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 1, ended.stderr
    return ended.stdout


def test_every_contract_is_tried():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert [contract["name"] for contract in contracts] == list(BAD_IMPORTS)


@pytest.mark.parametrize("contract", BAD_IMPORTS)
def test_a_forbidden_import_breaks_its_contract_and_is_named(contract, complaints):
    importer, module, _ = BAD_IMPORTS[contract]
    said, _, reasons = complaints.partition("Broken contracts")
    assert f"\n{contract} BROKEN\n" in said
    assert (".layers -> .kan" if "circle" in contract else f"kanbefair.{importer} -> {module}") in reasons


def test_no_module_imports_itself_round_about():
    graph = grimp.build_graph("kanbefair", cache_dir=None)
    TopologicalSorter({name: graph.find_modules_directly_imported_by(name) for name in graph.modules}).prepare()
