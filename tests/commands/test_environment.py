import doctest
import importlib
import pkgutil
import re
import shutil
import subprocess
import tomllib
from importlib.metadata import version

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import kanbefair
from kanbefair.folders import PROJECT
from kanbefair.studies.speed import other_layers

PROJECT_FILE = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT_FILE["optional-dependencies"]
PEERS = EXTRAS.pop("speed")
PINS = [*PROJECT_FILE["dependencies"], *(pin for group in EXTRAS.values() for pin in group)]
LOCK = (PROJECT / "requirements.lock").read_text().splitlines()
MODULES = [name for _, name, _ in pkgutil.walk_packages(kanbefair.__path__, "kanbefair.")]


def here(line):
    """The requirement of a line of the lock, or None if it is for another platform."""
    requirement = Requirement(line)
    return requirement if requirement.marker is None or requirement.marker.evaluate() else None


LOCKED = {requirement.name: requirement for requirement in map(here, LOCK) if requirement}


@pytest.mark.parametrize("line", LOCK)
def test_the_lock_holds_exact_versions_and_no_addresses(line):
    assert re.fullmatch(r"[a-z0-9._-]+==[0-9][a-z0-9.]*( ; [a-z_]+ .*)?", line)
    assert "/" not in line
    assert Requirement(line).url is None


@pytest.mark.parametrize("pin", PINS)
def test_every_pin_of_the_project_is_in_the_lock(pin):
    pinned = Requirement(pin)
    assert str(pinned.specifier).startswith("==")
    assert LOCKED[pinned.name].specifier == pinned.specifier


@pytest.mark.parametrize("pin", PEERS)
def test_peers_are_pinned_and_not_installed_with_the_project(pin):
    assert str(Requirement(pin).specifier).startswith("==")
    assert Requirement(pin).name not in LOCKED
    assert Requirement(pin).name in {peer.package for peer in other_layers.PEERS.values()}


def test_torch_and_its_two_companions_are_the_versions_that_fit():
    pins = {Requirement(pin).name: str(Requirement(pin).specifier) for pin in PINS}
    assert (pins["torch"], pins["torchvision"], pins["torchaudio"]) == ("==2.11.0", "==0.26.0", "==2.11.0")


@pytest.mark.parametrize("name", LOCKED)
def test_what_is_installed_is_what_is_locked(name):
    assert version(name) in LOCKED[name].specifier


def test_conda_gets_python_and_the_locked_project_and_no_pins_of_its_own():
    text = (PROJECT / "environment.yml").read_text()
    environment = yaml.safe_load(text)
    python, pip, by_pip = environment["dependencies"]
    name, release = python.split("=")
    assert name == "python"
    assert SpecifierSet(PROJECT_FILE["requires-python"]).contains(f"{release}.0")
    assert pip == "pip"
    assert by_pip == {"pip": ["-r requirements.lock", "-e ."]}
    assert environment["name"] == PROJECT_FILE["name"]
    assert "==" not in text
    assert "://" not in text


def test_make_installs_from_the_lock():
    makefile = (PROJECT / "Makefile").read_text()
    assert "pip install --quiet --disable-pip-version-check -r requirements.lock" in makefile
    assert not re.search(r"pip install[^\n]*==", makefile)


def test_ci_looks_at_what_is_tracked_and_then_tests():
    assert (PROJECT / ".ci" / "run").read_text().splitlines()[-2:] == ["make check-tree", "make test"]


def check_tree(folder, *variables):
    command = ["make", "--silent", "--file", PROJECT / "Makefile", "check-tree", *variables]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_tree_holds_no_ignored_file_and_few_bytes(tmp_path):
    def git(*command):
        identity = ("-c", "user.name=test", "-c", "user.email=test@localhost")
        subprocess.run(["git", *identity, *command], cwd=tmp_path, check=True, capture_output=True)

    assert check_tree(tmp_path).returncode != 0, "outside a checkout nothing can be said"
    git("init")
    (tmp_path / "kept.txt").write_text("x" * 1000)
    (tmp_path / ".gitignore").write_text("*.tmp\n")
    git("add", ".")
    git("commit", "--message", "first")
    assert check_tree(tmp_path).stdout == "Tracked: 0.001006 MB of at most 22\n"
    assert check_tree(tmp_path, "MOST_MB=0.001").returncode != 0
    (tmp_path / "left.tmp").write_text("")
    assert check_tree(tmp_path).returncode == 0
    git("add", "--force", "left.tmp")
    ended = check_tree(tmp_path)
    assert ended.returncode != 0
    assert ended.stdout == "left.tmp\nThese files are ignored and yet tracked.\n"


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_hold(name):
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0
