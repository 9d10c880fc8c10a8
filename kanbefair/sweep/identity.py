"""Which record belongs to a run: the one of its spec, its data, the user's own code in it and the results version."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from kanbefair.provenance import RESULTS_VERSION
from kanbefair.specs import RunSpec
from kanbefair.sweep import registered
from kanbefair.sweep.stacks import digest_of


@dataclass(frozen=True)
class Identity:
    """What a record is evidence of.

    Args:
        spec: the run.
        data: digest of the task that it trains on (`Task.digest`).
        code: digest of the user's own network, loader or strategy (`own_code.digest`), None if there is none.
    """

    spec: RunSpec
    data: str
    code: str | None = None

    @cached_property
    def record(self) -> str:
        """The name of the record: 16 hexadecimal digits."""
        text = f"{self.spec.key} {self.data} {self.code} {RESULTS_VERSION}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def as_dict(self) -> dict[str, object]:
        """What the record says of it beside the spec."""
        own = {} if self.code is None else {"code": self.code}
        return {"key": self.spec.key, "record": self.record, "data": self.data, **own, "results_version": RESULTS_VERSION}


def identify(specs: Sequence[RunSpec], data_dir: str) -> list[Identity]:
    """The identity of each run; its dataset is loaded for that. Raises `InputError` where it cannot be (`data.load`)."""
    codes: dict[tuple, str | None] = {}
    found = []
    for spec in specs:
        names = tuple(registered.names(spec).items())
        if names not in codes:
            codes[names] = registered.code(spec)
        found.append(Identity(spec, digest_of(spec, data_dir), codes[names]))
    return found
