import errno
from concurrent.futures import ThreadPoolExecutor

import pandas
import pytest

from kanbefair.errors import InputError
from kanbefair.folders import PROJECT, writable
from kanbefair.report.columns import Column
from kanbefair.report.tables import PROFILES, Outputs

TABLE = pandas.DataFrame({"model": ["KAN", "MLP"], "seed": [1, 2], "score": [0.12345678912, None], "widths": ["5_5", "8"]})
COLUMNS = [Column("{model,seed,score,widths}", "of a table that no study declares")]


@pytest.mark.parametrize("profile", PROFILES)
def test_folders(profile, tmp_path):
    outputs = Outputs(profile, tmp_path / "new")
    assert outputs.results == tmp_path / "new" / "results" / profile
    assert outputs.figures == tmp_path / "new" / "figures" / profile
    assert outputs.runs == tmp_path / "new" / "results" / "runs"
    assert all(folder.is_dir() for folder in (outputs.results, outputs.figures, outputs.runs))


def test_what_takes_hours_lies_beside_every_profile(tmp_path):
    outputs = Outputs("smoke", tmp_path)
    beside = outputs.extended()
    assert (beside.results, beside.figures) == (tmp_path / "results" / "extended", tmp_path / "figures" / "extended")
    assert beside.results.is_dir() and beside.figures.is_dir()
    assert outputs.results == tmp_path / "results" / "smoke"


def test_left_empty_the_project_itself_is_meant():
    assert (PROJECT / "pyproject.toml").is_file()
    assert Outputs("embedded").results == PROJECT / "results" / "embedded"


def test_an_unknown_profile_creates_nothing(tmp_path):
    with pytest.raises(InputError, match="unknown profile 'smok'; did you mean 'smoke'. known: smoke, embedded, paper"):
        Outputs("smok", tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("out", [None, 3, ["a"]])
def test_what_is_no_folder_is_refused(out):
    with pytest.raises(InputError, match="out is .*; it must be the name of a folder"):
        Outputs("smoke", out)


def test_what_is_returned_is_what_can_be_read_back(tmp_path):
    outputs = Outputs("smoke", tmp_path)
    returned = outputs.write("table", TABLE, COLUMNS)
    pandas.testing.assert_frame_equal(returned, outputs.read("table"))
    assert returned["score"].iloc[0] == 0.12345679
    assert returned["widths"].tolist() == ["5_5", "8"]
    assert [path.name for path in outputs.results.iterdir()] == ["table.csv"]
    assert (outputs.results / "table.csv").read_bytes().startswith(b"model,seed,score,widths\nKAN,1,0.12345679,5_5\n")


def test_writing_again_gives_the_same_bytes_and_replaces(tmp_path):
    outputs = Outputs("smoke", tmp_path)
    outputs.write("table", TABLE, COLUMNS)
    before = (outputs.results / "table.csv").read_bytes()
    outputs.write("table", outputs.read("table"), COLUMNS)
    assert (outputs.results / "table.csv").read_bytes() == before
    assert len(outputs.write("table", TABLE[:1], COLUMNS)) == 1


def test_a_write_that_fails_leaves_the_old_table(tmp_path):
    outputs = Outputs("smoke", tmp_path)
    outputs.write("table", TABLE, COLUMNS)

    class Breaks:
        columns = TABLE.columns

        def to_csv(self, path, **options):
            path.write_text("half a ta")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        outputs.write("table", Breaks(), COLUMNS)
    assert len(outputs.read("table")) == 2
    assert [path.name for path in outputs.results.iterdir()] == ["table.csv"]


def test_writers_of_one_table_do_not_meet(tmp_path):
    """Several threads write a table of their own under one name: each reads back its own, and no file is left over."""
    outputs = Outputs("smoke", tmp_path)

    def write(rows):
        own = pandas.concat([TABLE] * rows)
        return all(len(outputs.write("table", own, COLUMNS)) == len(own) for _ in range(30))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(write, range(1, 5)))
    assert [path.name for path in outputs.results.iterdir()] == ["table.csv"]
    assert len(outputs.read("table")) in (2, 4, 6, 8)


def test_a_table_can_be_read_by_whom_the_folder_lets(tmp_path):
    outputs = Outputs("smoke", tmp_path)
    outputs.write("table", TABLE, COLUMNS)
    (tmp_path / "plain").touch()
    assert (outputs.results / "table.csv").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_disk_that_is_full_is_named(tmp_path):
    outputs = Outputs("smoke", tmp_path)
    outputs.write("table", TABLE, COLUMNS)

    class Full:
        columns = TABLE.columns

        def to_csv(self, path, **options):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(InputError, match=r"cannot write '.*table\.csv' \(No space left on device\)"):
        outputs.write("table", Full(), COLUMNS)
    assert len(outputs.read("table")) == 2


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ([], "table 'table' is not declared"),
        ([Column("{model,seed,score}", "")], "table 'table' has a column 'widths' that is not declared"),
        ([*COLUMNS, Column("lr", "")], "table 'table' has no column 'lr'"),
    ],
)
def test_nothing_is_written_of_other_columns_than_declared(tmp_path, columns, words):
    outputs = Outputs("smoke", tmp_path)
    with pytest.raises(InputError, match=words):
        outputs.write("table", TABLE, columns)
    assert list(outputs.results.iterdir()) == []


def test_a_table_that_no_notebook_has_written(tmp_path):
    with pytest.raises(InputError, match=r"verdict\.csv does not exist; run the notebook that writes it first"):
        Outputs("smoke", tmp_path).read("verdict")


def test_a_folder_that_cannot_be_written(unwritable):
    for attempt in (lambda: writable(unwritable), lambda: Outputs("smoke", unwritable)):
        with pytest.raises(InputError, match="cannot write to folder '.*folder.*choose another") as caught:
            attempt()
        assert "\n" not in str(caught.value)
    assert unwritable.parent.read_text() == "in the way"
