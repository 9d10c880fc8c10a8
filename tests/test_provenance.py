"""The commit beside every number is that of all files that decide it."""

import ast
import importlib.util
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import kanbefair
from kanbefair import provenance

PACKAGE = Path(kanbefair.__file__).parent
TRAINERS = ["kanbefair.training"]
"""The modules that train; what they import, directly or not, decides their results."""
EXEMPT = {
    "kanbefair.errors": "words of errors only",
    "kanbefair.folders": "names folders only",
    "kanbefair.provenance": "tells the commit",
    "kanbefair.measure": "times a run, but does not change it",
}
"""Modules, or folders of modules, that decide no result, and why; what only they import decides none either."""


def file_of(module: str) -> Path | None:
    """The file of one of the package's modules; None for names that are no module."""
    stem = PACKAGE.joinpath(*module.split(".")[1:])
    files = [stem / "__init__.py", stem.with_suffix(".py")]
    return next((path for path in files if path.is_file()), None)


def named_in(module: str) -> set[str]:
    """All names of the package that a module's text imports, wherever it does."""
    path = file_of(module)
    around = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            origin = importlib.util.resolve_name("." * node.level + (node.module or ""), around)
            found |= {origin, *(f"{origin}.{alias.name}" for alias in node.names)}
    return {name for name in found if name.split(".")[0] == "kanbefair"}


def imported_from(trainer: str) -> set[str]:
    """A trainer and all modules of the package that it needs; to import a module runs the packages that it is in."""
    found, ahead = set(), [trainer]
    while ahead:
        module = ahead.pop()
        exempt = any(f"{module}.".startswith(f"{name}.") for name in EXEMPT)
        if module not in found and not exempt and file_of(module):
            found.add(module)
            if module == "kanbefair":
                continue  # it hands on names of everything
            ahead += [*named_in(module), *([module.rpartition(".")[0]] if "." in module else [])]
    return found


def noticed(path: Path) -> bool:
    return any(path.is_relative_to(PACKAGE / name) for name in provenance.SOURCES)


@pytest.mark.parametrize("trainer", TRAINERS)
def test_all_modules_that_a_trainer_imports_are_noticed(trainer):
    modules = imported_from(trainer)
    assert {trainer, "kanbefair", "kanbefair.specs", "kanbefair.data", "kanbefair.data.registry"} <= modules
    assert [name for name in sorted(modules) if not noticed(file_of(name))] == []


def test_all_files_that_are_no_modules_are_noticed():
    """Embedded data and the source text of compiled operators."""
    others = [path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")]
    others = [path for path in others if "studies" not in path.parts]  # figures of others that tables quote
    assert {".cpp", ".h", ".npz", ".gz"} <= {path.suffix for path in others}
    assert [path for path in others if not noticed(path)] == []


def test_all_sources_are_there():
    assert provenance.PACKAGE == PACKAGE
    assert [name for name in provenance.SOURCES if not (PACKAGE / name).exists()] == []


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=Nobody", "-c", "user.email=nobody@example.org"]
    done = subprocess.run(["git", "-C", str(folder), *who, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def source(package: Path, name: str) -> Path:
    """A file that `name`, a file or a folder among the sources, stands for."""
    return package / name if "." in name else package / name / "within" / "it.txt"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def package(tmp_path, monkeypatch) -> Iterator[Path]:
    """A package with all sources and a file of plots, not under git."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    package = tmp_path / "repository" / "package"
    for name in provenance.SOURCES:
        write(source(package, name), "first")
    write(package / "pictures" / "plots.py", "first")
    monkeypatch.setattr(provenance, "PACKAGE", package)
    provenance.commit.cache_clear()
    yield package
    provenance.commit.cache_clear()


def commit_all(package: Path) -> str:
    """Commits all and returns the commit's hash as it is told."""
    git(package.parent, "add", "--all")
    git(package.parent, "commit", "--quiet", "--message", "all")
    return git(package.parent, "rev-parse", "HEAD")[:10]


@pytest.fixture
def committed(package) -> str:
    git(package.parent, "init", "--quiet")
    return commit_all(package)


def test_a_clean_tree_has_its_hash(committed):
    assert provenance.commit() == committed


@pytest.mark.parametrize("name", provenance.SOURCES)
def test_a_changed_source_is_noticed(name, package, committed):
    write(source(package, name), "second")
    assert provenance.commit() == committed + "+"
    later = commit_all(package)
    provenance.commit.cache_clear()
    assert provenance.commit() == later != committed


@pytest.mark.parametrize("name", [name for name in provenance.SOURCES if "." not in name])
def test_a_new_file_in_a_folder_of_sources_is_noticed(name, package, committed):
    write(package / name / "new.py", "new")
    assert provenance.commit() == committed + "+"


@pytest.mark.parametrize("name", ["package/pictures/plots.py", "package/new.py", "results/table.csv"])
def test_what_decides_no_result_is_not_noticed(name, package, committed):
    write(package.parent / name, "second")
    assert provenance.commit() == committed
    assert commit_all(package) != committed
    provenance.commit.cache_clear()
    assert provenance.commit() == committed


def test_sources_that_were_never_committed_are_told(package):
    git(package.parent, "init", "--quiet")
    git(package.parent, "commit", "--quiet", "--allow-empty", "--message", "nothing")
    assert provenance.commit() == "uncommitted+"


def test_outside_a_repository_the_commit_is_unknown(package):
    assert provenance.commit() == "unknown"


def test_without_git_the_commit_is_unknown(committed, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.commit() == "unknown"


def test_the_commit_is_among_the_columns_of_a_table(committed):
    provenance.provenance.cache_clear()
    assert provenance.provenance()["commit"] == committed
    provenance.provenance.cache_clear()
