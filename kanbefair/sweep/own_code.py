"""A digest of the code that a user has registered, and of all of their own that it uses: who changes it gets other runs.

It is taken of what is in memory, not of files: what counts is what runs, not what an editor has saved since. Comments and
line breaks do not count. Another version of Python may compile to other code, and so may a notebook's cell. What code asks
for while it runs, such as variables of the environment, cannot be known.
"""

import dis
import hashlib
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from functools import partial, partialmethod
from pathlib import Path
from types import CellType, CodeType, FunctionType, MethodType, ModuleType, SimpleNamespace

import numpy
import torch
from torch import nn

PLAIN = (str, bytes, int, float, complex, bool, type(None))
CONTAINERS = (tuple, list, set, frozenset, dict)


def digest(things: Iterable[object]) -> str | None:
    """16 hexadecimal digits of the functions and classes `things` and of what they use; None if all are this package's."""
    own = _all_of(things)
    if not own:
        return None
    words = sorted(word for thing in own for word in _words(thing))
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:16]


def modules(things: Iterable[object]) -> set[ModuleType]:
    """The user's own modules, but for the script or notebook itself, that `things` and what they use are defined in."""
    names = {getattr(thing, "__module__", None) for thing in _all_of(things) if isinstance(thing, FunctionType | type)}
    return {sys.modules[name] for name in names - {"__main__"} if name in sys.modules}


def _all_of(things: Iterable[object]) -> list[object]:
    """Those of the `things` that are a user's own, and all that they use of their own."""
    ahead = [thing for thing in things if _is_own(thing)]
    found: dict[int, object] = {}
    while ahead:
        thing = ahead.pop()
        if id(thing) not in found:
            found[id(thing)] = thing
            ahead += filter(_counts, _uses(thing))
    return list(found.values())


def _is_own(thing: object) -> bool:
    """Whether a function, class or module is neither this package's nor Python's nor an installed library's."""
    if isinstance(thing, partial | partialmethod):
        return True
    if isinstance(thing, MethodType):
        return _is_own(thing.__func__)
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


def _counts(thing: object) -> bool:
    """Whether what a user's own code uses counts beside its name: their code, and values that it holds."""
    held = (*CONTAINERS, torch.Tensor, numpy.ndarray, nn.Module, SimpleNamespace)
    return _is_own(thing) or isinstance(thing, held) or _is_own(type(thing))


def _uses(thing: object) -> Iterator[object]:
    """What a thing is made of."""
    if isinstance(thing, dict):
        parts = thing.values()
    elif isinstance(thing, CONTAINERS):
        parts = thing
    elif isinstance(thing, partial | partialmethod):
        parts = (thing.func, *thing.args, *thing.keywords.values())
    elif isinstance(thing, MethodType):
        parts = (thing.__func__, thing.__self__)
    elif isinstance(thing, FunctionType):
        parts = (thing.__defaults__, thing.__kwdefaults__, *(value for _, value in _named(thing)))
    elif isinstance(thing, type):
        parts = (*thing.__mro__[1:], *vars(thing).values())
    elif isinstance(thing, ModuleType):
        parts = tuple(value for name, value in vars(thing).items() if not name.startswith("__"))
    elif isinstance(thing, torch.Tensor | numpy.ndarray):
        parts = ()
    else:
        parts = (type(thing), *getattr(thing, "__dict__", {}).values())
    for part in parts:
        if isinstance(part, property):
            yield from filter(None, (part.fget, part.fset))
        else:
            yield part.__func__ if isinstance(part, staticmethod | classmethod) else part


def _named(function: FunctionType) -> Iterator[tuple[str, object]]:
    """The global names, free variables and imports of a function's code that have a value, with it."""
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    yield from ((name, cell.cell_contents) for name, cell in cells if cell != CellType())
    for code in _codes(function.__code__):
        for step in dis.get_instructions(code):
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME") and step.argval in function.__globals__:
                yield step.argval, function.__globals__[step.argval]
            elif step.opname == "IMPORT_NAME" and step.argval in sys.modules:
                yield step.argval, sys.modules[step.argval]


def _codes(code: CodeType) -> Iterator[CodeType]:
    """A code and all that are defined within it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _words(thing: object) -> Iterator[str]:
    """What is told of a thing itself, the same in every process."""
    if isinstance(thing, torch.Tensor):
        thing = thing.detach().cpu().numpy()
    if isinstance(thing, numpy.ndarray):
        yield f"{thing.dtype} {thing.shape} {hashlib.sha256(numpy.ascontiguousarray(thing).data).hexdigest()}"
    elif isinstance(thing, CONTAINERS):
        yield _constant(thing)
    elif isinstance(thing, partial | partialmethod):
        yield f"partial {_constant((thing.args, sorted(thing.keywords.items())))}"
    elif isinstance(thing, FunctionType):
        for code in _codes(thing.__code__):
            yield f"{thing.__qualname__} {code.co_code.hex()} {code.co_names} {_constant(code.co_consts)}"
        yield from (f"{name} = {_constant(value)}" for name, value in _named(thing))
    elif isinstance(thing, type | ModuleType):
        own = {name: value for name, value in list(vars(thing).items()) if not name.startswith("__")}
        yield from (f"{thing.__name__}.{name} = {_constant(value)}" for name, value in own.items())
    else:
        values = getattr(thing, "__dict__", {})
        yield from (f"{type(thing).__qualname__}.{name} = {_constant(value)}" for name, value in values.items())


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
