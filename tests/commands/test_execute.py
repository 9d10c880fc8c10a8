import json
import os
import signal
import subprocess
import sys
import time

import nbformat
import pandas
import papermill
import psutil
import pytest
from nbformat import v4

from kanbefair import execute
from kanbefair.errors import INTERRUPTED, InputError
from kanbefair.folders import PROJECT
from kanbefair.report.notebook import PARAMETERS
from kanbefair.report.tables import TRAINED, Outputs
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
    assert again["seconds"][1] == table["seconds"][1], "the time that says what training took stays"


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


def test_the_longest_of_the_last_time_comes_first_and_a_failure_stops_no_other(book, tmp_path, capsys):
    made = Outputs("smoke", tmp_path / "made")
    for name in ("03_long", "04_short"):
        nbformat.write(log(tmp_path, name), book / f"{name}.ipynb")
    made.write(
        "notebook_seconds",
        pandas.DataFrame(
            {"notebook": ["03_long", "02_fails"], "seconds": [9.0, 5.0], "runs": 0, "trained": 0, "workers": 1, "date": ""}
        ),
    )
    assert call(tmp_path, "04_short", "02_fails", "03_long", "--at-once", "1") == 1
    assert [line.split()[0] for line in (tmp_path / "log").read_text().splitlines()] == ["03_long", "04_short"]


def test_failures_are_listed_at_the_end_and_kept_for_inspection_and_the_verdict_is_left_out(book, tmp_path, capsys):
    nbformat.write(notebook("raise ValueError('two\\nlines')"), book / "03_fails.ipynb")
    assert call(tmp_path) == 1
    folder = tmp_path / "made" / "results" / "smoke" / "notebooks"
    listed = capsys.readouterr().err.split("error: ")[1].splitlines()
    assert listed[0] == "of 4 notebooks 3 failed:"
    assert sorted(listed[1:3]) == [
        f"  02_fails: KeyError: 'what went wrong' (see {folder / '02_fails.ipynb'})",
        f"  03_fails: ValueError: two (see {folder / '03_fails.ipynb'})",
    ]
    assert listed[3].startswith("  00_last: it is left out, for it reads what ")
    assert all(name in listed[3] for name in ("02_fails", "03_fails"))
    assert {path.stem for path in folder.iterdir()} == {"01_good", "02_fails", "03_fails"}


def test_runs_that_failed_are_counted_and_end_in_exit_1_though_the_verdict_is_read(book, tmp_path, capsys):
    said = [{TRAINED: {"runs": 9, "trained": 9, "failed": failed}, "text/plain": ""} for failed in (2, 0, 1)]
    said.append({TRAINED: {"runs": 9, "trained": 9}, "text/plain": ""})
    shown = "\n".join(f"display({json.dumps(each)}, raw=True)" for each in said)
    nbformat.write(notebook(shown), book / "03_shows.ipynb")
    nbformat.write(notebook("1 + 1"), book / "00_last.ipynb")
    assert call(tmp_path, "03_shows", "00_last") == 1
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == "03_shows: 3 runs failed"
    assert out.splitlines()[1].startswith("00_last: ")
    assert err.endswith("error: of 2 notebooks 1 failed:\n  03_shows: 3 runs failed\n")


