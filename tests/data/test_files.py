import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from kanbefair import data
from kanbefair.data.files import fetch, fetch_archive, reading, require
from kanbefair.data.registry import Request
from kanbefair.errors import InputError


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def site(tmp_path):
    """A folder served on 127.0.0.1 and its address."""
    folder = tmp_path / "site"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
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
    assert target.read_bytes() == b"hello"


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
    assert (tmp_path / "b.bin").stat().st_mode & 0o777 == 0o644


def test_fetch_of_nothing_is_an_os_error(site, tmp_path, unwritable):
    _, address = site
    with pytest.raises(OSError, match="404"):
        fetch(f"{address}/nothing.bin", tmp_path / "a.bin")
    with pytest.raises(OSError, match="refused"):
        fetch("http://127.0.0.1:9/a.bin", tmp_path / "a.bin")
    with pytest.raises(OSError, match="folder"):
        fetch(f"{address}/a.bin", unwritable / "a.bin")
    assert not (tmp_path / "a.bin").exists()


def test_every_address_of_the_loaders_is_https():
    sources = list(Path(data.__file__).parent.glob("*.py"))
    assert len(sources) > 10
    assert [source.name for source in sources if "http://" in source.read_text()] == []


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
