"""How files are written: whole or not at all."""

import errno
import os
import stat

import pytest

from kanbefair.folders import UNFINISHED, appearing, whole


def test_a_file_takes_the_place_of_another_when_it_is_whole_and_others_may_read_it(tmp_path):
    path = tmp_path / "deep" / "file"
    before = os.umask(0o027)
    try:
        for content in (b"first", b"second"):
            with whole(path) as file:
                file.write(content)
                assert not path.exists() or path.read_bytes() == b"first"
    finally:
        os.umask(before)
    assert path.read_bytes() == b"second"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, OSError])
def test_what_ends_the_writing_leaves_all_as_it_was(tmp_path, error):
    path = tmp_path / "file"
    path.write_bytes(b"first")
    with pytest.raises(error), whole(path) as file:
        file.write(b"half")
        raise error
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_two_that_write_the_same_file_do_not_meet(tmp_path):
    path = tmp_path / "file"
    with whole(path) as first, whole(path) as second:
        first.write(b"first")
        second.write(b"second")
        assert len(list(tmp_path.glob(f"*{UNFINISHED}"))) == 2
    assert path.read_bytes() == b"first"


def test_what_killed_processes_have_left_is_deleted_when_it_is_old(tmp_path):
    old, new, other = (tmp_path / name for name in (".a.png-old", ".a.png-new", ".b.png-old"))
    for folder in (old, new, other):
        folder.mkdir()
    for folder in (old, other):
        os.utime(folder, (0, 0))
    with appearing(tmp_path / "a.png") as path:
        path.write_text("content")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".a.png-new", ".b.png-old", "a.png"]


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"), whole(tmp_path / "file") as file:
        file.write(b"content")
    assert list(tmp_path.iterdir()) == []
