"""Files of the real datasets: where they are looked for, how they are downloaded, how damage to them is reported.

A file is downloaded by https alone. It counts if it has the SHA-256 of the copy that this package was tested with or the
publisher's checksum, or else the SHA-256 that its first download had (docs/protocol.md, Datasets, says which).
"""

import gzip
import hashlib
import json
import logging
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import urljoin, urlparse

import pooch
from tqdm.auto import tqdm

from kanbefair.data.registry import Request
from kanbefair.errors import InputError, reason
from kanbefair.folders import appearing

TIMEOUT = 30
"""Seconds without an answer after which a download is given up."""

HEADERS = {"User-Agent": "kanbefair", "Accept-Encoding": "identity"}
"""Files are asked for as they are: some servers would unpack a .gz on the way, and its checksum would not be met."""

SECURE = ("https://",)
"""How an address must begin, and each to which it leads on."""

UNPACKED_TIMES = 20
"""An archive may unpack to so many times its own size; the publishers' unpack to five times theirs at most."""
UNPACKED_BYTES = 100_000_000
"""It may unpack to so many bytes in any case."""

_log = logging.getLogger("kanbefair")
_downloads_allowed = True


@contextmanager
def offline() -> Iterator[None]:
    """Inside the block nothing is downloaded: a file that is not there counts as missing."""
    global _downloads_allowed
    before = _downloads_allowed
    _downloads_allowed = False
    try:
        yield
    finally:
        _downloads_allowed = before


def _refuse_insecure(url: str) -> None:
    """Raise `OSError` if `url` is not an address by https."""
    if not url.startswith(SECURE):
        raise OSError(f"'{url}' is refused: files are downloaded by https alone")


def _save(url: str, path: Path) -> bool:
    """Save the answer to `url` as the file `path`; whether the server said where the answer ends.

    If it did, an answer cut short raises `OSError`, as do refusals and addresses without https.
    """
    seen = []

    def look(answer, **_) -> None:
        answers.enter_context(answer)
        seen.append(answer)
        if answer.is_redirect:
            _refuse_insecure(urljoin(answer.url, answer.headers["location"]))

    _refuse_insecure(url)
    with ExitStack() as answers, tqdm(total=1, unit="B", unit_scale=True, desc=path.name, leave=False) as bar:
        options = {"timeout": TIMEOUT, "headers": HEADERS, "hooks": {"response": look}}
        pooch.HTTPDownloader(progressbar=bar, chunk_size=1 << 16, **options)(url, str(path), None)
        return "content-length" in seen[-1].headers or seen[-1].raw.chunked


def _check_end(path: Path) -> None:
    """Raise `OSError` if the file `path` is not seen to be whole by its own format: zip, gzip, JSON, or lines of text."""
    try:
        if path.suffix == ".zip":
            zipfile.ZipFile(path).close()  # the list of its members is at its end
        elif path.suffix == ".gz":
            with gzip.open(path) as content:
                while content.read(1 << 20):
                    pass
        elif path.suffix == ".json":
            json.loads(path.read_bytes())
        elif path.suffix not in (".csv", ".tsv") or not path.read_bytes().endswith(b"\n"):
            raise ValueError("no end is seen")
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise OSError(
            f"the server does not say how long '{path.name}' is, and it may be cut short ({reason(error)})"
        ) from error


def check_sum(path: Path, checksum: str) -> None:
    """Raise `OSError` if the file `path` does not have the `checksum`, `md5:…` or `sha256:…`."""
    kind, _, known = checksum.partition(":")
    found = pooch.file_hash(path, kind)
    if found != known:
        raise OSError(f"'{path.name}' has the {kind} hash {found}, not the known {known}")


def check_first(path: Path, kept: Path) -> None:
    """Raise `OSError` if the file `path` does not have the SHA-256 of its first download.

    That is in the file `kept`, as the program sha256sum writes it. If there is no such file, this is the first download:
    `kept` is made, and a logged warning says so.
    """
    found = pooch.file_hash(path, "sha256")
    if not kept.exists():
        with appearing(kept) as part:
            part.write_text(f"{found}  {path.name}\n")
        _log.warning("nobody publishes a checksum of '%s': this first download's is kept in '%s'", path.name, kept)
    elif kept.read_text().split()[:1] != [found]:
        raise OSError(f"'{path.name}' is not what the first download brought; to take it all the same, delete '{kept}'")


