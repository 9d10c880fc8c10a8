import subprocess
import sys
import threading
import time

from filelock import FileLock

from kanbefair.report import seconds
from kanbefair.report.tables import TRAINED, Outputs


def cell(**counts):
    return {"outputs": [{"output_type": "display_data", "data": {TRAINED: counts}}]}


def test_what_the_cells_say_is_summed_and_what_they_do_not_say_is_none():
    cells = [{}, {"outputs": [{"data": {"text/plain": "3"}}]}, cell(runs=3, trained=2, failed=1), cell(runs=4, trained=0)]
    assert [seconds.said(cells, name) for name in ("runs", "trained", "failed")] == [7, 2, 1]


def test_a_time_in_which_all_was_trained_stays_until_all_is_trained_again_and_others_are_of_the_last_time(tmp_path):
    outputs = Outputs("smoke", tmp_path)
    kept = []
    for taken, trained in ((5.0, 1), (9.0, 2), (1.0, 0), (2.0, 1), (8.0, 2)):
        seconds.keep(outputs, "03_trains", [cell(runs=2, trained=trained)], taken, 1)
        seconds.keep(outputs, "01_counts", [], taken, 1)
        kept.append([row["seconds"] for row in seconds.kept(outputs).values()])
    assert kept == [[5, 5], [9, 9], [1, 9], [2, 9], [8, 8]]


KEEP = """
import sys
from kanbefair.report import seconds
from kanbefair.report.tables import Outputs
for number in range(25):
    seconds.keep(Outputs("smoke", sys.argv[1]), f"{sys.argv[2]}_{number:02}", [], 1.0, 1)
"""


def test_two_processes_that_keep_seconds_at_once_lose_no_row(tmp_path):
    both = [subprocess.Popen([sys.executable, "-c", KEEP, tmp_path, name]) for name in "ab"]
    assert [process.wait() for process in both] == [0, 0]
    assert list(seconds.kept(Outputs("smoke", tmp_path))) == [f"{name}_{number:02}" for name in "ab" for number in range(25)]


def test_a_wait_for_another_process_is_told(tmp_path, capsys):
    outputs = Outputs("smoke", tmp_path)
    path = outputs.results / ".notebook_seconds.lock"
    keeping = threading.Thread(target=seconds.keep, args=(outputs, "01_counting", [], 1.0, 1))
    with FileLock(path):
        keeping.start()
        said, until = "", time.monotonic() + 10
        while not said and time.monotonic() < until:
            time.sleep(0.1)
            said = capsys.readouterr().out
        assert said == f"waiting for another process that writes notebook_seconds (it holds {path})\n"
        assert seconds.kept(outputs) == {}
    keeping.join()
    assert list(seconds.kept(outputs)) == ["01_counting"]
