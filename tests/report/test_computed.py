import pandas
import pytest
import torch

from kanbefair.models import compiled
from kanbefair.provenance import RESULTS_VERSION, mkl_setting, processor
from kanbefair.report import computed
from kanbefair.report.computed import Computed

HOW = {
    "results_version": 1,
    "processor": "A",
    "capability": "AVX2",
    "mkl": "default",
    "form": "compiled",
    "threads": 1,
}
RUNS = pandas.DataFrame([HOW | {"model": "KAN"}, HOW | {"model": "MLP", "processor": "B"}])
PLAIN = pandas.DataFrame({"score": [1.0, 2.0]})


def test_a_table_of_runs_says_it_at_its_end():
    table = computed.last(RUNS)
    assert list(table) == ["model", *HOW]
    pandas.testing.assert_frame_equal(table[list(RUNS)], RUNS, check_dtype=False)


def test_runs_that_do_not_say_it_are_named(tmp_path):
    table = computed.last(pandas.concat([RUNS, PLAIN], ignore_index=True))
    assert table["threads"].tolist() == [1, 1, "unknown", "unknown"]
    assert table.to_csv(columns=computed.NAMES, index=False, float_format="%.8g").splitlines()[2:4] == [
        "1,B,AVX2,default,compiled,1",
        "unknown,unknown,unknown,unknown,unknown,unknown",
    ]


def test_what_was_made_of_runs_says_what_they_say():
    how = Computed()
    assert list(how.see(RUNS)) == ["model"]
    table = how.add(PLAIN)
    assert list(table) == ["score", *HOW]
    assert table.drop(columns="score").drop_duplicates().to_numpy().tolist() == [
        ["1", "A | B", "AVX2", "default", "compiled", "1"]
    ]
    again = Computed()
    again.see(table)
    again.see(PLAIN)
    assert again.add(PLAIN).iloc[0].tolist() == [
        1.0,
        "1 | unknown",
        "A | B | unknown",
        "AVX2 | unknown",
        "default | unknown",
        "compiled | unknown",
        "1 | unknown",
    ]


@pytest.mark.parametrize("form", ["compiled", "plain"])
def test_what_was_made_of_no_runs_tells_of_this_process(monkeypatch, form):
    monkeypatch.setattr(compiled, "form", lambda device: form)
    assert Computed().add(PLAIN).iloc[0].to_dict() == {
        "score": 1.0,
        "results_version": str(RESULTS_VERSION),
        "processor": processor(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "mkl": mkl_setting(),
        "form": form,
        "threads": "1",
    }


def test_what_is_written_anew_replaces_what_it_said_before():
    how = Computed()
    how.see(RUNS)
    assert list(how.add(RUNS)) == ["model", *HOW]
    assert how.add(RUNS)["processor"].tolist() == ["A | B", "A | B"]


def test_a_table_of_times_names_its_machine_alone():
    times = PLAIN.assign(machine="M", threads=2)
    how = Computed()
    pandas.testing.assert_frame_equal(how.see(times), times)
    assert how.seen == {}
    pandas.testing.assert_frame_equal(how.add(times), times)
    pandas.testing.assert_frame_equal(computed.without(times), times)


def test_runs_that_failed_do_not_say_how_they_were_computed():
    how = Computed()
    failed = {"model": "KAN", "outcome": "failed"}
    table = computed.last(pandas.DataFrame([*RUNS[:1].assign(outcome="done").to_dict("records"), failed]))
    how.see(table)
    assert how.seen["processor"] == {"A"} and how.news() == ""


def test_what_differs_between_runs_is_said_once_and_again_when_more_does():
    how = Computed()
    assert how.news() == ""
    how.see(RUNS[:1])
    assert how.news() == ""
    how.see(RUNS.assign(form=["compiled", "plain"]))
    assert how.news() == "these runs were computed in several ways: processor A | B; form compiled | plain"
    assert how.news() == ""
    how.see(RUNS)
    assert how.news() == ""
    how.see(RUNS.assign(processor="C"))
    assert how.news() == "these runs were computed in several ways: processor A | B | C; form compiled | plain"
