import hashlib
import shutil
import socket
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy
import pandas
import pytest
import torch
from helpers import SHARED
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from kanbefair import data
from kanbefair.data import files as downloads
from kanbefair.data import regression
from kanbefair.data.regression import FILES, SPLIT_TABLES, SplitTable
from kanbefair.errors import InputError

needs_data = pytest.mark.skipif(not (SHARED / "data" / "UCI_Datasets").is_dir(), reason="../shared/data is not here")

ROWS = 40
TEST = numpy.array([3, 9, 20, 39])
TRAIN = numpy.random.RandomState(0).permutation(numpy.setdiff1d(numpy.arange(ROWS), TEST))
TABLE = numpy.random.RandomState(1).randn(ROWS, 5) * [1, 50, 1, 3, 7] + [0, 9, 2, 0, 100]
TABLE[:, 2] = 4.5


def refuse(*args, **kwargs):
    raise OSError("no network in tests")


@pytest.fixture
def yacht(tmp_path, monkeypatch):
    """A small table in the place and format of Yacht: inputs 0, 2 and 1 of five columns, target 4."""
    folder = tmp_path / "data" / "UCI_Datasets" / "yacht" / "data"
    folder.mkdir(parents=True)
    (folder / "data.txt").write_text("".join(" \t ".join(map(repr, row)) + " \n" for row in TABLE.tolist()))
    columns = {"index_features": [0, 2, 1], "index_target": [4], "index_test_0": TEST, "index_train_0": TRAIN}
    for name, numbers in columns.items():
        (folder / f"{name}.txt").write_text("".join(f"{number}\n" for number in numbers))
    lines = "".join(f"{hashlib.sha256((folder / file).read_bytes()).hexdigest()}  {file}\n" for file in FILES)
    known = SplitTable("yacht", ROWS, 5, 3, hashlib.sha256(lines.encode()).hexdigest())
    monkeypatch.setitem(SPLIT_TABLES, "Yacht", known)
    return folder


def load(folder, name="Yacht", **options):
    return data.load(name, folder.parents[2], **options)


def agrees(task, x, y, train, test, division):
    """Whether the task is what pandas and scikit-learn make of the rows (by position) of the train and the test part."""
    fit, valid = train_test_split(numpy.arange(len(train)), test_size=0.2, random_state=division)
    rows = {"train": train[numpy.sort(fit)], "valid": train[numpy.sort(valid)], "test": test}
    inputs = StandardScaler().fit(x[rows["train"]])
    targets = pandas.Series(y[train])
    for part, numbers in rows.items():
        expected = torch.tensor(inputs.transform(x[numbers])).float()
        assert torch.allclose(task.part(part)[0], expected, atol=1e-5)
        expected = torch.tensor((y[numbers] - targets.mean()) / targets.std(ddof=0)).float().unsqueeze(1)
        assert torch.allclose(task.part(part)[1], expected, atol=1e-5)
    return task.metric == "mae" and task.output_size == 1 and task.domain == "tabular"


@pytest.mark.parametrize("division", [0, 1])
def test_a_split_table_is_split_and_scaled_as_its_files_and_scikit_learn_say(yacht, division):
    task = load(yacht, division=division)
    assert agrees(task, TABLE[:, [0, 2, 1]], TABLE[:, 4], TRAIN, TEST, division)
    assert (task.x_test[:, 1] == 0).all()  # the constant column


def test_published_trains_on_all_rows_outside_the_test_part_on_the_same_targets(yacht):
    task, fair = load(yacht, protocol="published"), load(yacht)
    assert task.parts == ["train", "test"] and torch.equal(task.y_test, fair.y_test)
    assert task.y_train.mean().abs() < 1e-6 and task.y_train.std(correction=0) == pytest.approx(1)
    assert task.x_train[:, 0].tolist() == pytest.approx(StandardScaler().fit_transform(TABLE[TRAIN])[:, 0], abs=1e-6)


