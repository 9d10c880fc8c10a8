"""Makes kanbefair/data/embedded/docstrings.tsv.gz: which library do these opening lines of a docstring come from?

The sources of the installed numpy, scipy, scikit-learn and pandas are parsed, not imported. Each line of the file is
`part<tab>library<tab>module<tab>text`. With the pinned versions the file comes out the same byte for byte:

    python scripts/make_docstrings.py [OUTPUT]
"""

import ast
import gzip
import importlib.util
import re
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

OUTPUT = Path(__file__).parents[1] / "kanbefair" / "data" / "embedded" / "docstrings.tsv.gz"
LIBRARIES = ("numpy", "scipy", "sklearn", "pandas")
NOT_THEIR_OWN = {
    "tests",
    "testing",
    "conftest.py",
    "distutils",
    "f2py",
    "externals",
    "_external",
    "_lib",
    "_libs",
    "_examples",
}
"""Folders and files with tests, vendored code, or code that not every Python version has."""

ROWS = {"test": 180, "valid": 140, "train": 560}
MOST_OF_ONE_MODULE = {"test": 30, "valid": 40, "train": 1000}
LEAST_WORDS, MOST_WORDS = 5, 60

TELLTALE = re.compile(
    r"""\S*(numpy|scipy|scikit|sklearn|pandas|data_?frame|nd_?array|estimator)\S*
    | read\ more\ in\ the\ user\ guide | <\w+>
    | \b(np|pd|sp|nd_?frames?|array[_-]likes?|rec_?arrays?|chararrays?|masked_?arrays?|u?funcs?|d_?types?
    | series(group_?by)?|transformers?|extension_?(array|dtype)s?|\w+index(es)?)\b""",
    re.VERBOSE | re.IGNORECASE,
)
"""Names that give the library away, and the words that only one of them uses."""

SIGNATURE = re.compile(r"[\w.]+\(.*\)(\s*->.*|\s*--)?", re.DOTALL)
SECTION = re.compile(r"^[^\n]*\n\s*[-=~]{3,}|^\s*(>>>|\.\. )", re.MULTILINE)


def docstrings(node: ast.AST) -> Iterator[str]:
    """The docstrings of public functions and classes below `node`, and those that are added with `add_newdoc`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if child.name.startswith("_"):
                continue
            yield ast.get_docstring(child) or ""
        elif isinstance(child, ast.Call) and ast.unparse(child.func).endswith("add_newdoc"):
            strings = [a.value for a in ast.walk(child) if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            yield max(strings, key=len, default="")
        yield from docstrings(child)


def summary(docstring: str) -> str | None:
    """What stands before a docstring's first section, example or directive, masked, without markup, on one line of at
    most 60 words; None if fewer than 5 words are left."""
    opening = SECTION.split(docstring.strip(), maxsplit=1)[0]
    text = "\n".join(p for p in re.split(r"\n\s*\n", opening) if not SIGNATURE.fullmatch(p.strip()))
    text = re.sub(r":[\w:]+:(?=`)|[`*]|\S+://\S+", "", text)
    words = TELLTALE.sub(" ", text).split()[:MOST_WORDS]
    return " ".join(words) if len(words) >= LEAST_WORDS else None


def _order(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def summaries(root: Path) -> dict[str, list[str]]:
    """Module name -> the summaries in it, for all modules of the package in `root`, in a fixed shuffled order."""
    found = {}
    for path in root.rglob("*.py"):
        inside = path.relative_to(root)
        if not NOT_THEIR_OWN.intersection(inside.parts):
            texts = {summary(d) for d in docstrings(ast.parse(path.read_text(encoding="utf-8")))} - {None}
            found[".".join((root.name, *inside.with_suffix("").parts))] = sorted(texts, key=_order)
    return {module: found[module] for module in sorted(found, key=_order)}


def unique(libraries: dict[str, dict[str, list[str]]]) -> dict[str, dict[str, list[str]]]:
    """The same without texts that two modules share, upper and lower case taken as equal."""
    owners: dict[str, set[str]] = {}
    for modules in libraries.values():
        for module, texts in modules.items():
            for text in texts:
                owners.setdefault(text.lower(), set()).add(module)
    return {
        library: {module: [t for t in texts if len(owners[t.lower()]) == 1] for module, texts in modules.items()}
        for library, modules in libraries.items()
    }


def split(
    modules: dict[str, list[str]], rows: dict[str, int] = ROWS, most: dict[str, int] = MOST_OF_ONE_MODULE
) -> list[tuple[str, str, str]]:
    """(part, module, text) for each part's number of rows: modules go to the first part until it is full, then to the
    next, each with at most `most` texts.

    Raises `ValueError` if the modules hold too little.
    """
    remaining = iter(modules.items())
    chosen = []
    for part, wanted in rows.items():
        got: list[tuple[str, str, str]] = []
        while len(got) < wanted:
            module, texts = next(remaining, (None, None))
            if module is None:
                raise ValueError(f"only {len(got)} of {wanted} {part} rows")
            got += [(part, module, text) for text in texts[: most[part]]]
        chosen += got[:wanted]
    return chosen


def main(output: Path = OUTPUT) -> None:
    """Write the file and say how large it is."""
    folders = {library: Path(importlib.util.find_spec(library).origin).parent for library in LIBRARIES}
    libraries = unique({library: summaries(folder) for library, folder in folders.items()})
    lines = [
        "\t".join((part, library, module, text))
        for library, modules in libraries.items()
        for part, module, text in split(modules)
    ]
    output.write_bytes(gzip.compress("\n".join(lines).encode(), 9, mtime=0))
    print(f"{output}: {len(lines):,} texts, {output.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
