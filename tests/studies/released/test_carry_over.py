import pandas
import pytest

from kanbefair.errors import InputError
from kanbefair.provenance import RESULTS_VERSION
from kanbefair.studies.released import carry_over, reruns


@pytest.fixture
def old(small, tmp_path):
    """Re-runs as they were kept before there was a results version; returns them and a function that changes their file."""
    reruns.run(workers=1, out=tmp_path)
    whole = pandas.read_csv(tmp_path / "reruns.csv.gz")

    def change(**columns):
        whole.drop(columns=["data", "results_version"]).assign(**columns).to_csv(tmp_path / "reruns.csv.gz", index=False)

    change()
    return whole, change


def test_rows_that_return_what_they_did_are_carried_over_and_count_as_done(old, tmp_path, monkeypatch):
    whole, _ = old
    said = carry_over.run(workers=1, rows=2, out=tmp_path)
    assert said == f"4 of 4 rows carried over to results version {RESULTS_VERSION}; 4 were trained again"
    pandas.testing.assert_frame_equal(pandas.read_csv(tmp_path / "reruns.csv.gz"), whole)
    monkeypatch.setattr(reruns.sweep, "run", lambda specs, **options: list(specs) == [] or pytest.fail("something is trained"))
    reruns.run(workers=1, out=tmp_path)


def test_rows_of_another_version_or_other_data_are_trained_again(old, tmp_path):
    whole, change = old
    for columns in ({"data": whole["data"], "results_version": -1}, {"data": "other", "results_version": RESULTS_VERSION}):
        change(**columns, test_metric_last=0.0)
        reruns.run(workers=1, out=tmp_path)
        pandas.testing.assert_frame_equal(
            pandas.read_csv(tmp_path / "reruns.csv.gz").drop(columns="run_seconds"), whole.drop(columns="run_seconds")
        )


def test_a_row_that_returns_something_else_stops_all(old, tmp_path):
    whole, change = old
    change(test_metric_best=whole["test_metric_best"] * (1 + 2e-7))
    before = (tmp_path / "reruns.csv.gz").read_bytes()
    with pytest.raises(InputError, match=r"4 of 4 rows return another test_metric_best, such as .* now; train all again with"):
        carry_over.run(workers=1, rows=2, out=tmp_path)
    assert (tmp_path / "reruns.csv.gz").read_bytes() == before


def test_there_must_be_rows(tmp_path):
    with pytest.raises(InputError, match="reruns.csv.gz' does not exist; there is nothing to carry over"):
        carry_over.run(out=tmp_path)
