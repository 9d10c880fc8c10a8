"""How long the whole grid behind the released rows would take here."""

from importlib.resources import files

import pandas

from kanbefair import sweep
from kanbefair.measure import machine, one_thread
from kanbefair.studies.domains import design
from kanbefair.sweep import cost


def released_grid() -> pandas.DataFrame:
    """The grid behind the 21,030 released rows: per dataset and model the rows, their epochs, and the dataset's sizes."""
    return pandas.read_csv(files("kanbefair.studies.speed") / "released_grid.csv")


KINDS = {
    "grey images": ("vision", "Random_grey_1024_171_784_10"),
    "colour images": ("vision", "Random_colour_1024_205_2352_10"),
    "tables": ("tabular", "Random_numbers_1024_256_16_2"),
    "formulas": ("symbolic", "Random_numbers_1024_1024_2_0"),
}
"""Domain and random data on which the cost of the released grid is measured: one for datasets of about equal inputs."""


def kind_of(row: dict) -> str:
    """Which of `KINDS` stands for a dataset of the released grid."""
    if row["domain"] == "vision":
        return "colour images" if row["inputs"] > 1000 else "grey images"
    return {"tabular": "tables", "symbolic": "formulas"}[row["domain"]]


def hours(*, device: str, workers: int, probes: int = 3) -> pandas.DataFrame:
    """Estimated hours that training the released rows as the authors did would take on this machine.

    Returns `released_grid` with the columns `stand_in` (of `KINDS`), `workers` and `hours`, and those of `measure.machine`.
    Seconds per step come from `probes` stacks of the paper's settings for each stand-in and model (`cost.of_stacks`).
    """
    seconds = {}
    for kind, (domain, name) in KINDS.items():
        specs = design.paper_grid(domain, [name])
        for model in ("KAN", "MLP"):
            stacks = sweep.plan([spec for spec in specs if spec.model == model])
            table = cost.of_stacks(stacks, device=device, probes=probes)
            seconds[kind, model] = table["step_seconds"].sum() / table["runs"].sum()
    grid = released_grid()
    rows = grid.to_dict("records")
    grid["stand_in"] = [kind_of(row) for row in rows]
    steps = grid["epochs"] * -(-grid["train_rows"] // 128)
    step = [seconds[kind_of(row), row["model"]] for row in rows]
    with one_thread():
        return grid.assign(workers=workers, hours=grid["rows"] * steps * step / workers / 3600, **machine(device))
