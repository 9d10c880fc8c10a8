import ast
import importlib.util
import re
import shutil
import zipfile
from dataclasses import replace

import pytest
import torch
from helpers import ROOT

from kanbefair.data import files, load, text, tokens
from kanbefair.data.task import index_split
from kanbefair.errors import InputError

SCRIPT = ROOT / "scripts" / "make_docstrings.py"
SHARED = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="module")
def make():
    spec = importlib.util.spec_from_file_location("make_docstrings", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("Hello, World!", ["hello", ",", "world", "!"]),
        ('it\'s; a: "quoted" 3.5<br />line', ["it", "'", "s", "a", "quoted", "3", ".", "5", "line"]),
        ("well-known (yes)?", ["well-known", "(", "yes", ")", "?"]),
        (" \n", []),
    ],
)
def test_tokens(sentence, expected):
    assert tokens.tokens(sentence) == expected


def test_vocabulary_counts_then_spells():
    texts = [["b", "a", "b"], ["a", "c", "<unk>"]]
    assert tokens.vocabulary(texts) == {"<unk>": 0, "a": 1, "b": 2, "c": 3}
    assert tokens.vocabulary(texts, least_count=2) == {"<unk>": 0, "a": 1, "b": 2}


def test_encode_takes_the_vocabulary_from_the_training_part():
    parts = {"train": (["a b", "b"], [0, 1]), "valid": (["b new"], [1]), "test": (["newer a", ""], [0, 1])}
    tensors = tokens.encode(parts)
    assert int(tensors["vocabulary_size"]) == 3
    assert tensors["tokens_train"].tolist() == [2, 1, 1]
    assert tensors["tokens_valid"].tolist() == [1, 0]
    assert tensors["tokens_test"].tolist() == [0, 2]
    assert tensors["lengths_test"].tolist() == [2, 0]


def test_encode_takes_the_first_tokens_only():
    parts = {"train": (["a b c"], [0]), "valid": ([], []), "test": (["c a a"], [0])}
    tensors = tokens.encode(parts, longest=2)
    assert int(tensors["vocabulary_size"]) == 3
    assert tensors["tokens_test"].tolist() == [0, 1]


def test_pad():
    padded = tokens.pad(torch.tensor([5, 6, 7], dtype=torch.int32), torch.tensor([2, 0, 1]))
    assert padded.dtype == torch.int32
    assert padded.tolist() == [[5, 6], [-1, -1], [7, -1]]
    assert tokens.pad(torch.tensor([], dtype=torch.int32), torch.tensor([], dtype=torch.int64)).shape == (0, 1)


