"""The paper's command line: `python -m kanbefair.train --model KAN --layers_width 10 10 --dataset Digits …` trains one run."""

import argparse
import json
import sys
from collections.abc import Sequence
from types import ModuleType

from tqdm import tqdm

from kanbefair import training
from kanbefair.data import load
from kanbefair.devices import check_device
from kanbefair.errors import InputError, choose, exit_status
from kanbefair.folders import PROJECT, named_folder, writable
from kanbefair.specs import LOSSES, MODEL_FIELDS, OPTIMIZERS, PROTOCOLS, RunSpec
from kanbefair.sweep import Store, identify
from kanbefair.sweep.memory import at_hand
from kanbefair.sweep.stacks import too_large
from kanbefair.training.outcome import AT_CHANCE, MEANINGS

FLAGS = {
    "activation": "activation_name",
    "batch_norm": "batch_norm",
    "grid": "kan_bspline_grid",
    "order": "kan_bspline_order",
    "shortcut": "kan_shortcut_name",
    "grid_range": "kan_grid_range",
}
"""The fields that some models read and others do not, and the paper's flag of each."""
DEFAULTS = {
    "activation": "gelu",
    "batch_norm": False,
    "grid": 5,
    "order": 3,
    "shortcut": "silu",
    "grid_range": (-1.0, 1.0),
}
"""Their values where the flag is left away."""


class _Command(ModuleType):
    """This module; called, it is the function `kanbefair.train`, whose place it takes when it is imported."""

    __call__ = staticmethod(training.train)


sys.modules[__name__].__class__ = _Command


def parser() -> argparse.ArgumentParser:
    """The paper's flags (docs/protocol.md: Training), and this package's own behind them."""
    p = argparse.ArgumentParser(prog="python -m kanbefair.train", description=__doc__, allow_abbrev=False)
    p.add_argument("--model", default="KAN", help=f"{', '.join(MODEL_FIELDS)} (default KAN)")
    p.add_argument("--layers_width", type=int, nargs="+", default=[5], help="widths of the hidden layers")
    p.add_argument("--dataset", default="Digits", help="a registered dataset (default Digits, which ships with the package)")
    p.add_argument("--batch-size", type=int, default=128)
    p.add_argument("--test-batch-size", type=int, help="rows evaluated at once (default: as memory allows)")
    p.add_argument("--epochs", type=int, default=20)
    p.add_argument("--lr", type=float, default=1e-3, help="learning rate")
    p.add_argument("--seed", type=int, default=1314)
    p.add_argument("--optimizer", default="adam", help=", ".join(OPTIMIZERS))
    p.add_argument("--loss", help=f"{', '.join(LOSSES)} (default: cross_entropy for classes, mse for numbers)")
    p.add_argument("--activation_name", help="MLP: the activation function (default gelu)")
    p.add_argument("--batch_norm", action="store_true", default=None, help="batch normalisation behind hidden layers")
    p.add_argument("--kan_bspline_grid", type=int, help="splines: number of grid intervals G (default 5)")
    p.add_argument("--kan_bspline_order", type=int, help="splines: polynomial order K (default 3)")
    p.add_argument("--kan_shortcut_name", help="KAN: silu, identity or zero (default silu)")
    p.add_argument("--kan_grid_range", type=float, nargs=2, help="splines: the two ends of the grid (default -1 1)")
    p.add_argument("--protocol", default="published", help=f"{' or '.join(PROTOCOLS)} (default published)")
    p.add_argument("--data-dir", help="folder with the real datasets (default: $KANBEFAIR_DATA, else the user's cache)")
    p.add_argument("--device", default="cpu", help="cpu or cuda")
    p.add_argument(
        "--out",
        help="folder under which results/runs keeps the record (default: the clone, else the working directory)",
    )
    p.add_argument("--json", action="store_true", help="print the record as one JSON line")
    return p


def _readable(argument: str) -> str:
    """A negative number with a blank before it: argparse takes -1e38 for a flag, and the blank says that it is none."""
    try:
        return f" {argument}" if float(argument) <= 0 and argument.startswith("-") else argument
    except ValueError:
        return argument


