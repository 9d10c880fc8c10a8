import json
import socket
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files

import numpy
import pandas
import pytest
import torch
from helpers import SHARED
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from kanbefair import data
from kanbefair.data import files as downloads
from kanbefair.data import tabular
from kanbefair.data.table_files import TableFile
from kanbefair.errors import InputError

needs_data = pytest.mark.skipif(not (SHARED / "data" / "uci").is_dir(), reason="../shared/data is not here")
needs_rows = pytest.mark.skipif(not (SHARED / "reference").is_dir(), reason="../shared/reference is not here")

ROWS = 60
TRAIN, TEST = (p[p < ROWS] for p in train_test_split(numpy.arange(100_000), test_size=0.2, random_state=42))


def table() -> pandas.DataFrame:
    generator = numpy.random.RandomState(0)
    return pandas.DataFrame(
        {
            "number": generator.randn(ROWS).round(3) + 5,
            "text": [["Blue-Collar", " blue-collar.", "?", None, "Tech"][i % 5] for i in range(ROWS)],
            "label": ["yes" if i % 3 else "no" for i in range(ROWS)],
        }
    )


@pytest.fixture
def bank(tmp_path, monkeypatch):
    """A small table in the place and format of the UCI set Bank."""
    monkeypatch.setenv("KANBEFAIR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(tabular.TABLES, "Bank", TableFile(2, 2, ROWS, uci=222))
    (tmp_path / "uci").mkdir()
    path = tmp_path / "uci" / "222.csv"
    table().to_csv(path, index=False)
    return path


def load(path, protocol, name="Bank", **options):
    return data.load(name, path.parents[1], protocol=protocol, **options)


def refuse(*args, **kwargs):
    raise OSError("no network in tests")


def test_published_codes_scales_and_splits_as_the_paper(bank):
    frame = table()
    frame.loc[3, "number"] = numpy.nan
    frame.to_csv(bank, index=False)
    task = load(bank, "published")
    x = numpy.stack([frame["number"].fillna(0), [[0, 0, 1, 2, 3][i % 5] for i in range(ROWS)]], axis=1)
    x = (x - x.mean(0)) / x.std(0)
    y = numpy.array([0 if i % 3 == 0 else 1 for i in range(ROWS)])
    assert torch.allclose(task.x_train, torch.tensor(x[TRAIN]).float(), atol=1e-6)
    assert torch.allclose(task.x_test, torch.tensor(x[TEST]).float(), atol=1e-6)
    assert task.y_train.tolist() == y[TRAIN].tolist() and task.y_test.tolist() == y[TEST].tolist()
    assert len(task.x_valid) == 0 and task.output_size == 2 and task.x_train.dtype == torch.float32


def test_fair_learns_nothing_from_validation_and_test_rows(bank):
    before = load(bank, "fair")
    fit, valid = data.task.validation_split(before.y_train.new_tensor([int(i % 3 > 0) for i in TRAIN]))
    assert len(fit) == len(before.x_train) and len(valid) == len(before.x_valid) > 0
    frame = table()
    held_out = numpy.concatenate([TRAIN[valid.numpy()], TEST])
    frame.loc[held_out, "number"] = 1e6
    frame.loc[held_out, "text"] = "never seen"
    frame.to_csv(bank, index=False)
    after = load(bank, "fair")
    assert torch.equal(before.x_train, after.x_train)
    own = torch.cat([after.x_valid, after.x_test])[:, 1]
    assert (own == own[0]).all() and own[0] > after.x_train[:, 1].max()
    assert not torch.equal(load(bank, "published").x_train[:, 0], before.x_train[:, 0])


def held_out(labels, division):
    """Row numbers (fit, valid) of the train rows with these labels, as scikit-learn draws them."""
    parts = train_test_split(numpy.arange(len(labels)), test_size=0.2, random_state=division, stratify=labels)
    return [numpy.sort(part) for part in parts]


def test_a_division_codes_and_scales_with_its_own_rows_and_shares_the_test_rows(bank, tmp_path):
    frame, texts = table(), ["blue-collar", "blue-collar", "", "nan", "tech"] * (ROWS // 5)
    labels = (frame["label"] == "yes").to_numpy()
    tasks = {division: load(bank, "fair", division=division) for division in (0, 1, 2)}
    for division, task in tasks.items():
        fit, valid = (TRAIN[part] for part in held_out(labels[TRAIN], division))
        known = pandas.unique(pandas.Series(texts).iloc[numpy.sort(fit)]).tolist()
        x = numpy.stack([frame["number"], [known.index(text) if text in known else len(known) for text in texts]], axis=1)
        x = torch.tensor((x - x[fit].mean(0)) / x[fit].std(0)).float()
        for part, rows in (("train", fit), ("valid", valid), ("test", TEST)):
            assert torch.allclose(task.part(part)[0], x[rows], atol=1e-6)
            assert task.part(part)[1].tolist() == labels[rows].tolist()
    assert torch.equal(load(bank, "fair").x_train, tasks[0].x_train)  # and each comes back from a cache of its own
    assert len({load(bank, "fair", division=division).digest for division in tasks}) == 3
    kept = ["Bank-fair-1.safetensors", "Bank-fair-2.safetensors", "Bank-fair.safetensors"]
    assert sorted(path.name for path in (tmp_path / "cache" / "tensors").iterdir()) == kept
    assert load(bank, "published", division=1).digest == load(bank, "published").digest


@pytest.mark.parametrize("name", tabular.SKLEARN)
def test_a_division_of_scikit_learns_tables(name):
    x, y = tabular.SKLEARN[name](return_X_y=True)
    x, x_test, y, y_test = train_test_split(x, y, test_size=0.2, random_state=42, stratify=y)
    for division in (0, 3):
        task = data.load(name, division=division)
        fit, valid = held_out(y, division)
        scaler = StandardScaler().fit(x[fit])
        for part, inputs, targets in (("train", x[fit], y[fit]), ("valid", x[valid], y[valid]), ("test", x_test, y_test)):
            found = task.part(part)
            assert torch.allclose(found[0], torch.tensor(scaler.transform(inputs)).float(), atol=1e-6)
            assert found[1].tolist() == targets.tolist()


def test_income_labels_with_and_without_full_stop_are_the_same(bank, monkeypatch):
    frame = table()
    frame["label"] = [["<=50K", ">50K", "<=50K.", ">50K."][i % 4] for i in range(ROWS)]
    frame.to_csv(bank, index=False)
    task = load(bank, "published")
    assert task.y_train.tolist() == [int(i % 2) for i in TRAIN]


@pytest.mark.parametrize(
    ("cut", "said"),
    [
        (lambda text: "\n".join(text.splitlines()[:31]), f"it has 30 rows, the publisher's {ROWS}"),
        (lambda text: text[: text.rindex(",") + 1], f"row {ROWS} has no target"),
        (lambda text: text[: text.rindex("s")], "it has 3 classes, the publisher's 2"),
        (lambda text: text.replace(",yes", ",1,yes", 20), "Error"),
        (lambda text: "", "EmptyDataError"),
        (lambda text: "\n".join(line.partition(",")[2] for line in text.splitlines()), "it has 1 input columns"),
    ],
)
def test_damaged_table_is_told_and_the_cache_is_untouched(bank, tmp_path, cut, said):
    load(bank, "fair")
    cache = tmp_path / "cache" / "tensors" / "Bank-fair.safetensors"
    before = cache.read_bytes()
    bank.write_text(cut(bank.read_text().rstrip("\n")))
    with pytest.raises(InputError) as caught:
        load(bank, "fair")
    message = str(caught.value)
    assert message.startswith(f"Bank: '{bank}' is truncated or altered") and said in message and "\n" not in message
    assert cache.read_bytes() == before


def spoil(path, **columns):
    """The table again, with other values in some rows: `number={5: "x"}`."""
    frame = table().astype(object)
    for name, cells in columns.items():
        for row, value in cells.items():
            frame.loc[row, name] = value
    frame.to_csv(path, index=False)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("inf", "column 'number' has inf in row 8, not finite in float32"),
        ("-inf", "column 'number' has -inf in row 8, not finite in float32"),
        ("1e308", "column 'number' has 1e+308 in row 8, not finite in float32"),
        ("-4e38", "column 'number' has -4e+38 in row 8, not finite in float32"),
        ("5.1x", "column 'number' has '5.1x' in row 8 among its numbers"),
        ("five", "column 'number' has 'five' in row 8 among its numbers"),
        ("5,25", "column 'number' has '5,25' in row 8 among its numbers"),
    ],
)
def test_a_spoiled_number_is_told_with_its_place(bank, value, said):
    spoil(bank, number={7: value})
    for protocol in data.PROTOCOLS:
        with pytest.raises(InputError) as caught:
            load(bank, protocol)
        message = str(caught.value)
        assert message.startswith(f"Bank: '{bank}' is truncated or altered") and said in message and "\n" not in message