def test_notebooks_run_under_this_interpreter_whatever_kernel_they_name(tmp_path, book, monkeypatch):
    """One names a kernel that is not there, one a kernel that is another program's, one none."""
    foreign = tmp_path / "jupyter" / "kernels" / "python3"
    foreign.mkdir(parents=True)
    spec = {"argv": ["false", "{connection_file}"], "display_name": "Python 3", "language": "python"}
    (foreign / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    (book / "02_fails.ipynb").unlink()
    for name, kernel in {"00_last": {}, "01_good": {"name": "no-such-kernel"}, "02_good": {"name": "python3"}}.items():
        made = notebook("import sys\nprint(sys.executable)")
        made.metadata["kernelspec"] = {"display_name": "A kernel", "language": "python"} | kernel
        if not kernel:
            made.metadata.clear()
        nbformat.write(made, book / f"{name}.ipynb")
    assert call(tmp_path) == 0
    for path in (tmp_path / "made" / "results" / "smoke" / "notebooks").iterdir():
        assert nbformat.read(path, as_version=4).cells[-1].outputs[0]["text"] == f"{sys.executable}\n"


# ----- with processes: notebooks that start others


CHILD = "import pathlib, subprocess, sys, time\nchild = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99)'])"
HERE = "pathlib.Path(out, '{}').write_text(str(child.pid))"


def test_a_kernel_that_dies_stops_no_other_and_what_it_started_ends(book, tmp_path, capsys):
    (book / "02_fails.ipynb").unlink()
    kill = "import os\nos.kill(os.getpid(), 9)"
    nbformat.write(notebook("\n".join([CHILD, HERE.format("child"), kill])), book / "02_dies.ipynb")
    assert call(tmp_path, "02_dies", "01_good", "--at-once", "1") == 1
    out = capsys.readouterr().out
    assert out.splitlines()[0] == "02_dies: its kernel has died; that happens where memory is short"
    assert out.splitlines()[1].startswith("01_good: ")
    assert not _runs(int((tmp_path / "made" / "child").read_text()))


def _runs(number):
    return psutil.pid_exists(number) and psutil.Process(number).status() != psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("sessions", [True, False])
def test_end_ends_what_a_process_has_started_and_no_other(sessions, monkeypatch):
    if not sessions:
        monkeypatch.delattr(os, "getsid")
    call = [sys.executable, "-c", f"{CHILD}\nprint(child.pid, flush=True)\ntime.sleep(99)"]
    ended, other = (subprocess.Popen(call, stdout=subprocess.PIPE, text=True, start_new_session=True) for _ in range(2))
    children = [int(process.stdout.readline()) for process in (ended, other)]
    execute.end([ended.pid])
    assert [_runs(number) for number in (ended.pid, children[0], other.pid, children[1])] == [False, False, True, True]
    execute.end([other.pid])
    assert not _runs(children[1])
    for process in (ended, other):
        process.stdout.close()
        process.wait()


@pytest.fixture
def slow(tmp_path):
    """A call that executes two notebooks at once, each of which starts a process and waits; ended if it still runs."""
    folder = tmp_path / "slow"
    folder.mkdir()
    for name in ("01_slow", "02_slow"):
        nbformat.write(notebook("\n".join([CHILD, HERE.format(name), "time.sleep(99)"])), folder / f"{name}.ipynb")
    nbformat.write(notebook("pathlib.Path(out, 'begun').touch()"), folder / "03_next.ipynb")
    script = f"""
import pathlib, signal, sys
from kanbefair import execute
signal.signal(signal.SIGINT, signal.default_int_handler)  # though the caller of the tests ignores it
execute.NOTEBOOKS = pathlib.Path({str(folder)!r})
sys.exit(execute.main(["--profile", "smoke", "--workers", "2", "--out", {str(tmp_path)!r}]))
"""
    started = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True, start_new_session=True)
    until = time.monotonic() + 60
    while len(list(tmp_path.glob("0*"))) < 2 and time.monotonic() < until and started.poll() is None:
        time.sleep(0.1)
    yield started
    started.stderr.close()
    if started.poll() is None:
        started.kill()
        started.wait()


@pytest.mark.parametrize(
    ("send", "number", "times"),
    [(os.killpg, signal.SIGINT, 1), (os.kill, signal.SIGINT, 3), (os.kill, signal.SIGTERM, 1)],
    ids=["ctrl-c", "three ctrl-c to the process alone", "sigterm"],
)
def test_an_interrupted_call_ends_within_5_seconds_with_all_it_has_started(slow, tmp_path, send, number, times):
    processes = [slow.pid, *(child.pid for child in psutil.Process(slow.pid).children(recursive=True))]
    assert {int(path.read_text()) for path in tmp_path.glob("0*")} < set(processes)
    assert len(processes) >= 5
    for _ in range(times):
        send(slow.pid, number)
        time.sleep(0.1)
    _, said = slow.communicate(timeout=5 - 0.1 * times)
    assert slow.returncode == 128 + number
    assert [line for line in said.splitlines() if line and "notebook/s" not in line] == [INTERRUPTED]
    assert not [each for each in processes if _runs(each)]
    assert not (tmp_path / "begun").exists()


def test_an_unknown_notebook_parameter_ends_in_an_error(book, tmp_path):
    done = execute.execute("00_last", {"profile": "smoke", "out": str(tmp_path / "made")})
    assert done.error.startswith("InputError: unknown notebook parameter 'rows'; known: profile")


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


def test_a_file_that_is_no_notebook_is_named_before_anything_is_executed(book, tmp_path, capsys):
    (book / "01_good.ipynb").write_text('{"cells": [')
    assert call(tmp_path) == 2
    assert f"error: '{book / '01_good.ipynb'}' is no notebook (NotJSONError: " in capsys.readouterr().err
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
    happened = v4.new_output("display_data", data={execute.HAPPENED: {}, "text/plain": "1 of 2 runs diverged (MLP 1)"})
    made.cells[2].outputs = [out, happened]
    made.cells[2].metadata["tags"] = [execute.VOLATILE_TAG]
    cleaned = execute.clean(made, "..")
    assert set(cleaned.metadata) == {"kernelspec"}
    assert cleaned.cells[1].metadata == cleaned.cells[3].metadata == {}
    assert cleaned.cells[1].outputs == [out]
    assert cleaned.cells[2].outputs == [happened]
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


def test_each_table_that_is_kept_is_one_that_a_notebook_writes():
    written = set().union(*(execute.tables(path.stem) for path in NOTEBOOKS))
    assert {path.stem for path in (PROJECT / "results" / "embedded").glob("*.csv")} - {"notebook_seconds"} <= written


def test_the_notebooks_of_the_five_domains_are_there():
    names = {path.stem for path in NOTEBOOKS}
    assert {"00_verdict", "01_counting", "03_symbolic", "04_tabular", "05_vision", "06_text", "07_audio"} <= names
