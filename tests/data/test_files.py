import gzip
import io
import logging
import os
import re
import shutil
import struct
import tarfile
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from helpers import ROOT

from kanbefair import data
from kanbefair.data import files, image_files, image_sets, tabular
from kanbefair.data.files import check_content, check_first, fetch, fetch_archive, reading, require, unpack
from kanbefair.data.registry import Request
from kanbefair.errors import InputError
from kanbefair.folders import appearing


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder served on 127.0.0.1 and its address, which alone is taken as if it were https."""
    folder = tmp_path / "site"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(files, "SECURE", ("https://", f"{address}/"))
        yield folder, address
        server.shutdown()
        thread.join()


@pytest.fixture
def request_(tmp_path):
    (tmp_path / "data").mkdir()
    return Request("Thing", "fair", 0, tmp_path / "data")


def test_fetch_checks_the_sum_and_leaves_no_part_behind(site, tmp_path):
    folder, address = site
    (folder / "a.bin").write_bytes(b"hello")
    target = tmp_path / "deep" / "a.bin"
    with pytest.raises(OSError, match="hash"):
        fetch(f"{address}/a.bin", target, "md5:" + "0" * 32)
    assert list(target.parent.iterdir()) == []
    fetch(f"{address}/a.bin", target, "md5:5d41402abc4b2a76b9719d911017c592")
    fetch(f"{address}/a.bin", target, "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")
    assert target.read_bytes() == b"hello" and list(target.parent.iterdir()) == [target]


def test_fetch_notices_a_broken_off_download(site, tmp_path, monkeypatch):
    folder, address = site
    (folder / "short.bin").write_bytes(b"hello")
    original = Quiet.send_header
    monkeypatch.setattr(
        Quiet, "send_header", lambda self, key, value: original(self, key, "1000" if key == "Content-Length" else value)
    )
    with pytest.raises(OSError, match="5 bytes read, 995 more expected"):
        fetch(f"{address}/short.bin", tmp_path / "short.bin")
    assert not (tmp_path / "short.bin").exists()


def test_fetch_says_who_asks_and_shows_a_bar_that_goes_and_no_log(site, tmp_path, monkeypatch, capfd):
    folder, address = site
    (folder / "a.bin").write_bytes(b"x" * 2_000_000)
    asked = []
    original = Quiet.do_GET

    def note(self):
        asked.append(dict(self.headers))
        original(self)

    monkeypatch.setattr(Quiet, "do_GET", note)
    fetch(f"{address}/a.bin", tmp_path / "b.bin")
    assert asked[0]["User-Agent"] == "kanbefair" and asked[0]["Accept-Encoding"] == "identity"
    written = capfd.readouterr()
    assert written.out == "" and "b.bin: " in written.err
    assert written.err.split("\r")[-2].isspace() and written.err.endswith("\r")
    assert "SHA256" not in written.err and "Downloading" not in written.err


def test_fetch_of_nothing_is_an_os_error(site, tmp_path, unwritable):
    _, address = site
    with pytest.raises(OSError, match="404"):
        fetch(f"{address}/nothing.bin", tmp_path / "a.bin")
    with pytest.raises(OSError, match="Connection refused"):
        fetch("https://127.0.0.1:9/a.bin", tmp_path / "a.bin")
    with pytest.raises(OSError, match="folder"):
        fetch(f"{address}/a.bin", unwritable / "a.bin")
    assert not (tmp_path / "a.bin").exists()


def test_a_download_has_the_permissions_of_any_new_file(site, tmp_path):
    folder, address = site
    (folder / "a.bin").write_bytes(b"hello")
    before = os.umask(0o027)
    try:
        fetch(f"{address}/a.bin", tmp_path / "a.bin")
    finally:
        os.umask(before)
    assert (tmp_path / "a.bin").stat().st_mode & 0o777 == 0o640


def answer(monkeypatch, *pieces, headers=()):
    """The site answers with these bytes, piece by piece, and these headers; then it hangs up."""

    def get(self):
        self.protocol_version = "HTTP/1.1"
        self.send_response(200)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        for piece in pieces:
            self.wfile.write(piece)
        self.close_connection = True

    monkeypatch.setattr(Quiet, "do_GET", get)


def zipped(text):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.txt", text)
    return packed.getvalue()


WHOLE = {
    "a.zip": zipped("x" * 5000),
    "a.csv.gz": gzip.compress(bytes(range(256)) * 20),
    "a.csv": b"a,b\n" * 500,
    "a.json": b'{"a": [1, 2, 3]}',
}


@pytest.mark.parametrize("name", WHOLE)
def test_an_answer_without_a_length_must_have_an_end_of_its_own(name, site, tmp_path, monkeypatch):
    content = WHOLE[name]
    answer(monkeypatch, content)
    fetch(f"{site[1]}/{name}", tmp_path / name)
    assert (tmp_path / name).read_bytes() == content
    for length in (len(content) // 2 + 1, len(content) - 2):
        answer(monkeypatch, content[:length])
        with pytest.raises(OSError, match=f"does not say how long '{name}' is, and it may be cut short"):
            fetch(f"{site[1]}/{name}", tmp_path / "other" / name)
        assert list((tmp_path / "other").iterdir()) == []


def test_an_answer_without_length_or_end_is_refused_but_for_its_checksum(site, tmp_path, monkeypatch):
    answer(monkeypatch, b"hello")
    with pytest.raises(OSError, match="no end is seen"):
        fetch(f"{site[1]}/a.bin", tmp_path / "a.bin")
    fetch(f"{site[1]}/a.bin", tmp_path / "a.bin", "md5:5d41402abc4b2a76b9719d911017c592")


def test_an_answer_in_chunks_ends_with_the_last(site, tmp_path, monkeypatch):
    chunks = (b"5\r\nhello\r\n", b"6\r\n world\r\n", b"0\r\n\r\n")
    headers = [("Transfer-Encoding", "chunked")]
    answer(monkeypatch, *chunks, headers=headers)
    fetch(f"{site[1]}/a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == b"hello world"
    for cut in (chunks[:2], chunks[:1], (b"5\r\nhel",)):
        answer(monkeypatch, *cut, headers=headers)
        with pytest.raises(OSError, match="Connection broken|ended prematurely"):
            fetch(f"{site[1]}/a.bin", tmp_path / "b.bin")
    assert not (tmp_path / "b.bin").exists()


@pytest.mark.parametrize("place", ["http://127.0.0.1:9/a.bin", "file:///etc/hostname", "ftp://127.0.0.1/a", "//127.0.0.1:9/a"])
def test_only_https_is_asked_and_followed(place, site, tmp_path, monkeypatch):
    def lead_on(self):
        self.send_response(302)
        self.send_header("Location", place)
        self.end_headers()

    monkeypatch.setattr(Quiet, "do_GET", lead_on)
    with pytest.raises(OSError, match="is refused: files are downloaded by https alone"):
        fetch(f"{site[1]}/a.bin", tmp_path / "a.bin")
    with pytest.raises(OSError, match="is refused: files are downloaded by https alone"):
        fetch(place, tmp_path / "a.bin")
    assert not (tmp_path / "a.bin").exists()


def test_a_redirect_to_a_secure_address_is_followed(site, tmp_path, monkeypatch):
    folder, address = site
    (folder / "folder").mkdir()
    (folder / "folder" / "index.html").write_text("hello")
    fetch(f"{address}/folder", tmp_path / "a.bin")  # the server leads on to folder/
    assert (tmp_path / "a.bin").read_text() == "hello"


def test_what_nobody_publishes_a_checksum_of_must_stay_what_it_was(tmp_path, caplog):
    file, kept = tmp_path / "rows.csv", tmp_path / "data" / "rows.csv.sha256"
    file.write_text("hello")
    with caplog.at_level(logging.WARNING):
        check_first(file, kept)
        check_first(file, kept)
    assert kept.read_text() == "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824  rows.csv\n"
    assert caplog.messages == [f"nobody publishes a checksum of 'rows.csv': this first download's is kept in '{kept}'"]
    file.write_text("hell")
    with pytest.raises(OSError, match=r"is not what the first download brought; .* delete '.*rows.csv.sha256'"):
        check_first(file, kept)
    kept.write_text("")
    with pytest.raises(OSError, match="first download"):
        check_first(file, kept)


def test_fetch_asks_about_the_file_before_it_appears(site, tmp_path):
    folder, address = site
    (folder / "a.bin").write_bytes(b"hello")

    def refuse(file):
        assert file.read_bytes() == b"hello" and not (tmp_path / "a.bin").exists()
        raise OSError("not this")

    with pytest.raises(OSError, match="not this"):
        fetch(f"{address}/a.bin", tmp_path / "a.bin", check=refuse)
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_the_content_of_a_folder_is_known_by_what_sha256sum_says_of_it(tmp_path):
    for name in ("b.txt", "a.txt", "c.other"):
        (tmp_path / name).write_text(name)
    # printf a.txt | sha256sum, printf b.txt | sha256sum; the two lines again through sha256sum
    known = "fd525e46fa26a3264ab110fcc43bba48b39ea9aec5c859053e2d6bad2722163c"
    check_content(tmp_path, "*.txt", known)
    (tmp_path / "a.txt").write_text("b")
    with pytest.raises(OSError, match=r"the 2 files '\*.txt' are not those"):
        check_content(tmp_path, "*.txt", known)
    with pytest.raises(OSError, match="the 0 files"):
        check_content(tmp_path, "*.none", known)


def test_what_appears_is_complete_or_not_there(tmp_path):
    with pytest.raises(RuntimeError, match="stop"), appearing(tmp_path / "deep" / "a") as part:
        part.write_text("half")
        raise RuntimeError("stop")
    assert list((tmp_path / "deep").iterdir()) == []
    with appearing(tmp_path / "deep" / "a") as one, appearing(tmp_path / "deep" / "a") as two:
        assert one != two
        one.write_text("one")
        two.write_text("two")
    assert (tmp_path / "deep" / "a").read_text() == "one"


def test_every_address_of_the_loaders_is_https():
    sources = list(Path(data.__file__).parent.glob("*.py"))
    assert len(sources) > 10
    assert [source.name for source in sources if "http://" in source.read_text()] == []


def test_the_docs_say_how_the_files_of_each_set_are_checked():
    docs = (ROOT / "docs" / "protocol.md").read_text().partition("### Downloads")[2].partition("\n## ")[0]
    listed = {name: row for row in docs.splitlines() if row.startswith("| the ") for name in re.findall(r"[\w-]+", row)}
    by_hand = {"IMDb", "Titanic", "EMODB", "EMODBMel", "Phoneme", "Mammography"} | {
        name for name in tabular.UCI if tabular.TABLES[name].mlbench
    }
    families = {name for name in data.names() if data.dataset(name).pattern}
    alike = {"AG_NEWS_test"}
    missing = set(data.names(embedded=False)) - listed.keys() - by_hand - families - alike
    assert missing == set()
    assert by_hand < set(re.findall(r"\w+", docs.partition("tested with")[2])) - listed.keys()
    first = {name for name, row in listed.items() if row.startswith("| the SHA-256 of its first download")}
    known = {name for name, row in listed.items() if row.startswith("| the SHA-256 of a copy")}
    for name in set(tabular.UCI) - by_hand:
        assert name in (known if tabular.TABLES[name].uci in tabular.UCI_SUMS else first)
    for name, images in image_sets.IMAGES.items():
        assert (name in known) == (images.folder in image_files.CONTENT)


@pytest.mark.parametrize(("kind", "suffix"), [("gztar", "tar.gz"), ("zip", "zip")])
def test_fetch_archive_takes_one_member(site, tmp_path, kind, suffix):
    folder, address = site
    (folder / "inner" / "raw").mkdir(parents=True)
    (folder / "inner" / "raw" / "x.txt").write_text("x")
    shutil.make_archive(str(folder / "all"), kind, folder, "inner")
    fetch_archive(f"{address}/all.{suffix}?download=1", tmp_path / "data" / "Thing", "inner")
    assert [p.name for p in (tmp_path / "data").iterdir()] == ["Thing"]
    assert (tmp_path / "data" / "Thing" / "raw" / "x.txt").read_text() == "x"
    with pytest.raises(OSError, match="outer"):
        fetch_archive(f"{address}/all.{suffix}", tmp_path / "data" / "Other", "outer")
    assert not (tmp_path / "data" / "Other").exists()


@pytest.fixture
def small_limits(monkeypatch):
    monkeypatch.setattr(files, "UNPACKED_BYTES", 100_000)


@pytest.mark.parametrize("name", ["bomb.zip", "bomb.tar.gz", "bomb.gz"])
def test_an_archive_that_unpacks_to_far_more_than_its_size_is_refused(name, tmp_path, small_limits):
    for inside, size in (("good", 100_000), ("bomb", 1_000_000)):
        (tmp_path / inside).write_bytes(b"0" * size)
        archive = tmp_path / f"{inside}.{name.partition('.')[2]}"
        if name.endswith(".zip"):
            with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
                packed.write(tmp_path / inside, inside)
        elif name.endswith(".tar.gz"):
            with tarfile.open(archive, "w:gz") as packed:
                packed.add(tmp_path / inside, inside)
        else:
            archive.write_bytes(gzip.compress((tmp_path / inside).read_bytes()))
        (tmp_path / f"{inside} out").mkdir()
    unpack(tmp_path / f"good.{name.partition('.')[2]}", tmp_path / "good out")
    assert (tmp_path / "good out" / "good").read_bytes() == (tmp_path / "good").read_bytes()
    with pytest.raises(OSError, match=rf"'{name}' is refused: it unpacks to more than 100,000 bytes"):
        unpack(tmp_path / name, tmp_path / "bomb out")
    assert sum(path.stat().st_size for path in (tmp_path / "bomb out").iterdir()) <= 100_000


def test_a_zip_that_hides_its_size_is_refused(tmp_path, small_limits):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a", b"0" * 1_000_000)
    content = (tmp_path / "a.zip").read_bytes().replace(struct.pack("<I", 1_000_000), struct.pack("<I", 9))
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(zipfile.BadZipFile, match="CRC"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    assert (tmp_path / "out" / "a").stat().st_size <= 9


def test_an_archive_puts_nothing_outside_its_folder(tmp_path):
    (tmp_path / "out").mkdir()
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("../../escaped", "x")
        packed.writestr("/escaped", "x")
    unpack(tmp_path / "a.zip", tmp_path / "out")
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as packed:
        packed.addfile(tarfile.TarInfo("../escaped"))
    with pytest.raises(tarfile.FilterError):
        unpack(tmp_path / "a.tar.gz", tmp_path / "out")
    assert [path for path in tmp_path.rglob("escaped") if path.parent != tmp_path / "out"] == []


def test_the_content_of_an_archive_is_checked_before_it_appears(site, tmp_path):
    folder, address = site
    (folder / "all.zip").write_bytes(zipped("hello"))
    # printf hello | sha256sum, with a.txt in the place of the dash, through sha256sum
    known = ("*.txt", "c703ac0c3c578e7bc50eba0089746631b24582f42bedd483e3b4b9336210654d")
    with pytest.raises(OSError, match="the 1 files"):
        fetch_archive(f"{address}/all.zip", tmp_path / "data" / "Thing", ".", content=("*.txt", "0" * 64))
    assert list((tmp_path / "data").iterdir()) == []
    fetch_archive(f"{address}/all.zip", tmp_path / "data" / "Thing", ".", content=known)
    assert (tmp_path / "data" / "Thing" / "a.txt").read_text() == "hello"


def test_require_downloads_once_and_says_what_to_do_when_it_cannot(site, request_):
    folder, address = site
    (folder / "a.bin").write_bytes(b"hello")
    download = partial(fetch, f"{address}/a.bin")
    assert require(request_, "x/a.bin", download=download, hint="-").read_bytes() == b"hello"
    (folder / "a.bin").unlink()
    assert require(request_, "x/a.bin", download=download, hint="-").read_bytes() == b"hello"
    with pytest.raises(InputError) as caught:
        require(request_, "x/b.bin", download=download, hint="get it from the moon")
    message = str(caught.value)
    assert message.startswith("Thing: '") and "x/b.bin' is missing and the download failed (HTTPError" in message
    assert "get it from the moon" in message and "\n" not in message
    with pytest.raises(InputError, match=r"c\.bin' is missing; licence"):
        require(request_, "c.bin", hint="licence")


def test_reading_names_the_file(request_, tmp_path):
    told = r"Thing: '.*f\.gz' is truncated or altered \(EOFError: it ended\)"
    with pytest.raises(InputError, match=told), reading(request_, tmp_path / "f.gz"):
        raise EOFError("it\nended")
    with pytest.raises(InputError, match=r"^own$"), reading(request_, tmp_path):
        raise InputError("own")
