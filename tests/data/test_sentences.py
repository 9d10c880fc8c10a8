import re
import shutil
from dataclasses import replace

import pytest
import torch
from helpers import ROOT, SHARED

from kanbefair.data import files, load, sentences, text
from kanbefair.data.registry import Request
from kanbefair.data.task import index_split
from kanbefair.errors import InputError

DATA = SHARED / "data"
needs_data = pytest.mark.skipif(not (DATA / "sent-conv").is_dir(), reason="../shared/data/sent-conv is not here")

SETS = sentences.PARTED | {name: {"whole": source} for name, source in sentences.WHOLE.items()}
ROWS = {"train": 40, "valid": 12, "test": 18, "whole": 30}


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    """Small files in the publisher's format, their row counts made known; no download."""
    monkeypatch.setenv("KANBEFAIR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(text, "fetch", _no_network)
    for parts in SETS.values():
        for part, source in parts.items():
            classes = len(source.classes)
            lines = [f'{n % classes} it \'s a "café" , {part} {n} .\n' for n in range(ROWS[part])]
            path = tmp_path / "data" / source.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(lines), encoding="utf-8" if source.encoding == "utf-8-sig" else source.encoding)
    _know(monkeypatch, ROWS.get)
    return tmp_path / "data"


def _know(monkeypatch, count):
    """Make known that the file of a part has `count(part)` rows."""
    parted = {
        name: {part: replace(source, rows=count(part)) for part, source in parts.items()}
        for name, parts in sentences.PARTED.items()
    }
    monkeypatch.setattr(sentences, "PARTED", parted)
    whole = {name: replace(source, rows=count("whole")) for name, source in sentences.WHOLE.items()}
    monkeypatch.setattr(sentences, "WHOLE", whole)


def _no_network(url, path, checksum=None):
    raise OSError(f"no network for {url}")


def _counts(task):
    return tuple(len(getattr(task, f"y_{part}")) for part in ("train", "valid", "test"))


def test_a_row_is_a_class_a_blank_and_a_sentence(data_dir):
    for parts in (*sentences.PARTED.values(), {"whole": sentences.WHOLE["MR"]}):
        for part, source in parts.items():
            texts, labels = text.read(Request("any", "fair", 1, data_dir), data_dir / source.path, source)
            assert texts[1] == f'it \'s a "café" , {part} 1 .'
            assert labels[: len(source.classes)] == list(range(len(source.classes)))


@pytest.mark.parametrize("name", sentences.PARTED)
def test_a_given_dev_part_is_the_validation_part_and_else_a_share_is_held_out(data_dir, name):
    fair, published = (load(name, data_dir, protocol=protocol) for protocol in ("fair", "published"))
    given = "valid" in sentences.PARTED[name]
    assert _counts(fair) == ((40, 12, 18) if given else (32, 8, 18))
    assert _counts(published) == (40, 0, 18)
    assert fair.output_size == len(sentences.PARTED[name]["train"].classes)
    assert torch.equal(fair.y_test, torch.arange(18) % fair.output_size)
    assert (fair.vocabulary_size == published.vocabulary_size) == given


@pytest.mark.parametrize("name", sentences.WHOLE)
def test_a_set_in_one_file_is_split_by_the_index(data_dir, name):
    fair, published = (load(name, data_dir, protocol=protocol) for protocol in ("fair", "published"))
    train, test = index_split(30)
    assert published.y_train.tolist() == [n % 2 for n in train] and published.y_test.tolist() == [n % 2 for n in test]
    assert len(fair.y_train) + len(fair.y_valid) == len(train) and _counts(published)[1] == 0
    assert torch.equal(fair.y_test, published.y_test)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("harm", ["row missing", "class altered", "no blank", "other encoding"])
def test_damaged_file(data_dir, name, harm):
    path = data_dir / next(iter(SETS[name].values())).path
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(
        {
            "row missing": b"".join(lines[:-1]),
            "class altered": b"".join([b"7" + lines[0][1:], *lines[1:]]),
            "no blank": b"".join([lines[0].replace(b" ", b""), *lines[1:]]),
            "other encoding": b"\xff\xfe" + b"".join(lines),
        }[harm]
    )
    with pytest.raises(InputError, match=rf"{name}: '{path}' is truncated or altered"):
        load(name, data_dir)


@pytest.mark.parametrize("name", SETS)
def test_a_missing_file_is_downloaded_from_its_own_address(data_dir, name, monkeypatch):
    expected = load(name, data_dir)
    shutil.move(data_dir / "sent-conv", data_dir.parent / "site")
    with pytest.raises(InputError, match=rf"{name}: '{data_dir}.*' is missing .*no network.*take it from https://"):
        load(name, data_dir)
    asked = []

    def copy(url, path, checksum=None):
        folder, _, file = url.rpartition("/")
        asked.append((folder, checksum[:7]))
        path.parent.mkdir(exist_ok=True)
        shutil.copy(data_dir.parent / "site" / file, path)

    monkeypatch.setattr(text, "fetch", copy)
    assert torch.equal(load(name, data_dir).x_test, expected.x_test)
    assert asked == [(sentences.ADDRESS, "sha256:")] * len(SETS[name])


@needs_data
@pytest.mark.parametrize("name", SETS)
def test_the_files_at_hand_have_the_known_checksums(name):
    for source in SETS[name].values():
        files.check_sum(DATA / source.path, source.download[1])


@needs_data
def test_a_file_is_read_as_latin_1_only_where_it_is_no_utf_8():
    for parts in SETS.values():
        for source in parts.values():
            content = (DATA / source.path).read_bytes()
            try:
                content.decode("utf-8")
            except UnicodeDecodeError:
                assert source.encoding == "latin-1"
            else:
                assert source.encoding == "utf-8-sig"


@needs_data
@pytest.mark.parametrize(
    ("name", "rows", "vocabulary", "least"),
    [
        ("TREC", (4_361, 1_091, 500), 7_530, 9),
        ("SST-2", (6_920, 872, 1_821), 14_775, 909),
        ("SST-5", (8_544, 1_101, 2_210), 16_516, 279),
        ("MR", (6_824, 1_707, 2_131), 16_225, 1_053),
        ("Subj", (6_396, 1_599, 2_005), 18_107, 991),
        ("CR", (2_411, 603, 761), 4_632, 281),
        ("MPQA", (6_789, 1_698, 2_119), 4_930, 662),
    ],
)
def test_real_files(name, rows, vocabulary, least, tmp_path, monkeypatch):
    monkeypatch.setenv("KANBEFAIR_CACHE", str(tmp_path))
    task = load(name, DATA)
    assert _counts(task) == rows
    assert task.vocabulary_size == vocabulary
    assert torch.bincount(task.y_test).min() == least


@needs_data
@pytest.mark.parametrize(
    ("name", "shared"), [("TREC", 10), ("SST-2", 2), ("SST-5", 2), ("MR", 0), ("Subj", 0), ("CR", 2), ("MPQA", 598)]
)
def test_the_docs_say_how_many_test_sentences_are_in_the_train_part(name, shared):
    read = {part: text.read(Request(name, "fair", 1, DATA), DATA / source.path, source) for part, source in SETS[name].items()}
    if "whole" in read:
        read = dict(
            zip(("train", "test"), (text.take(read["whole"], n) for n in index_split(len(read["whole"][0]))), strict=True)
        )
    train = set(read["train"][0])
    assert sum(sentence in train for sentence in read["test"][0]) == shared
    docs = (ROOT / "docs" / "protocol.md").read_text()
    assert re.search(rf"^\| {name} \|.*\| {shared} \|$", docs, re.MULTILINE)