HARMS = {
    "a row less": ("data.txt", lambda text: text[: text.rindex("\n", 0, -1) + 1], r"it has a table \(39, 5\) with 3 inputs"),
    "cut in a row": ("data.txt", lambda text: text[:-30], "ValueError"),
    "a word": ("data.txt", lambda text: text.replace("4.5", "four", 1), "could not convert"),
    "NaN": ("data.txt", lambda text: text.replace("4.5", "nan", 1), "row 1 has a number that is not finite"),
    "infinite": ("data.txt", lambda text: text[: text.rindex("4.5")] + "inf 1 1 \n", "row 40 has a number that is not finite"),
    "emptied": ("data.txt", lambda text: "", "UserWarning|table"),
    "an input less": ("index_features.txt", lambda text: text[2:], "with 2 inputs and 1 targets, the publisher's"),
    "an input twice": ("index_features.txt", lambda text: "0\n1\n1\n", "an input is named twice"),
    "the target as input": ("index_features.txt", lambda text: "0\n1\n4\n", "its target is among its inputs"),
    "no such column": ("index_target.txt", lambda text: "5\n", "IndexError"),
    "a row in both parts": ("index_test_0.txt", lambda text: f"{TRAIN[0]}\n9\n20\n39\n", "not each of 0 to 39 once"),
    "a row in no part": ("index_train_0.txt", lambda text: text[text.index("\n") + 1 :], "not each of 0 to 39 once"),
    "a file less": ("index_test_0.txt", None, "index_test_0.txt not found"),
}


@pytest.mark.parametrize("harm", HARMS)
def test_damaged_files_are_told_by_one_sentence(yacht, harm):
    file, change, said = HARMS[harm]
    if change is None:
        (yacht / file).unlink()
    else:
        (yacht / file).write_text(change((yacht / file).read_text()))
    with pytest.raises(InputError, match=rf"^Yacht: '{yacht}' is truncated or altered .*({said})") as caught:
        load(yacht)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", SPLIT_TABLES)
def test_missing_files_are_named(name, tmp_path, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    place = f"UCI_Datasets/{SPLIT_TABLES[name].folder}/data"
    with pytest.raises(
        InputError, match=f"^{name}: '{tmp_path / place}' is missing and the download failed .*yaringal/"
    ) as told:
        data.load(name, tmp_path)
    assert "\n" not in str(told.value)


def test_missing_files_are_downloaded_and_must_be_the_known_ones(yacht, tmp_path, monkeypatch):
    expected = load(yacht).digest
    site = shutil.move(tmp_path / "data" / "UCI_Datasets", tmp_path / "site")
    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *args: None)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=site)) as server:
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(regression, "ADDRESS", address)
        monkeypatch.setattr(downloads, "SECURE", (address,))
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        assert load(yacht).digest == expected
        assert sorted(path.name for path in yacht.iterdir()) == sorted(FILES)
        shutil.rmtree(yacht)
        monkeypatch.setitem(SPLIT_TABLES, "Yacht", replace(SPLIT_TABLES["Yacht"], checksum="0" * 64))
        with pytest.raises(InputError, match=r"the download failed .*the 5 files '\*.txt' are not those"):
            load(yacht)
        assert list(yacht.parent.iterdir()) == []
        server.shutdown()


def test_diabetes_is_scikit_learns():
    x, y = load_diabetes(return_X_y=True)
    train, test = train_test_split(numpy.arange(442), test_size=0.2, random_state=42)
    for division in (0, 4):
        assert agrees(data.load("Diabetes", division=division), x, y, train, test, division)


@needs_data
@pytest.mark.parametrize("name", SPLIT_TABLES)
def test_real_tables(name, tmp_path):
    known = SPLIT_TABLES[name]
    folder = SHARED / "data" / "UCI_Datasets" / known.folder / "data"
    for file in FILES:
        shutil.copy(folder / file, tmp_path)
    downloads.check_content(tmp_path, "*.txt", known.checksum)
    frame = pandas.read_csv(folder / "data.txt", sep=r"\s+", header=None)
    features, target, test, train = (pandas.read_csv(folder / file, header=None)[0].to_numpy() for file in FILES[1:])
    tasks = [data.load(name, SHARED / "data", division=division) for division in (0, 1)]
    for division, task in enumerate(tasks):
        assert agrees(task, frame[features].to_numpy(float), frame[target[0]].to_numpy(float), train, test, division)
    assert torch.equal(tasks[0].y_test, tasks[1].y_test) and not torch.equal(tasks[0].y_valid, tasks[1].y_valid)
