"""Writes the numbers of README.md from the committed tables: `python -m kanbefair.readme`."""

import re
import sys
from pathlib import Path

import pandas

from kanbefair.outputs import PROJECT, Outputs
from kanbefair.section import sentences

BLOCK = re.compile(r"(<!-- verdict:start[^\n]*-->\n).*?(<!-- verdict:end -->)", re.DOTALL)


def verdict_block(verdict: pandas.DataFrame) -> str:
    """The verdict table as a Markdown list."""
    return sentences(verdict).data + "\n"


def updated(text: str, verdict: pandas.DataFrame) -> str:
    """README text with its verdict block made anew."""
    return BLOCK.sub(lambda found: found[1] + verdict_block(verdict) + found[2], text)


def main() -> int:
    """Update README.md in place; returns 0."""
    readme = Path(PROJECT / "README.md")
    readme.write_text(updated(readme.read_text(), Outputs("embedded").read("verdict")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
