"""Workers as real processes: they die, are stopped, and end with the process that started them."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from jupyter_client.manager import start_new_kernel

from kanbefair.errors import INTERRUPTED, InputError
from kanbefair.sweep.pool import carry_out

PATIENCE = 120
"""Seconds after which a test gives up; the machine may be busy."""


def all_of(work, jobs, workers=2):
    """Carry out all jobs; returns what failed, and why."""
    failed = {}
    for _ in carry_out(work, jobs, workers, failed.__setitem__):
        pass
    return failed


def workers_of(process=None):
    return [child for child in psutil.Process(process).children(recursive=True) if "popen_loky" in " ".join(child.cmdline())]


def test_a_worker_that_dies_is_replaced_and_its_job_tried_again(tmp_path, caplog):
    def work(job):
        with open(tmp_path / f"{job}", "a") as file:
            file.write(".")
        if job == 1 and (tmp_path / "1").read_text() == ".":
            os.kill(os.getpid(), signal.SIGKILL)

    assert all_of(work, range(4)) == {}
    assert [len((tmp_path / f"{job}").read_text()) for job in range(4)] == [1, 2, 1, 1]
    assert caplog.messages == ["a worker died and is replaced, its job tried again"]
    assert workers_of() == []


def test_a_job_whose_worker_dies_twice_and_one_with_an_error_fail_and_stop_no_other(tmp_path):
    def work(job):
        if job == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        if job == 1:
            raise ValueError("one\nand two")
        (tmp_path / f"{job}").touch()

    failed = all_of(work, range(5))
    assert failed.keys() == {0, 1}
    assert "its worker died twice" in failed[0] and "SIGKILL" in failed[0]
    assert failed[1] == "ValueError: one and two"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2", "3", "4"]


def test_an_error_that_cannot_be_sent_is_told_as_it_is():
    def work(job):
        class Own(Exception):
            def __init__(self, code, text):
                super().__init__(f"{code}: {text}")

        raise Own(7, "wrong")

    assert all_of(work, [0], workers=1) == {0: "Own: 7: wrong"}


def test_bad_input_ends_all_at_once():
    def work(job):
        if job == 0:
            raise InputError("the disk is full")
        time.sleep(PATIENCE)

    start = time.monotonic()
    with pytest.raises(InputError, match="the disk is full"):
        all_of(work, range(2))
    assert time.monotonic() - start < PATIENCE
    assert workers_of() == []


def test_a_caller_that_stops_leaves_no_process():
    pending = carry_out(lambda job: time.sleep(PATIENCE), range(2), 2, lambda job, why: None)
    next(pending)
    assert len(workers_of()) == 2
    pending.close()
    assert workers_of() == []


PROGRAM = """
from kanbefair import sweep
from kanbefair.specs import grid
specs = grid(dataset="Special_jv", model="MLP", widths=[(n,) for n in range(2, 40)], epochs={epochs})
print(len(sweep.run(specs, runs={runs!r}, workers=2, progress=False)))
"""


@pytest.fixture
def program(tmp_path):
    """`program(epochs)` starts a script, without a main guard, that sweeps; it has a session of its own."""
    started = []

    def start(epochs):
        (tmp_path / "program.py").write_text(PROGRAM.format(epochs=epochs, runs=str(tmp_path / "runs")))
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen([sys.executable, tmp_path / "program.py"], start_new_session=True, **pipes))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def wait_for(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def records(folder):
    return list(folder.glob("runs/*/*.json"))


def shown_by(client, asked):
    """What a cell has shown when it has ended."""
    shown = []
    while True:
        message = client.get_iopub_msg(timeout=PATIENCE)
        if message["parent_header"].get("msg_id") == asked:
            if message["content"].get("execution_state") == "idle":
                return shown
            if message["msg_type"] in ("stream", "error"):
                shown.append(message["content"])


def test_interrupting_a_notebooks_cell_shows_one_line_leaves_no_process_and_the_kernel_goes_on(tmp_path):
    manager, client = start_new_kernel()
    try:
        asked = client.execute(PROGRAM.format(epochs=100_000, runs=str(tmp_path / "runs")))
        pid = manager.provisioner.process.pid
        wait_for(lambda: len(workers_of(pid)) == 2)
        time.sleep(1)
        started = workers_of(pid)
        manager.interrupt_kernel()
        (shown,) = shown_by(client, asked)
        assert shown["traceback"] == [INTERRUPTED]
        (shown,) = shown_by(client, client.execute("print('goes on')"))
        assert shown["text"] == "goes on\n"
        _, left = psutil.wait_procs(started, timeout=5)
        assert left == []
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


@pytest.mark.parametrize("group", [True, False])
def test_ctrl_c_ends_a_sweep_in_one_line_with_no_process_left(program, group):
    process = program(epochs=100_000)
    wait_for(lambda: len(workers_of(process.pid)) == 2)
    time.sleep(1)
    started = psutil.Process(process.pid).children(recursive=True)
    (os.killpg if group else os.kill)(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert (out, err) == ("", "interrupted: what is finished is kept; call it again to go on\n")
    assert process.returncode == 130
    _, left = psutil.wait_procs(started, timeout=5)
    assert left == []


def test_killed_in_the_middle_it_leaves_whole_records_and_no_process_and_goes_on(program, tmp_path):
    process = program(epochs=30)
    wait_for(lambda: len(records(tmp_path)) >= 3)
    started = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate(timeout=PATIENCE)
    _, left = psutil.wait_procs(started, timeout=PATIENCE)
    assert left == []
    kept = {path: path.stat().st_mtime_ns for path in records(tmp_path)}
    assert 3 <= len(kept) < 38
    out, err = program(epochs=30).communicate(timeout=PATIENCE)
    assert (out, err) == ("38\n", "")
    assert kept.items() <= {path: path.stat().st_mtime_ns for path in records(tmp_path)}.items()