def test_decimal_commas_are_told(bank):
    spoil(bank, number={row: f"{row},5" for row in range(ROWS)})
    with pytest.raises(InputError, match=r"222.csv' .*column 'number' has '0,5' in row 1 among its numbers"):
        load(bank, "fair")


def test_a_mark_for_missing_numbers_is_read_as_a_text_and_said(bank, caplog):
    spoil(bank, number={7: "?"})
    task = load(bank, "published")
    assert "Bank: column 'number' has '?' in row 8 among its numbers, so that it is read as texts" in caplog.text
    codes = pandas.factorize(pandas.read_csv(bank, dtype=str)["number"])[0]
    expected = (codes - codes.mean()) / codes.std()
    assert torch.allclose(task.x_train[:, 0], torch.tensor(expected[TRAIN]).float(), atol=1e-6)


def test_an_empty_column_is_read_as_zeros_and_said(bank, caplog):
    spoil(bank, number=dict.fromkeys(range(ROWS)))
    assert (load(bank, "published").x_train[:, 0] == 0).all()
    assert "Bank: column 'number' is empty and is read as zeros" in caplog.text


@pytest.mark.parametrize("name", ["number", "text"])
def test_a_constant_column_is_scaled_by_one(bank, name):
    spoil(bank, **{name: dict.fromkeys(range(ROWS), 14.62)})
    task = load(bank, "fair")
    column = ["number", "text"].index(name)
    for part in task.parts:
        assert task.part(part)[0][:, column].abs().max() < 1e-12


