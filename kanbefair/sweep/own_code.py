"""A digest of the code that a user has registered, and of all of their own that it uses: who changes it gets other runs.

It is taken of the compiled code, not of files: what counts is what runs, not what an editor has saved since. Comments and
line breaks do not count. Another version of Python may compile to other code, and so may a notebook's cell.
"""

import hashlib
import inspect
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from types import CellType, CodeType, FunctionType, ModuleType

PLAIN = (str, bytes, int, float, complex, bool, type(None))


def digest(things: Iterable[object]) -> str | None:
    """16 hexadecimal digits of the functions and classes `things` and of what they use; None if all are this package's."""
    ahead = [thing for thing in map(_bare, things) if _is_own(thing)]
    if not ahead:
        return None
    words: list[str] = []
    seen: set[int] = set()
    while ahead:
        thing = ahead.pop()
        if id(thing) not in seen:
            seen.add(id(thing))
            words += _words(thing)
            ahead += filter(_is_own, map(_bare, _uses(thing)))
    return hashlib.sha256("\n".join(sorted(words)).encode()).hexdigest()[:16]


def _bare(thing: object) -> object:
    """A function without what decorators have put around it."""
    if isinstance(thing, staticmethod | classmethod):
        thing = thing.__func__
    if isinstance(thing, property):
        thing = thing.fget
    return inspect.unwrap(thing) if callable(thing) else thing


def _is_own(thing: object) -> bool:
    """Whether a function, class or module is neither this package's nor Python's nor an installed library's."""
    if isinstance(thing, partial):
        return True
    if not isinstance(thing, FunctionType | type | ModuleType):
        return False
    name = (thing.__name__ if isinstance(thing, ModuleType) else thing.__module__) or "builtins"
    root = name.partition(".")[0]
    if root == "__main__":
        return True
    if root in ("kanbefair", *sys.builtin_module_names) or root in sys.stdlib_module_names:
        return False
    file = getattr(sys.modules.get(name), "__file__", None)
    return file is None or not any(Path(file).is_relative_to(sysconfig.get_path(kind)) for kind in ("purelib", "platlib"))


def _uses(thing: object) -> Iterator[object]:
    """The functions, classes and modules that a thing names."""
    if isinstance(thing, partial):
        yield from (thing.func, *thing.args, *thing.keywords.values())
    elif isinstance(thing, ModuleType):
        yield from vars(thing).values()
    elif isinstance(thing, type):
        yield from (*thing.__mro__[1:], *vars(thing).values())
    else:
        yield from (value for _, value in _named(thing))


def _named(function: FunctionType) -> Iterator[tuple[str, object]]:
    """The global names and free variables of a function's code that have a value, with it."""
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    yield from ((name, cell.cell_contents) for name, cell in cells if cell != CellType())
    for name in sorted({name for code in _codes(function.__code__) for name in code.co_names}):
        if name in function.__globals__:
            yield name, function.__globals__[name]


def _codes(code: CodeType) -> Iterator[CodeType]:
    """A code and all that are defined within it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _words(thing: object) -> Iterator[str]:
    """What is told of a thing itself, the same in every process."""
    if isinstance(thing, partial):
        yield f"partial {_constant((thing.args, sorted(thing.keywords.items())))}"
    elif isinstance(thing, FunctionType):
        for code in _codes(thing.__code__):
            yield f"{thing.__qualname__} {code.co_code.hex()} {code.co_names} {_constant(code.co_consts)}"
        yield f"{thing.__qualname__} {_constant(thing.__defaults__)} {_constant(tuple((thing.__kwdefaults__ or {}).items()))}"
        yield from (f"{name} = {_constant(value)}" for name, value in _named(thing))
    else:
        own = {name: value for name, value in vars(thing).items() if not name.startswith("__")}
        yield from (f"{thing.__name__}.{name} = {_constant(value)}" for name, value in own.items())


def _constant(value: object) -> str:
    """A constant in words; of what is none only its kind is told."""
    if isinstance(value, PLAIN):
        return repr(value)
    if isinstance(value, tuple | list):
        return f"({', '.join(map(_constant, value))})"
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(map(_constant, value)))}}}"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_constant(name)}: {_constant(entry)}' for name, entry in value.items())}}}"
    return type(value).__name__
