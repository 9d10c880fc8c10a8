"""What each notebook took: the table `notebook_seconds`."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pandas
from filelock import FileLock, Timeout

from kanbefair.report.tables import TRAINED, Outputs

TABLE = "notebook_seconds"


def said(cells: list[dict], name: str) -> int:
    """How many `runs` the cells of an executed notebook have asked for, or have `trained`, or `failed`, by what they say."""
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return sum(output.get("data", {}).get(TRAINED, {}).get(name, 0) for output in outputs)


def kept(outputs: Outputs) -> dict[str, dict]:
    """The rows that are kept, by the notebook's name."""
    if not (outputs.results / f"{TABLE}.csv").is_file():
        return {}
    return {row["notebook"]: row for row in outputs.read(TABLE).to_dict("records")}


def keep(outputs: Outputs, name: str, cells: list[dict], seconds: float, workers: int) -> None:
    """Keep the seconds that a notebook took, unless that would replace a time of more work by one of less.

    A time in which all its runs were trained stays when later there was nothing left to train.
    """
    runs = said(cells, "runs")
    trained = said(cells, "trained")
    row = {
        "notebook": name,
        "seconds": round(seconds, 1),
        "runs": runs,
        "trained": trained,
        "workers": workers,
        "date": date.today().isoformat(),
    }
    with _alone(outputs.results / f".{TABLE}.lock"):
        rows = kept(outputs)
        before = rows.get(name)
        whole_before = before is not None and before["runs"] == before["trained"] == runs
        if trained == runs or not whole_before:
            rows[name] = row
        outputs.write(TABLE, pandas.DataFrame(rows.values()).sort_values("notebook"))


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let one thread of one process at a time in; a wait of more than a second is told."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=1)
    except Timeout:
        print(f"waiting for another process that writes {TABLE} (it holds {path})")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