def check_content(folder: Path, pattern: str, known: str) -> None:
    """Raise `OSError` if the files in `folder` that `pattern` names do not have the SHA-256 `known`.

    It is that of what `sha256sum PATTERN` prints in the folder: a line for each file, in the order of their names.
    """
    paths = sorted(folder.glob(pattern), key=lambda path: path.relative_to(folder).as_posix())
    lines = [f"{pooch.file_hash(path, 'sha256')}  {path.relative_to(folder).as_posix()}\n" for path in paths]
    if hashlib.sha256("".join(lines).encode()).hexdigest() != known:
        raise OSError(f"the {len(paths):,} files '{pattern}' are not those that this package was tested with")


def fetch(url: str, path: Path, checksum: str | None = None, *, check: Callable[[Path], object] | None = None) -> None:
    """Download the address `url` to the file `path`. A progress bar is shown meanwhile.

    `checksum` is `md5:…` or `sha256:…`. `check` is asked about the file before it appears at `path`, and raises `OSError`
    if it is not right. Without a checksum the answer must have an end: a length that the server states, or one that the
    file's format has. `path` appears when the download is complete and right. Missing folders are made.

    Raises `OSError` if there is no network or no room, if the server refuses or leads to an address without https, if the
    answer is cut short, or if the checksum differs.
    """
    with appearing(path) as part:
        ends = _save(url, part)
        if checksum is not None:
            check_sum(part, checksum)
        elif not ends:
            _check_end(part)
        if check is not None:
            check(part)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a .zip, a .tar.gz or a .gz into `folder`; nothing is put outside it.

    Raises `OSError` if it would unpack to more than `UNPACKED_TIMES` its size and `UNPACKED_BYTES`, and what zipfile,
    tarfile and gzip raise if it is damaged.
    """
    limit = max(UNPACKED_BYTES, UNPACKED_TIMES * archive.stat().st_size)
    unpacked = 0

    def count(size: int) -> None:
        nonlocal unpacked
        unpacked += size
        if unpacked > limit:
            raise OSError(f"'{archive.name}' is refused: it unpacks to more than {limit:,} bytes")

    def counted(member: tarfile.TarInfo, place: str) -> tarfile.TarInfo:
        count(member.size)
        return tarfile.data_filter(member, place)

    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as packed:
            for member in packed.infolist():
                count(member.file_size)
            packed.extractall(folder)
    elif archive.name.endswith(".tar.gz"):
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter=counted)
    else:
        with gzip.open(archive) as packed, Path(folder, archive.stem).open("wb") as copy:
            while content := packed.read(1 << 20):
                count(len(content))
                copy.write(content)


def fetch_archive(
    url: str, path: Path, member: str, checksum: str | None = None, content: tuple[str, str] | None = None
) -> None:
    """Download the archive at `url` and put its file or folder `member` at `path`, complete or not at all.

    `member` "." stands for all that the archive holds. `checksum` is the archive's, as in `fetch`; `content` the pattern
    and the sum of what is put at `path`, as in `check_content`. Raises `OSError` as these and `unpack` do, and if the
    archive holds no such member; a damaged archive raises what `unpack` does.
    """
    with appearing(path) as part:
        archive = part.with_name(f"packed-{PurePosixPath(urlparse(url).path).name}")
        fetch(url, archive, checksum)
        unpacked = part.with_name(f"unpacked-{path.name}")
        unpacked.mkdir()
        unpack(archive, unpacked)
        if content is not None:
            check_content(unpacked / member, *content)
        os.replace(unpacked / member, part)


def require(request: Request, relative: str, *, download: Callable[[Path], object] | None = None, hint: str) -> Path:
    """The path of a dataset's file or folder, downloaded if it is not there.

    `relative` is its place in the data directory. `download(path)` is asked to make it; None means that it cannot be
    downloaded. `hint` says where the user gets it by hand.

    Raises `InputError` that names the dataset, the path, what went wrong and the hint.
    """
    path = request.data_dir / relative
    if path.exists():
        return path
    problem = "is missing"
    if download is not None and _downloads_allowed:
        try:
            download(path)
        except Exception as error:
            problem += f" and the download failed ({reason(error)})"
    if not path.exists():
        raise InputError(f"{request.name}: '{path}' {problem}; {hint}, or name another folder with data_dir / --data-dir")
    return path


@contextmanager
def reading(request: Request, path: Path) -> Iterator[None]:
    """Turn whatever a reader raises inside the block into an `InputError` that names the dataset and the file.

    Keep the block to the reader's call: every error in it is blamed on the file.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{request.name}: '{path}' is truncated or altered ({reason(error)}); "
            f"delete it, so that it is downloaded again, or put the publisher's file there"
        ) from error
