"""The one exception for bad input, the sentence it carries, and how a command line ends."""

import gc
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches

STOPPING = (signal.SIGINT, signal.SIGTERM)
"""What ends a command line in good order: Ctrl-C, and what a job's scheduler or `kill` sends."""
INTERRUPTED = "interrupted: what is finished is kept; call it again to go on"


class InputError(ValueError):
    """Something the user gave cannot be used; the message says what, what is allowed and what to do."""


class DoneInPart(RuntimeError):
    """Some of the work failed, all else is done; the message says what failed and why."""


NOT_IN_NAMES = '/\\:*?"<>|'
"""Characters that file names do not have on every system."""


def exit_status(work: Callable[[], object]) -> int:
    """Do the work of a command line and return its exit status, after one line where it did not come to its end.

    The status is 2 for bad input, 1 if some of the work failed, 130 after Ctrl-C and 143 after SIGTERM, which reaches the work
    as a KeyboardInterrupt too.
    """
    try:
        with _stoppable():
            work()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except DoneInPart as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except SystemExit:
        raise  # what it says has been said
    except KeyboardInterrupt as stopped:
        print(INTERRUPTED, file=sys.stderr)
        gc.freeze()  # else Python takes seconds to end, for it looks through all of PyTorch
        return 128 + (stopped.args[0] if stopped.args else signal.SIGINT)
    return 0


@contextmanager
def _stoppable() -> Iterator[None]:
    """The first signal of `STOPPING` raises KeyboardInterrupt with its number; later ones do not disturb the tidying up.

    One that is ignored stays so (`nohup`). Only the main thread can be told; in others nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in STOPPING}
    heard = [number for number in STOPPING if before[number] != signal.SIG_IGN]

    def stop(number: int, frame: object) -> None:
        for each in heard:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt(number)

    try:
        for number in heard:
            signal.signal(number, stop)
        yield
    finally:
        for number in heard:
            signal.signal(number, before[number])


def reason(error: Exception) -> str:
    """The error's kind and message on one line of at most 300 characters; the end of a long one tells the cause."""
    text = " ".join(f"{type(error).__name__}: {error}".rstrip(": ").split())
    return text if len(text) <= 300 else f"{text[:95]} [...] {text[-195:]}"


def _place(thing: object) -> tuple[str, str]:
    """The module and the name under which a class or a function is defined."""
    return getattr(thing, "__module__", None) or "", getattr(thing, "__qualname__", "")


def check_name(what: str, name: object, before: object, now: object) -> None:
    """Raise `InputError` if the class or function `now` cannot be registered as the `what` called `name`.

    A name is a text that can be part of a file's name. `before` is what has the name, None if nothing has. It gives way to
    `now`, as a cell of a notebook is run again, but not if it comes with this package.
    """
    fits = isinstance(name, str) and name.isprintable() and not set(name) & set(NOT_IN_NAMES)
    if not (fits and name and name == name.strip(" .")):
        raise InputError(
            f"{what} {name!r} cannot be registered; its name must be a text without any of {' '.join(NOT_IN_NAMES)} "
            f"and without blanks or dots at its ends"
        )
    shipped = _place(before)[0].startswith(f"{__package__}.")
    if shipped and (now is before or _place(now) != _place(before)):
        raise InputError(f"{what} '{name}' comes with {__package__} and is not replaced; register yours under another name")


def choose(what: str, value: object, allowed: Iterable[str]) -> str:
    """Return `value` if it is one of `allowed`, else raise `InputError` with the nearest name.

    >>> choose("model", "MPL", ["KAN", "MLP"])
    Traceback (most recent call last):
        ...
    kanbefair.errors.InputError: unknown model 'MPL'; did you mean 'MLP'? known: KAN, MLP
    """
    allowed = list(allowed)
    if isinstance(value, str) and value in allowed:
        return value
    folded = {name.lower(): name for name in allowed}
    near = get_close_matches(str(value).lower(), folded, n=1, cutoff=0.5)
    hint = f"; did you mean '{folded[near[0]]}'?" if near else ";"
    raise InputError(f"unknown {what} '{value}'{hint} known: {', '.join(allowed)}")