def given(args: argparse.Namespace) -> dict[str, object]:
    """The fields of `FLAGS` whose flag was given."""
    return {field: value for field, flag in FLAGS.items() if (value := getattr(args, flag)) is not None}


def spec_of(args: argparse.Namespace) -> RunSpec:
    """The run that the flags describe; flags that the model does not read are left out."""
    model = args.model.removesuffix("_Text")
    read = MODEL_FIELDS[choose("model", model, MODEL_FIELDS)]
    own = DEFAULTS | given(args)
    return RunSpec(
        dataset=args.dataset,
        model=model,
        widths=tuple(args.layers_width),
        protocol=args.protocol,
        seed=args.seed,
        epochs=args.epochs,
        batch_size=args.batch_size,
        lr=args.lr,
        optimizer=args.optimizer,
        loss=args.loss,
        **{name: value for name, value in own.items() if name in read},
    )


def run(args: argparse.Namespace) -> tuple[dict, str]:
    """Train the run that the flags describe, or read its record if it has been trained before.

    Returns the record and a sentence that says where it lies and whether it was there.
    """
    spec = spec_of(args)
    device = check_device(args.device)
    if args.test_batch_size is not None and args.test_batch_size < 1:
        raise InputError(f"test-batch-size is {args.test_batch_size}; it must be a whole number of at least 1")
    out = named_folder("--out", args.out) or PROJECT
    data_dir = named_folder("--data-dir", args.data_dir)
    task = load(spec.dataset, data_dir, protocol=spec.protocol, seed=spec.seed)
    spec.check_task(task)
    unread = [f"--{FLAGS[field]}" for field in given(args) if field not in MODEL_FIELDS[spec.model]]
    if unread:
        print(f"note: {spec.model} does not read {', '.join(unread)}", file=sys.stderr)
    store = Store(out / "results" / "runs")
    (own,) = identify([spec], str(data_dir or ""))
    place = f"read from {store.path(own.record)}, trained before"
    found = store.look([own])
    if not found.rows:
        for why in too_large([spec], str(data_dir or ""), at_hand()).values():
            raise InputError(f"{spec.model} {spec.widths} on {spec.dataset}: {why}")
        writable(store.folder)
        store.set_aside(found.damaged)
        with tqdm(total=spec.epochs, desc=f"{spec.model} on {spec.dataset}", unit="epoch", disable=args.json) as bar:
            (record,) = training.train([spec], task, device=device, evaluation_rows=args.test_batch_size, on_epoch=bar.update)
        store.write(own, record)
        place = f"kept in {store.path(own.record)}"
    return store.read(own), place


def show(record: dict, place: str, as_json: bool) -> None:
    """Print a record without its curves as JSON, or what it comes to in words; and where it lies, beside JSON on stderr."""
    if as_json:
        print(json.dumps({name: value for name, value in record.items() if name != "curves"}, allow_nan=False))
        print(place, file=sys.stderr)
        return
    unit = "accuracy (%)" if record["metric"] == "accuracy" else "mean |error|"
    print(f"{record['parameters']:,} parameters, {record['flops']:,.0f} FLOPs by the paper's formulas")
    if record["outcome"] == AT_CHANCE:
        print(f"the run is at chance: {MEANINGS[AT_CHANCE]}")
    if record["diverged"]:
        print(f"the run diverged: its loss is not finite from epoch {record['diverged']} on, where it has no {unit}")
    for moment in ("last", "best", "selected"):
        values = {p: record.get(f"{p}_metric_{moment}") for p in ("train", "valid", "test")}
        shown = ", ".join(f"{part} {value:.6g}" for part, value in values.items() if value is not None)
        if shown:
            print(f"{unit}, {moment} epoch ({record.get(f'epoch_{moment}') or record['epochs']}): {shown}")
    print(place)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status, 2 for bad input."""
    args = parser().parse_args(list(map(_readable, sys.argv[1:] if argv is None else argv)))
    return exit_status(lambda: show(*run(args), args.json))


if __name__ == "__main__":
    sys.exit(main())
