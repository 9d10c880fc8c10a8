"""The one exception for bad input, and the sentence it carries."""

import sys
from collections.abc import Callable, Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """Something the user gave cannot be used; the message says what, what is allowed and what to do."""


def exit_status(work: Callable[[], object]) -> int:
    """Do the work of a command line and return its exit status: 2 for bad input, of which only the sentence is printed."""
    try:
        work()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def choose(what: str, value: object, allowed: Iterable[str]) -> str:
    """Return `value` if it is one of `allowed`, else raise `InputError` with the nearest name.

    >>> choose("model", "MPL", ["KAN", "MLP"])
    Traceback (most recent call last):
        ...
    kanbefair.errors.InputError: unknown model 'MPL'; did you mean 'MLP'? known: KAN, MLP
    """
    allowed = list(allowed)
    if value in allowed:
        return value
    folded = {name.lower(): name for name in allowed}
    near = get_close_matches(str(value).lower(), folded, n=1, cutoff=0.5)
    hint = f"; did you mean '{folded[near[0]]}'?" if near else ";"
    raise InputError(f"unknown {what} '{value}'{hint} known: {', '.join(allowed)}")