def test_a_table_without_a_header_is_told(bank):
    lines = bank.read_text().splitlines()
    bank.write_text("\n".join([*lines[1:], lines[1], ""]))
    with pytest.raises(InputError, match=r"222.csv' .*its first row is data, as '6.764' and 'no', where the columns' names"):
        load(bank, "fair")


@pytest.mark.parametrize(("names", "fine"), [("0,1", True), ("1,2", True), ("6.5,0.25", False), ("7,7", False)])
def test_names_that_count_the_columns_are_no_data(bank, names, fine):
    lines = pandas.DataFrame({"a": range(ROWS), "b": range(ROWS), "label": table()["label"]}).to_csv(index=False).splitlines()
    bank.write_text("\n".join([f"{names},label", *lines[1:], ""]))
    if fine:
        assert load(bank, "published").input_size == 2
    else:
        with pytest.raises(InputError, match="its first row is data"):
            load(bank, "published")


def test_a_text_has_one_code_wherever_it_stands_in_a_long_file(bank, monkeypatch):
    rows, others = 2_500, 500  # pandas would read a table of this width in parts of some 2,000 rows
    column = ["007" if row % 2 else "0.50" for row in range(rows - 1)]
    frame = pandas.DataFrame(1, index=range(rows), columns=[f"c{number}" for number in range(others)])
    frame.insert(0, "number", [*column, "?"])
    frame["label"] = ["yes", "no"] * (rows // 2)
    frame.to_csv(bank, index=False)
    monkeypatch.setitem(tabular.TABLES, "Bank", TableFile(2, 1 + others, rows, uci=222))
    task = load(bank, "published")
    train, _ = (part[part < rows] for part in train_test_split(numpy.arange(100_000), test_size=0.2, random_state=42))
    codes = numpy.arange(rows) % 2.0
    codes[-1] = 2
    expected = (codes - codes.mean()) / codes.std()
    assert torch.allclose(task.x_train[:, 0], torch.tensor(expected[train]).float(), atol=1e-6)


@pytest.mark.parametrize("rows", [2, 3, 5])
@pytest.mark.parametrize("protocol", data.PROTOCOLS)
def test_a_table_of_very_few_rows_is_told(bank, monkeypatch, rows, protocol):
    monkeypatch.setitem(tabular.TABLES, "Bank", TableFile(2, 2, uci=222))
    table().iloc[:rows].to_csv(bank, index=False)
    with pytest.raises(InputError, match=rf"222.csv' .*{rows} rows are too few for a train and a test part"):
        load(bank, protocol)


def test_a_class_that_has_only_test_rows_is_told(bank, monkeypatch):
    monkeypatch.setitem(tabular.TABLES, "Bank", TableFile(3, 2, ROWS, uci=222))
    spoil(bank, label={int(TEST[0]): "perhaps"})
    with pytest.raises(InputError, match=r"Bank: in '.*222.csv' class \d has test rows but no train row"):
        load(bank, "fair")


def test_a_byte_order_mark_is_no_part_of_a_name(bank):
    expected = load(bank, "fair")
    bank.write_text("\ufeff" + bank.read_text(), encoding="utf-8")
    task = load(bank, "fair")
    assert torch.equal(task.x_train, expected.x_train) and torch.equal(task.y_test, expected.y_test)


def test_second_load_reads_the_cache(bank, monkeypatch):
    first = load(bank, "fair")
    monkeypatch.setattr(pandas, "read_csv", refuse)
    second = load(bank, "fair")
    for part in first.parts:
        assert all(torch.equal(a, b) for a, b in zip(first.part(part), second.part(part), strict=True))


@pytest.fixture
def repository(bank, tmp_path, monkeypatch):
    """The UCI repository, which has the table and a column of numbers besides."""
    site = tmp_path / "site"
    site.mkdir()
    frame = table()
    frame.insert(0, "id", range(ROWS))
    frame[["id", "label", "text", "number"]].to_csv(site / "data.csv", index=False)
    handler = partial(SimpleHTTPRequestHandler, directory=site)
    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *args: None)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        address = f"http://127.0.0.1:{server.server_port}"
        roles = {"id": "ID", "number": "Feature", "text": "Feature", "label": "Target"}
        variables = [{"name": name, "role": role} for name, role in roles.items()]
        answer = {"uci_id": 222, "name": "Bank", "data_url": f"{address}/data.csv", "variables": variables}
        (site / "api").write_text(json.dumps({"status": 200, "data": answer}))
        monkeypatch.setattr(tabular, "UCI_ADDRESS", f"{address}/api")
        monkeypatch.setattr(downloads, "SECURE", (address,))
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield site
        server.shutdown()


