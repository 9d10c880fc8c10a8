"""What a value may be: each check returns it as a plain Python value, or raises `InputError` that names it.

numpy's numbers are taken for what they print: `numpy.float32(1e-3)` is 0.001, so that one value is one key.
"""

import math
import reprlib
from collections.abc import Callable

import numpy

from kanbefair.errors import InputError

MOST = 2**31 - 1
"""The largest whole number, where nothing else is said."""
WHOLE = (int, numpy.integer)
NUMBER = (float, numpy.floating, *WHOLE)
LISTS = (list, tuple, range, numpy.ndarray)


def refusal(name: str, value: object, allowed: str) -> InputError:
    """The error that says in one line what `name` is and what is `allowed`."""
    return InputError(f"{name} is {' '.join(reprlib.repr(value).split())}; it must be {allowed}")


def whole(name: str, value: object, least: int = 1, most: int = MOST) -> int:
    """A whole number from `least` to `most`."""
    whole = isinstance(value, WHOLE) and not isinstance(value, bool)
    if not whole or not least <= value <= most:
        raise refusal(name, value, f"a whole number of at least {least} and at most {most:,}")
    return int(value)


def number(name: str, value: object, allowed: str = "a finite number") -> float:
    """A finite number; −0 is 0."""
    if not isinstance(value, NUMBER) or isinstance(value, bool):
        raise refusal(name, value, allowed)
    try:
        plain = float(str(value) if isinstance(value, numpy.floating) else value)
    except OverflowError:
        plain = math.inf
    if not math.isfinite(plain):
        raise refusal(name, value, allowed)
    return plain + 0.0


def above_zero(name: str, value: object) -> float:
    """A finite number above 0."""
    allowed = "a number above 0"
    plain = number(name, value, allowed)
    if plain <= 0:
        raise refusal(name, value, allowed)
    return plain


def zero_or_above(name: str, value: object) -> float:
    """A finite number of at least 0."""
    allowed = "0 or a number above"
    plain = number(name, value, allowed)
    if plain < 0:
        raise refusal(name, value, allowed)
    return plain


def truth(name: str, value: object) -> bool:
    """True or False."""
    if not isinstance(value, bool | numpy.bool_):
        raise refusal(name, value, "True or False")
    return bool(value)


def text(name: str, value: object) -> str:
    """A text, empty or not."""
    if not isinstance(value, str):
        raise refusal(name, value, "a text")
    return value


def named(name: str, value: object) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise refusal(name, value, "a name")
    return value


def several(name: str, value: object, check: Callable[[str, object], object], what: str) -> tuple:
    """A list, tuple, range or array, each entry of which passes `check` under the name `what`."""
    if not isinstance(value, LISTS) or getattr(value, "ndim", 1) == 0:
        raise refusal(name, value, "a list or a tuple")
    return tuple([check(what, entry) for entry in value])


def names(name: str, value: object) -> tuple[str, ...]:
    """Names, each once, in a list or in a text with blanks or commas between them; a text may hold none."""
    allowed = "names, in a list or in a text with blanks or commas between them"
    found = value.replace(",", " ").split() if isinstance(value, str) else value
    if not isinstance(found, list | tuple) or not all(isinstance(entry, str) and entry.strip() for entry in found):
        raise refusal(name, value, allowed)
    for entry in found:
        if found.count(entry) > 1:
            raise InputError(f"{name} holds '{entry}' twice; name it once")
    return tuple(found)
