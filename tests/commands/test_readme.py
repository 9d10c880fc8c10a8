import importlib
import json
import os
import re
import shlex
import subprocess
import sys

import pytest

from kanbefair import readme
from kanbefair.folders import PROJECT
from kanbefair.studies.fairness import answer, findings, practitioner

TEXT = (PROJECT / "README.md").read_text()
PROTOCOL = (PROJECT / "docs" / "protocol.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
PYTHON = [code for language, code in BLOCKS if language == "python"]
LINES = [
    shlex.split(line, comments=True)
    for language, code in BLOCKS
    if not language
    for line in code.replace("\\\n", " ").splitlines()
]


def commands(*start):
    """The arguments of the command lines that begin so, variables before them aside."""
    found = [[word for word in line if "=" not in word or word.startswith("-")] for line in LINES]
    return [line[len(start) :] for line in found if tuple(line[: len(start)]) == start]


def test_only_the_named_block_is_replaced():
    text = "a\n<!-- x:start (by code) -->\nold\n<!-- x:end -->\nb\n<!-- y:start -->\n<!-- y:end -->\n"
    assert readme.updated(text, {"x": "new"}) == text.replace("old", "new")


def test_the_readme_shows_the_committed_tables():
    assert readme.updated(TEXT, readme.blocks()) == TEXT


def test_below_the_tabular_verdicts_stand_those_of_the_papers_own_tables():
    lines = readme.blocks()["verdict"].splitlines()
    assert [line.startswith("  ") for line in lines] == [False] * 5 + [True] * 4 + [False] * 6
    assert all(line.startswith("  - tabular (ten tables), equal ") for line in lines[5:9])
    assert all("95 % interval over 10 datasets" in line for line in lines[5:9])
    assert lines[4].startswith("- tabular, the paper's own datasets trained again")


def test_the_fair_studys_labels_are_those_of_its_committed_runs():
    kept, _ = findings.labels()
    found = findings.by_domain(findings.read())
    names = ["domain", "budget_kind", "first", "second", "label", "sources"]
    assert kept[names].to_dict("records") == found[names].to_dict("records"), "execute 11_fairness and 00_verdict, then readme"


def test_datasets_have_the_labels_of_the_committed_runs():
    _, kept = findings.labels()
    found = findings.by_dataset(findings.read())
    names = ["dataset", "budget_kind", "first", "second", "label"]
    assert kept[names].to_dict("records") == found[names].to_dict("records"), "execute 11_fairness and 00_verdict, then readme"


@pytest.mark.parametrize("name", ["00_verdict", "11_fairness"])
def test_the_readme_and_the_notebooks_say_the_labels_of_the_same_tables(name):
    said = answer.sentences(*findings.labels()).data
    assert said in TEXT
    cells = json.loads((PROJECT / "results" / "embedded" / "notebooks" / f"{name}.ipynb").read_text())["cells"]
    (cell,) = (cell for cell in cells if "".join(cell["source"]).startswith("answer.sentences("))
    assert "".join(cell["outputs"][0]["data"]["text/markdown"]) == said


def test_the_page_for_practitioners_shows_the_committed_tables():
    page = practitioner.page(findings.read(), *findings.labels())
    assert (PROJECT / "docs" / "practitioner.md").read_text() == page


def test_every_link_of_the_readme_leads_somewhere():
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", TEXT):
        path, _, place = target.partition("#")
        assert (PROJECT / path).exists(), target
        assert not place or f'id="{place}"' in (PROJECT / path).read_text(), target


def test_the_papers_claims_are_numbered_as_in_the_protocol():
    numbers = re.findall(r"^(\d)\. .*?\[claim (\d)\]\(docs/protocol.md#claim-(\d)\)", TEXT, re.DOTALL | re.MULTILINE)
    assert numbers == [(number, number, number) for number in "1234"]
    assert re.findall(r'^(\d)\. <a id="claim-(\d)">', PROTOCOL, re.MULTILINE) == [(number, number) for number in "1234"]


def test_the_map_names_every_folder_and_command_of_the_package():
    package = PROJECT / "kanbefair"
    folders = [path.parent for path in package.rglob("__init__.py") if path.parent not in (package, package / "studies")]
    chosen = [path for path in folders if path.parent in (package, package / "studies")]
    for path in chosen:
        assert len(re.findall(rf"^\| `{path.relative_to(package)}/` \| [^|\n]+ \|$", TEXT, re.MULTILINE)) == 1, path
    for path in package.glob("[a-z]*.py"):
        assert f"`{path.name}`" in TEXT, path


def test_every_command_line_names_the_program_of_the_environment():
    starts = {next(word for word in line if "=" not in word) for line in LINES}
    assert starts == {".venv/bin/python", ".venv/bin/papermill", "make", "conda"}


def test_the_single_run_of_the_readme_works_from_a_fresh_shell(tmp_path):
    (arguments,) = commands(".venv/bin/python", "-m", "kanbefair.train")
    shell = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PATH")} | {
        "PATH": "/usr/bin:/bin"
    }
    call = [sys.executable, "-m", "kanbefair.train", *arguments, "--out", str(tmp_path)]
    done = subprocess.run(call, cwd=PROJECT, env=shell, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "23,550 parameters" in done.stdout
    assert len(list((tmp_path / "results" / "runs").rglob("*.json"))) == 1


def test_the_targets_of_make_are_there():
    makefile = (PROJECT / "Makefile").read_text()
    for target, *_ in commands("make"):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("command", ["execute", "studies.released.reruns", "studies.released.rounding", "train"])
def test_every_option_of_a_command_line_is_known(command, capsys):
    (arguments,) = commands(".venv/bin/python", "-m", f"kanbefair.{command}")
    module = importlib.import_module(f"kanbefair.{command}")
    with pytest.raises(SystemExit) as ended:
        module.main([*arguments, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert [option for option in arguments if option.startswith("--") and option not in shown] == []


def test_every_module_that_is_called_is_there():
    called = [line[0] for line in commands(".venv/bin/python", "-m")]
    assert len(called) == 5
    for name in called:
        assert callable(importlib.import_module(name).main)


def test_papermill_gets_notebooks_that_are_there_and_parameters_that_they_have():
    lines = commands(".venv/bin/papermill")
    assert len(lines) == 2
    for source, _, *options in lines:
        cells = json.loads((PROJECT / source).read_text())["cells"]
        (parameters,) = ("".join(cell["source"]) for cell in cells if "parameters" in cell["metadata"].get("tags", []))
        for flag, name, _ in zip(options[::3], options[1::3], options[2::3], strict=True):
            assert flag == "-p"
            assert re.search(rf"^{name}:", parameters, re.MULTILINE), name


def test_the_python_blocks_run_one_after_the_other(own_registries, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    variables = {"__name__": "__main__"}
    for number, code in enumerate(PYTHON):
        exec(compile(code, f"README.md, Python block {number}", "exec"), variables)
    shown = capsys.readouterr().out
    assert "Disc (tabular), equal parameters from " in shown
    assert "torch.Size([5, 10]) 225150 10198740" in shown
    assert len(PYTHON) == 5