def test_a_missing_table_is_downloaded_and_must_stay_what_it_was(bank, repository, monkeypatch):
    monkeypatch.setattr(tabular, "UCI_SUMS", {})
    expected = load(bank, "published")
    bank.unlink()
    task = load(bank, "published")
    assert pandas.read_csv(bank).columns.tolist() == ["number", "text", "label"]
    assert torch.equal(task.x_train, expected.x_train) and torch.equal(task.y_test, expected.y_test)
    assert sorted(path.name for path in bank.parent.iterdir()) == ["222.csv", "222.csv.sha256"]
    before = bank.read_bytes()
    bank.unlink()
    load(bank, "published")
    assert bank.read_bytes() == before
    bank.unlink()
    lines = (repository / "data.csv").read_text().splitlines(keepends=True)
    (repository / "data.csv").write_text("".join(lines[:1] + lines[:0:-1]))
    with pytest.raises(InputError, match=r"'222.csv' is not what the first download brought.*delete '.*222.csv.sha256'"):
        load(bank, "published")
    assert not bank.exists()


@pytest.mark.parametrize("short", ["api", "data.csv"])
def test_a_table_cut_short_or_unlike_the_known_one_is_refused(short, bank, repository, monkeypatch):
    bank.unlink()
    with pytest.raises(InputError, match="is missing and the download failed .*sha256 hash .* not the known 1ae070f431c4"):
        load(bank, "published")
    monkeypatch.setattr(tabular, "UCI_SUMS", {})
    send = SimpleHTTPRequestHandler.send_header
    monkeypatch.setattr(
        SimpleHTTPRequestHandler, "send_header", lambda self, key, value: key == "Content-Length" or send(self, key, value)
    )
    (repository / short).write_bytes((repository / short).read_bytes()[:-3])
    with pytest.raises(InputError, match="is missing and the download failed .*may be cut short|JSONDecodeError"):
        load(bank, "published")
    assert list(bank.parent.iterdir()) == []


@pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="../shared/data is not here")
def test_the_known_tables_have_their_checksums():
    assert set(tabular.UCI_SUMS) < {table.uci for table in tabular.TABLES.values()}
    for number, checksum in tabular.UCI_SUMS.items():
        path = SHARED / "data" / "uci" / f"{number}.csv"
        downloads.check_sum(path, checksum)
        assert pandas.read_csv(path).to_csv(index=False) == path.read_text()  # as a download is saved


@pytest.mark.parametrize("name", list(tabular.TABLES))
def test_missing_files_are_named(name, tmp_path, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(InputError) as caught:
        data.load(name, tmp_path)
    message = str(caught.value)
    known = tabular.TABLES[name]
    by_hand = {"Titanic": ("Titanic/train.csv", "Kaggle")} | {
        name: (f"tables/{name.lower()}.csv", "jbrownlee/Datasets") for name in ("Phoneme", "Mammography")
    }
    uci = (f"uci/{known.uci}.csv", f"the table {known.mlbench} of R's" if known.mlbench else "archive.ics.uci.edu")
    file, said = by_hand.get(name, uci)
    assert message.startswith(f"{name}: '{tmp_path / file}' is missing") and said in message and "\n" not in message
    assert ("the download failed" in message) == (file.startswith("uci") and known.mlbench is None)


def test_titanic_drops_names_and_numbers(tmp_path, monkeypatch):
    monkeypatch.setenv("KANBEFAIR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(tabular.TABLES, "Titanic", replace(tabular.TABLES["Titanic"], rows=20))
    header = "PassengerId,Survived,Pclass,Name,Sex,Age,SibSp,Parch,Ticket,Fare,Cabin,Embarked"
    row = '{i},{s},3,"Smith, Mr. {i}",{sex},{age},0,0,A/5 {i},7.25,,S'
    rows = [row.format(i=i, s=i % 2, sex=["male", "female"][i // 2 % 2], age=i or "") for i in range(20)]
    (tmp_path / "Titanic").mkdir()
    (tmp_path / "Titanic" / "train.csv").write_text("\n".join([header, *rows, ""]))
    task = data.load("Titanic", tmp_path, protocol="published")
    train, test = train_test_split(numpy.arange(20), test_size=0.2, random_state=42)
    assert task.x_train.shape == (16, 9) and task.y_test.tolist() == (test % 2).tolist()
    assert task.x_train[:, 1].sign().tolist() == [-1 if i // 2 % 2 == 0 else 1 for i in train]


@needs_data
@pytest.mark.parametrize("name", [n for n, t in tabular.TABLES.items() if t.rows])
def test_real_tables(name, tmp_path, monkeypatch):
    monkeypatch.setenv("KANBEFAIR_CACHE", str(tmp_path))
    known = tabular.TABLES[name]
    published, fair = (data.load(name, SHARED / "data", protocol=p) for p in ("published", "fair"))
    for task in (published, fair):
        assert task.input_size == known.inputs and task.output_size == (known.classes or 1)
        assert sum(len(task.part(part)[1]) for part in task.parts) == known.rows
        assert all(task.part(part)[0].isfinite().all() for part in task.parts)
    assert torch.equal(published.y_test, fair.y_test)
    everything = torch.cat([published.x_train, published.x_test]).double()
    assert everything.mean(0).abs().max() < 1e-5
    assert torch.allclose(fair.x_train.double().mean(0), torch.zeros(known.inputs).double(), atol=1e-5)


def test_the_publishers_test_part_is_the_files_end(bank, monkeypatch):
    monkeypatch.setitem(tabular.TABLES, "Bank", TableFile(2, 2, ROWS, uci=222, test=13))
    expected = (table()["label"] == "yes").astype(int).tolist()
    for protocol in data.PROTOCOLS:
        task = load(bank, protocol)
        assert task.y_test.tolist() == expected[-13:] and len(task.y_train) + len(task.y_valid) == ROWS - 13
    assert load(bank, "published").y_train.tolist() == expected[:-13]
    monkeypatch.setitem(tabular.TABLES, "Bank", TableFile(2, 2, ROWS, uci=222, test=ROWS + 1))
    bank.touch()
    monkeypatch.setattr(tabular, "VERSION", 0)
    with pytest.raises(InputError, match=f"{ROWS} rows are too few for a train and a test part"):
        load(bank, "fair")


def test_classes_that_differ_in_case_are_different_as_written_and_what_is_no_input_is_dropped(bank, monkeypatch):
    labels = ["hid", "hId"] * (ROWS // 2)
    spoil(bank, label=dict(enumerate(labels)))
    known = TableFile(2, 1, ROWS, uci=222, dropped=("text",), as_written=True)
    monkeypatch.setitem(tabular.TABLES, "Bank", known)
    task = load(bank, "published")
    assert task.y_test.tolist() == (TEST % 2).tolist() and task.input_size == 1
    monkeypatch.setitem(tabular.TABLES, "Bank", replace(known, as_written=False))
    with pytest.raises(InputError, match="it has 1 classes, the publisher's 2"):
        load(bank, "fair")


def test_a_target_that_is_a_number_is_standardised_by_all_rows_outside_the_test_part(bank, monkeypatch):
    monkeypatch.setitem(tabular.TABLES, "Bank", TableFile(None, 2, ROWS, uci=222))
    rings = numpy.random.RandomState(1).randint(1, 30, ROWS)
    spoil(bank, label=dict(enumerate(rings.tolist())))
    expected = torch.tensor((rings - rings[TRAIN].mean()) / rings[TRAIN].std()).float().unsqueeze(1)
    for options in ({"protocol": "published"}, {"protocol": "fair"}, {"protocol": "fair", "division": 1}):
        task = load(bank, **options)
        fit, valid = train_test_split(TRAIN, test_size=0.2, random_state=options.get("division", 0))
        fit = TRAIN if options["protocol"] == "published" else TRAIN[numpy.isin(TRAIN, fit)]
        assert task.metric == "mae" and task.output_size == 1 and task.y_train.dtype == torch.float32
        assert torch.allclose(task.y_test, expected[TEST]) and torch.allclose(task.y_train, expected[fit])
        assert len(task.y_valid) == (0 if fit is TRAIN else len(valid))


@pytest.mark.parametrize("spoiled", ["old", "inf"])
def test_a_target_that_is_no_finite_number_is_told(bank, monkeypatch, spoiled):
    monkeypatch.setitem(tabular.TABLES, "Bank", TableFile(None, 2, ROWS, uci=222))
    spoil(bank, label=dict.fromkeys(range(ROWS), 1) | {5: spoiled})
    with pytest.raises(InputError, match=rf"^Bank: '{bank}' is truncated or altered"):
        load(bank, "fair")


@needs_data
def test_tables_beyond_the_paper_agree_with_their_files(tmp_path, monkeypatch):
    monkeypatch.setenv("KANBEFAIR_CACHE", str(tmp_path))
    for name, file in (("Vowel", "uci/152.csv"), ("Satellite", "uci/146.csv"), ("Phoneme", "tables/phoneme.csv")):
        frame = pandas.read_csv(SHARED / "data" / file)
        columns = [column for column in frame.columns[:-1] if (name, column) != ("Vowel", "V1")]
        x, y = frame[columns].to_numpy(float), pandas.factorize(frame.iloc[:, -1])[0]
        rows, tests = numpy.arange(len(frame)), {"Vowel": 462, "Satellite": 2_000}.get(name)
        train, test = (
            (rows[:-tests], rows[-tests:])
            if tests
            else [part[part < len(rows)] for part in train_test_split(numpy.arange(100_000), test_size=0.2, random_state=42)]
        )
        fit, valid = (train[part] for part in held_out(y[train], 2))
        task = data.load(name, SHARED / "data", division=2)
        scaler = StandardScaler().fit(x[fit])
        for part, numbers in (("train", fit), ("valid", valid), ("test", test)):
            assert torch.allclose(task.part(part)[0], torch.tensor(scaler.transform(x[numbers])).float(), atol=1e-5)
            assert task.part(part)[1].tolist() == y[numbers].tolist()
    assert set(pandas.read_csv(SHARED / "data" / "uci/152.csv")["V1"][-462:]) == set(range(8, 15))


@needs_data
def test_the_publishers_test_parts_have_their_known_classes():
    tails = {
        "Shuttle": {"Rad.Flow": 11478, "High": 2155, "Bypass": 809, "Fpv.Open": 39, "Fpv.Close": 13, "Bpv.Close": 4},
        "Splice": {"n": 603, "ei": 303, "ie": 280},
        "Satellite": {"very damp grey soil": 470, "red soil": 461, "grey soil": 397, "damp grey soil": 211},
    }
    for name, known in tails.items():
        table = tabular.TABLES[name]
        found = pandas.read_csv(SHARED / "data" / "uci" / f"{table.uci}.csv").iloc[-table.test :, -1].value_counts()
        assert known.items() <= found.to_dict().items()


def test_sizes_are_those_of_the_released_grid():
    grid = pandas.read_csv(files("kanbefair.studies.speed") / "released_grid.csv").drop_duplicates("dataset")
    grid = grid[grid["dataset"].isin(tabular.TABLES)]
    assert len(grid) == 10
    for row in grid.itertuples():
        known = tabular.TABLES[row.dataset]
        assert (known.inputs, known.classes, known.rows) == (row.inputs, row.outputs, row.train_rows + row.test_rows)


@needs_rows
def test_sizes_agree_with_the_released_parameter_counts():
    rows = pandas.read_csv(SHARED / "reference" / "published_rows.csv")
    rows = rows[(rows["model"] == "MLP") & rows["dataset"].isin(tabular.TABLES)]
    assert len(rows) >= 124
    for dataset, widths, parameters in rows[["dataset", "widths", "parameters"]].itertuples(index=False):
        known, width = tabular.TABLES[dataset], int(widths)
        assert parameters == width * (known.inputs + 1) + known.classes * (width + 1)
