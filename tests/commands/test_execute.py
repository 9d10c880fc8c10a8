import subprocess
import sys

import nbformat
import pandas
import papermill
import pytest
from nbformat import v4

from kanbefair import execute
from kanbefair.errors import InputError
from kanbefair.folders import PROJECT
from kanbefair.report.notebook import PARAMETERS
from kanbefair.report.tables import Outputs
from kanbefair.studies.domains import design

NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))
VALUES = 'profile: str = "embedded"\ndata_dir: str = ""\ndevice: str = "cpu"\nworkers: int = 0\nout: str = ""'


def notebook(*sources, parameters=VALUES):
    first = v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
    made = v4.new_notebook(cells=[first, *map(v4.new_code_cell, sources)])
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return made


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A folder of small notebooks in place of the project's: `good`, `fails`, `other_parameters`."""
    folder = tmp_path / "book"
    folder.mkdir()
    begin = "from kanbefair.report.notebook import begin\nsection = begin(globals())"
    nbformat.write(
        notebook(begin, "print(section.profile)\nimport sys\nprint('noise', file=sys.stderr)"), folder / "01_good.ipynb"
    )
    nbformat.write(notebook("raise KeyError('what went wrong')"), folder / "02_fails.ipynb")
    nbformat.write(notebook(begin, "print(1)", parameters=VALUES + "\nrows: int = 3"), folder / "00_last.ipynb")
    monkeypatch.setattr(execute, "NOTEBOOKS", folder)
    return folder


def call(tmp_path, *flags):
    return execute.main([*flags, "--profile", "smoke", "--out", str(tmp_path / "made")])


def test_the_verdict_comes_last(book):
    assert execute.names() == ["01_good", "02_fails", "00_last"]


def test_a_notebook_is_executed_and_kept_without_what_changes(book, tmp_path, capsys):
    assert call(tmp_path, "01_good") == 0
    path = tmp_path / "made" / "results" / "smoke" / "notebooks" / "01_good.ipynb"
    first = path.read_bytes()
    kept = nbformat.read(path, as_version=4)
    assert kept.cells[-1].outputs == [{"output_type": "stream", "name": "stdout", "text": "smoke\n"}]
    assert not any(b"papermill" in line and b"injected" not in line for line in first.splitlines())
    assert "profile" in kept.cells[1].source and "workers" not in kept.cells[1].source
    assert call(tmp_path, "01_good", "--workers", "2") == 0
    assert path.read_bytes() == first


BEGIN = "from kanbefair.report.notebook import begin\nsection = begin(globals())"


def test_a_table_says_what_each_notebook_took_and_trained(book, tmp_path, capsys):
    run = "RunSpec(dataset='Digits', model='MLP', widths=(2,), epochs=1)"
    train = f"from kanbefair.specs import RunSpec\nsection.train('few', [{run}])"
    nbformat.write(notebook(BEGIN, train), book / "03_trains.ipynb")
    assert call(tmp_path, "03_trains", "01_good") == 0
    assert call(tmp_path, "01_good") == 0
    table = Outputs("smoke", tmp_path / "made").read("notebook_seconds")
    assert table[["notebook", "runs", "trained"]].to_numpy().tolist() == [["01_good", 0, 0], ["03_trains", 1, 1]]
    assert (table["seconds"] > 0).all()
    assert call(tmp_path, "03_trains", "01_good") == 0
    again = Outputs("smoke", tmp_path / "made").read("notebook_seconds")
    kept = (again["seconds"] == table["seconds"]).tolist()
    assert kept == [False, True], "the time that says what training took stays, others are of the last time"


def log(folder, line):
    return notebook(
        BEGIN, f"import time\nwith open('{folder}/log', 'a') as f: print('{line}', section.workers, time.time(), file=f)"
    )


def test_those_that_measure_and_the_verdict_have_all_workers_and_come_last(book, tmp_path, monkeypatch):
    monkeypatch.setattr(execute, "worker_count", lambda workers, device: 4)
    (book / "02_fails.ipynb").unlink()
    measures = log(tmp_path, "measures")
    measures.cells[1].metadata["tags"] = [execute.MEASURED_TAG]
    for name, made in {"00_last": log(tmp_path, "verdict"), "01_good": log(tmp_path, "one"), "02_times": measures}.items():
        nbformat.write(made, book / f"{name}.ipynb")
    nbformat.write(log(tmp_path, "three"), book / "03_good.ipynb")
    assert call(tmp_path) == 0
    lines = [line.split()[:2] for line in (tmp_path / "log").read_text().splitlines()]
    assert sorted(lines[:2]) == [["one", "2"], ["three", "2"]]
    assert lines[2:] == [["measures", "4"], ["verdict", "4"]]


def test_the_longest_of_the_last_time_comes_first_and_nothing_after_a_failure(book, tmp_path, capsys):
    made = Outputs("smoke", tmp_path / "made")
    for name in ("03_long", "04_short"):
        nbformat.write(log(tmp_path, name), book / f"{name}.ipynb")
    made.write(
        "notebook_seconds",
        pandas.DataFrame(
            {"notebook": ["03_long", "02_fails"], "seconds": [9.0, 5.0], "runs": 0, "trained": 0, "workers": 1, "date": ""}
        ),
    )
    assert call(tmp_path, "04_short", "02_fails", "03_long", "--at-once", "1") == 2
    assert [line.split()[0] for line in (tmp_path / "log").read_text().splitlines()] == ["03_long"]


