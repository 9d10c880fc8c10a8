"""What a user has registered, for the workers: a network, a dataset or a strategy of a script or a notebook cell."""

from collections.abc import Callable, Iterable

import cloudpickle

from kanbefair.data import registry
from kanbefair.models import counting, networks
from kanbefair.specs import MODEL_FIELDS, REMOVABLE, RunSpec
from kanbefair.sweep import own_code
from kanbefair.training.continual.strategies import STRATEGIES

REGISTRIES = {
    "datasets": registry._DATASETS,
    "networks": networks.FAMILIES,
    "counters": counting.LAYER_COUNTERS,
    "fields": MODEL_FIELDS,
    "removable": REMOVABLE,
    "strategies": STRATEGIES,
}


def names(spec: RunSpec) -> dict[str, str]:
    """The names of what a run is made of, by registry."""
    strategy = getattr(spec, "strategy", None)
    of_model = dict.fromkeys(("networks", "counters", "fields", "removable"), spec.model)
    return {"datasets": registry.family_of(spec.dataset)} | of_model | ({} if strategy is None else {"strategies": strategy})


def code(spec: RunSpec) -> str | None:
    """The digest of the user's own code in a run (`own_code.digest`), None if it is all this package's."""
    return own_code.digest(_callables(spec))


def _callables(spec: RunSpec) -> list[Callable]:
    """What a run calls of what can be registered."""
    entries = {kind: REGISTRIES[kind][name] for kind, name in names(spec).items()}
    own = [entries["datasets"].loader, entries["networks"], entries["counters"]]
    return [*own, entries["strategies"]] if "strategies" in entries else own


def entries(specs: Iterable[RunSpec]) -> dict[str, dict[str, object]]:
    """What the registries hold for these runs, by registry and name.

    It is sent to workers by value, also where it comes from a module: they run what this process has in memory.
    """
    found: dict[str, dict[str, object]] = {}
    for spec in specs:
        for kind, name in names(spec).items():
            found.setdefault(kind, {})[name] = REGISTRIES[kind][name]
        for module in own_code.modules(_callables(spec)):
            cloudpickle.register_pickle_by_value(module)
    return found


def restore(found: dict[str, dict[str, object]]) -> None:
    """Put `entries` of another process into the registries of this one."""
    for kind, own in found.items():
        REGISTRIES[kind].update(own)