@pytest.mark.parametrize(("protocol", "rows"), [("fair", (2240, 560, 720)), ("published", (2800, 0, 720))])
def test_docstrings(protocol, rows):
    task = load("Docstrings", protocol=protocol)
    for part, count in zip(("train", "valid", "test"), rows, strict=True):
        x, y = task.part(part)
        assert x.dtype == torch.int32
        assert len(x) == len(y) == count
        assert x.shape[1] <= text.DOCSTRING_TOKENS
        assert torch.bincount(y, minlength=4).tolist() == [count // 4] * 4
        if count:
            assert (x >= 0).any(1).all()
    assert (task.domain, task.metric, task.output_size) == ("text", "accuracy", 4)
    assert task.input_size == task.vocabulary_size == int(task.x_train.max()) + 1
    assert int(task.x_test.max()) < task.vocabulary_size


def test_docstrings_vocabulary_knows_no_other_part():
    rows = text.docstring_rows()
    seen = tokens.vocabulary((tokens.tokens(r[3])[:80] for r in rows if r[0] == "train"), least_count=2)
    task = load("Docstrings")
    assert task.vocabulary_size == len(seen)
    assert set(task.x_train.unique().tolist()) == {-1, *seen.values()}
    assert load("Docstrings", protocol="published").vocabulary_size > task.vocabulary_size


def test_docstrings_share_no_module_or_text_between_parts():
    rows = text.docstring_rows()
    parts = {part: [r for r in rows if r[0] == part] for part in ("train", "valid", "test")}
    for column in (2, 3):
        values = [{row[column].lower() for row in part} for part in parts.values()]
        assert sum(map(len, values)) == len(set.union(*values))
    assert all(module.split(".")[0] == library for _, library, module, _ in rows)


def test_docstrings_name_no_library():
    telltale = re.compile(r"numpy|\bnp\b|scipy|scikit|sklearn|pandas|\bpd\b|ndarray|dataframe|estimator", re.IGNORECASE)
    assert [row for row in text.docstring_rows() if telltale.search(row[3])] == []


def test_script_finds_public_docstrings(make):
    source = """
def seen():
    "Seen."
    def inner():
        "Inner."
def _hidden():
    "Hidden."
class Thing:
    "Thing."
    def method(self):
        "Method."
    def bare(self): pass
add_newdoc("numpy", "sin", "The longest string.")
"""
    found = [d for d in make.docstrings(ast.parse(source)) if d]
    assert found == ["Seen.", "Inner.", "Thing.", "Method.", "The longest string."]


@pytest.mark.parametrize(
    ("docstring", "expected"),
    [
        (
            "sin(x, /, out=None)\n\nSine of an `ndarray`, as numpy.sin\ngives it.\n\nParameters\n----------\nx : float",
            "Sine of an as gives it.",
        ),
        ("Fit the :class:`~sklearn.base.BaseEstimator` to some *good* data.\n\n>>> fit()", "Fit the to some good data."),
        ("Too short for it.", None),
        (" ".join(["word"] * 70), " ".join(["word"] * 60)),
    ],
)
def test_script_masks_and_cuts(make, docstring, expected):
    assert make.summary(docstring) == expected


def test_script_drops_texts_that_two_modules_share(make):
    libraries = {"numpy": {"a": ["Same", "one"]}, "pandas": {"b": ["same", "two"]}}
    assert make.unique(libraries) == {"numpy": {"a": ["one"]}, "pandas": {"b": ["two"]}}


def test_script_splits_by_module(make):
    modules = {"a": ["1", "2", "3"], "b": ["4"], "c": ["5", "6"]}
    rows = make.split(modules, {"test": 2, "train": 3}, {"test": 2, "train": 9})
    assert rows == [
        ("test", "a", "1"),
        ("test", "a", "2"),
        ("train", "b", "4"),
        ("train", "c", "5"),
        ("train", "c", "6"),
    ]
    with pytest.raises(ValueError, match="only 3 of 4 train rows"):
        make.split(modules, {"test": 2, "train": 4}, {"test": 2, "train": 9})


def test_script_writes_the_same_rows_in_any_order_of_files(make, tmp_path):
    for name in ("b", "a"):
        folder = tmp_path / name / "lib"
        folder.mkdir(parents=True)
        for module in ("x", "y") if name == "a" else ("y", "x"):
            folder.joinpath(f"{module}.py").write_text(f'def f():\n    "The docstring of module {module} here."\n')
        folder.joinpath("tests").mkdir()
        folder.joinpath("tests", "t.py").write_text('def f():\n    "This one belongs to a test."\n')
    first, second = (make.summaries(tmp_path / name / "lib") for name in ("a", "b"))
    assert list(first.items()) == list(second.items())
    assert set(first) == {"lib.x", "lib.y"}


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    """Small files in the publishers' formats, their row counts made known; no download."""
    monkeypatch.setenv("KANBEFAIR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(text, "fetch", _no_network)
    monkeypatch.setattr(files, "fetch", _no_network)
    root = tmp_path / "data"
    for part, rows in (("train", 40), ("test", 24)):
        lines = [f'"{n % 4 + 1}","Title, {part}","It\'s news\\no {n}, ""really"""\n' for n in range(rows)]
        _write(root / "AG_NEWS" / f"{part}.csv", lines)
        monkeypatch.setitem(text.AG_NEWS, part, replace(text.AG_NEWS[part], rows=rows))
    for part, rows in (("train", 8), ("valid", 4), ("test", 4)):
        path = root / text.COLA[part].path
        _write(path, [f'gj04\t{n % 2}\t{"" if n % 2 else "*"}\tHe "said {part} {n}.\n' for n in range(rows)])
        monkeypatch.setitem(text.COLA, part, replace(text.COLA[part], rows=rows))
    sides = ("positive", "negative")
    lines = [f'"Film {n}<br /><br />A ""must"", they say.",{sides[n % 2]}\n' for n in range(30)]
    _write(root / "IMDb" / "IMDB Dataset.csv", ["review,sentiment\n", *lines])
    monkeypatch.setattr(text, "IMDB", replace(text.IMDB, rows=30))
    return root


def _no_network(url, path, checksum=None):
    raise OSError(f"no network for {url}")


def _write(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(lines), encoding="utf-8")


REAL = {
    "AG_NEWS": ("AG_NEWS/train.csv", 4, (32, 8, 24)),
    "AG_NEWS_test": ("AG_NEWS/test.csv", 4, None),
    "CoLA": ("CoLA/raw/out_of_domain_dev.tsv", 2, (8, 4, 4)),
    "IMDb": ("IMDb/IMDB Dataset.csv", 2, None),
}


@pytest.mark.parametrize("name", REAL)
def test_a_set_in_its_publishers_layout(data_dir, name):
    _, classes, rows = REAL[name]
    fair, published = (load(name, data_dir, protocol=protocol) for protocol in ("fair", "published"))
    assert fair.output_size == classes
    assert fair.x_train.dtype == torch.int32
    assert len(published.y_valid) == 0
    assert len(fair.y_test) == len(published.y_test) > 0
    if rows:
        assert tuple(len(getattr(fair, f"y_{part}")) for part in ("train", "valid", "test")) == rows
    if name != "CoLA":
        assert len(published.y_train) == len(fair.y_train) + len(fair.y_valid)
        assert published.vocabulary_size > fair.vocabulary_size
    assert (fair.x_test == 0).any()
    assert set(fair.x_train.unique().tolist()) >= set(range(1, fair.vocabulary_size))


def test_ag_news_joins_title_and_description(data_dir):
    texts, labels = text.read(_request("AG_NEWS", data_dir), data_dir / "AG_NEWS/train.csv", text.AG_NEWS["train"])
    assert labels[:5] == [0, 1, 2, 3, 0]
    assert texts[1] == 'Title, train It\'s news\\no 1, "really"'


def test_cola_and_imdb_rows(data_dir):
    cola = text.read(_request("CoLA", data_dir), data_dir / text.COLA["train"].path, text.COLA["train"])
    assert (cola[0][1], cola[1][:2]) == ('He "said train 1.', [0, 1])
    imdb = text.read(_request("IMDb", data_dir), data_dir / text.IMDB.path, text.IMDB)
    assert (imdb[0][0], imdb[1][:2]) == ('Film 0<br /><br />A "must", they say.', [1, 0])


def _request(name, data_dir):
    from kanbefair.data.registry import Request

    return Request(name, "fair", 1, data_dir)


def test_index_split_is_the_papers_rule():
    train, test = (part.tolist() for part in index_split(1000))
    assert sorted(train + test) == list(range(1000))
    larger_train, _ = index_split(2000)
    assert [row for row in larger_train if row < 1000] == train
    assert (len(train), train[:3], test[:3]) == (800, [156, 54, 407], [149, 575, 578])


@pytest.mark.parametrize("name", REAL)
def test_second_load_hits_the_cache(data_dir, name, monkeypatch):
    first = load(name, data_dir)
    monkeypatch.setattr(text, "read", lambda *args: pytest.fail("read again"))
    second = load(name, data_dir)
    for part in first.parts:
        assert all(map(torch.equal, first.part(part), second.part(part)))
    assert first.vocabulary_size == second.vocabulary_size


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("harm", ["truncated", "row missing", "class altered", "not text"])
def test_damaged_file(data_dir, name, harm):
    load(name, data_dir)
    cache = {path: path.read_bytes() for path in (data_dir.parent / "cache").rglob("*.safetensors")}
    path = data_dir / REAL[name][0]
    lines = path.read_bytes().splitlines(keepends=True)
    damaged = {
        "truncated": b"".join(lines)[: -3 * len(lines[-1]) // 2],
        "row missing": b"".join(lines[:-1]),
        "class altered": b"".join([*lines[:-1], re.sub(rb"^.\d|\t\d|(posi|nega)tive", b"\t9", lines[-1])]),
        "not text": b"\xff\xfe" + b"".join(lines),
    }[harm]
    path.write_bytes(damaged)
    with pytest.raises(InputError, match=rf"{name}: '.*{path.name}' is truncated or altered") as error:
        load(name, data_dir)
    assert {"row missing": "rows, the publisher's", "class altered": "row"}.get(harm, "") in str(error.value)
    assert cache and cache == {p: p.read_bytes() for p in (data_dir.parent / "cache").rglob("*.safetensors")}


@pytest.mark.parametrize("name", REAL)
def test_a_byte_order_mark_is_no_part_of_a_text(data_dir, name):
    expected = load(name, data_dir)
    for path in data_dir.rglob("*.?sv"):
        path.write_text("\ufeff" + path.read_text(encoding="utf-8"), encoding="utf-8")
    task = load(name, data_dir)
    assert task.vocabulary_size == expected.vocabulary_size
    for part in task.parts:
        assert all(map(torch.equal, task.part(part), expected.part(part)))


def test_an_empty_text_is_a_row_without_tokens(data_dir):
    path = data_dir / text.COLA["test"].path
    path.write_text(path.read_text().replace('He "said test 2.', ""))
    task = load("CoLA", data_dir)
    assert (task.x_test[2] == -1).all() and (task.x_test[[0, 1, 3]] >= 0).any(1).all()
    assert task.y_test.tolist() == [0, 1, 0, 1]


def test_zero_bytes_in_a_text_are_told(data_dir):
    path = data_dir / text.COLA["test"].path
    path.write_text(path.read_text().replace("test 2.", "test\0 2."))
    with pytest.raises(InputError, match=rf"CoLA: '{path}' is truncated or altered .*row 3 has a zero byte in its text"):
        load("CoLA", data_dir)


@pytest.mark.parametrize("part", text.COLA)
def test_a_class_that_a_file_does_not_have_is_told(data_dir, part):
    path = data_dir / text.COLA[part].path
    path.write_text(path.read_text().replace("\t0\t", "\t1\t"))
    with pytest.raises(InputError, match=rf"CoLA: '{path}' is truncated or altered .*it has no row of class '0'"):
        load("CoLA", data_dir)


def test_ag_news_without_train_part_names_the_other_set(data_dir):
    data_dir.joinpath("AG_NEWS/train.csv").unlink()
    with pytest.raises(InputError, match=r"AG_NEWS: '.*train.csv' is missing .*no network.*'AG_NEWS_test'"):
        load("AG_NEWS", data_dir)
    assert load("AG_NEWS_test", data_dir).name == "AG_NEWS_test"


def test_imdb_is_downloaded_by_hand(data_dir):
    shutil.rmtree(data_dir / "IMDb")
    with pytest.raises(InputError, match=r"IMDb: '.*IMDB Dataset.csv' is missing; Kaggle wants a log-in"):
        load("IMDb", data_dir)


def test_downloads(data_dir, monkeypatch):
    packed = data_dir.parent / "cola_public_1.1.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in data_dir.glob("CoLA/raw/*"):
            archive.write(path, f"cola_public/raw/{path.name}")
    shutil.rmtree(data_dir / "CoLA")
    news = data_dir.parent / "train.csv"
    data_dir.joinpath("AG_NEWS/train.csv").rename(news)
    asked = []

    def copy(url, path, checksum=None):
        asked.append((url.rpartition("/")[2], checksum[:4]))
        shutil.copy(data_dir.parent / asked[-1][0], path)

    monkeypatch.setattr(files, "fetch", copy)
    monkeypatch.setattr(text, "fetch", copy)
    assert len(load("CoLA", data_dir).y_train) == 8
    assert len(load("AG_NEWS", data_dir).y_test) == 24
    assert asked == [("cola_public_1.1.zip", "md5:"), ("train.csv", "md5:")]


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is not here")
@pytest.mark.parametrize(
    ("name", "rows", "vocabulary"),
    [
        ("CoLA", (8_551, 527, 516), 5_417),
        ("AG_NEWS_test", (4_870, 1_218, 1_512), 20_029),
    ],
)
def test_real_files(name, rows, vocabulary, tmp_path, monkeypatch):
    monkeypatch.setenv("KANBEFAIR_CACHE", str(tmp_path))
    task = load(name, SHARED)
    assert tuple(len(getattr(task, f"y_{part}")) for part in ("train", "valid", "test")) == rows
    assert task.vocabulary_size == vocabulary
    assert torch.bincount(task.y_test).min() > 100