def test_a_failing_notebook_ends_in_exit_2_and_is_kept_for_inspection(book, tmp_path, capsys):
    assert call(tmp_path, "02_fails") == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    path = tmp_path / "made" / "results" / "smoke" / "notebooks" / "02_fails.ipynb"
    assert lines == [f"error: notebook 02_fails failed: KeyError: 'what went wrong' (see {path})"]
    assert path.is_file()


def test_an_unknown_notebook_parameter_ends_in_an_error(book, tmp_path):
    with pytest.raises(InputError, match="00_last failed: InputError: unknown notebook parameter 'rows'; known: profile"):
        execute.execute("00_last", {"profile": "smoke", "out": str(tmp_path / "made")})


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["01_god"], "unknown notebook '01_god'; did you mean '01_good'"),
        (["--profile", "smok"], "unknown profile 'smok'; did you mean 'smoke'"),
    ],
)
def test_bad_input_executes_nothing(book, tmp_path, capsys, monkeypatch, flags, words):
    monkeypatch.setattr(papermill, "execute_notebook", None)
    assert execute.main(["--profile", "smoke", "--out", str(tmp_path / "made"), *flags]) == 2
    assert words in capsys.readouterr().err
    assert list(tmp_path.glob("made/**/*.ipynb")) == []


def test_a_folder_that_cannot_be_written(book, unwritable, capsys):
    assert execute.main(["--profile", "smoke", "--out", str(unwritable), "01_good"]) == 2
    assert "error: cannot write to folder" in capsys.readouterr().err


def test_from_a_shell_bad_input_shows_no_traceback(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-m", "kanbefair.execute", "--profile", "smok", "--out", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert "error: unknown profile 'smok'" in ended.stderr


def test_clean_keeps_what_was_measured():
    made = notebook("measures")
    made.cells[1].outputs = [v4.new_output("stream", name=name, text="x") for name in ("stdout", "stderr")]
    made.cells[1].metadata["tags"] = [execute.VOLATILE_TAG, execute.MEASURED_TAG]
    assert [output.name for output in execute.clean(made, "..").cells[1].outputs] == ["stdout"]


def test_clean_takes_out_what_changes_and_nothing_else():
    made = notebook("plain", "shows progress")
    made.metadata["papermill"] = {"duration": 3}
    made.metadata["widgets"] = {}
    made.cells[1].metadata["papermill"] = {"duration": 1}
    made.cells[1].metadata["execution"] = {"iopub.status.busy": "2024"}
    made.cells.append(v4.new_markdown_cell("text", metadata={"papermill": {"start_time": "2024"}}))
    out, err = (v4.new_output("stream", name=name, text="x") for name in ("stdout", "stderr"))
    made.cells[1].outputs = [out, err]
    made.cells[2].outputs = [out]
    made.cells[2].metadata["tags"] = [execute.VOLATILE_TAG]
    cleaned = execute.clean(made, "..")
    assert set(cleaned.metadata) == {"kernelspec"}
    assert cleaned.cells[1].metadata == cleaned.cells[3].metadata == {}
    assert cleaned.cells[1].outputs == [out]
    assert cleaned.cells[2].outputs == []
    assert cleaned.cells[2].metadata == {"tags": [execute.VOLATILE_TAG]}


def test_links_of_an_executed_copy_find_the_project():
    made = notebook("plain")
    made.cells.append(v4.new_markdown_cell("[Claims](../docs/protocol.md#claim-1), [01](01_counting.ipynb)"))
    cleaned = execute.clean(made, "../../..")
    assert cleaned.cells[-1].source == "[Claims](../../../docs/protocol.md#claim-1), [01](01_counting.ipynb)"


# ----- the project's notebooks


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_source_only_and_small_celled(path):
    cells = nbformat.read(path, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert cells[0].cell_type == "markdown"
    assert cells[0].source.startswith("# ")
    for cell in code:
        assert cell.outputs == []
        assert cell.execution_count is None
        assert len(cell.source.splitlines()) <= 16
        assert not any(line.startswith(("def ", "class ")) for line in cell.source.splitlines())


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_the_common_parameters_with_their_defaults(path):
    found = papermill.inspect_notebook(path)
    types = {name: entry["inferred_type_name"] for name, entry in found.items()}
    assert types.items() >= {name: "int" if name == "workers" else "str" for name in PARAMETERS}.items()
    assert found["profile"]["default"] == '"embedded"'
    assert "smoke | embedded | paper" in found["profile"]["help"]
    assert all(entry["help"] for entry in found.values())


@pytest.mark.parametrize("section", design.STUDIES)
def test_the_notebook_of_a_domain_trains_on_other_datasets(section, tmp_path):
    (path,) = (path for path in NOTEBOOKS if path.stem.endswith(section))
    defaults, begin = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"][:2]
    names = {}
    exec(defaults, names)
    names |= {"profile": "smoke", "out": str(tmp_path)}
    two = design.PAPER_DATASETS[section][:2]
    for given in (two, ", ".join(two)):
        names["datasets"] = given
        exec(begin, names)
        assert {spec.dataset for spec in names["specs"]} == set(two)
    names["datasets"] = "Digits" if section != "vision" else "Rice"
    with pytest.raises(InputError, match=f"dataset '{names['datasets']}' is of the domain .*, not of {section}; run it there"):
        exec(begin, names)


def test_the_notebooks_of_the_five_domains_are_there():
    names = {path.stem for path in NOTEBOOKS}
    assert {"00_verdict", "01_counting", "03_symbolic", "04_tabular", "05_vision", "06_text", "07_audio"} <= names
