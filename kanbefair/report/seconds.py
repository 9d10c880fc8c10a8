"""What each notebook took: the table `notebook_seconds`."""

from datetime import date
from threading import Lock

import pandas

from kanbefair.report.tables import TRAINED, Outputs

TABLE = "notebook_seconds"
_writing = Lock()


def said(cells: list[dict], name: str) -> int:
    """How many `runs` the cells of an executed notebook have asked for, or have `trained`, by what they say."""
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
    with _writing:
        rows = kept(outputs)
        before = rows.get(name)
        whole_before = before is not None and before["runs"] == before["trained"] == runs
        if trained == runs or not whole_before:
            rows[name] = row
        outputs.write(TABLE, pandas.DataFrame(rows.values()).sort_values("notebook"))
