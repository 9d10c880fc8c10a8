"""Measures time and memory of functions here: interleaved repeats in one process, peaks, and the machine's limits."""

import contextlib
import ctypes
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy
import torch

from kanbefair.provenance import processor, provenance

LOOP_SECONDS = 0.004
"""A repeat calls a function so often that it lasts about so long, at least once."""
TURNS_SECONDS = 0.25


def machine(device: str = "cpu") -> dict[str, str | int]:
    """The columns that say where a time was measured: processor or GPU, threads of this process, versions and commit."""
    name = torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else processor()
    return {"machine": name, "threads": torch.get_num_threads(), **provenance()}


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Within this context PyTorch computes with one thread, as each worker of a sweep does."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def synchronize(device: str) -> None:
    """Wait until a GPU has done what it was given; on the CPU there is nothing to wait for."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def clock(device: str) -> Callable[[], float]:
    """The clock to measure one thread with: on the CPU its processor's time, which stands still while other work of the
    machine has the core; on a GPU the time of day."""
    return time.perf_counter if torch.device(device).type == "cuda" else time.process_time


def interleaved(
    candidates: dict[str, Callable[[], object]], *, repeats: int, device: str = "cpu", seconds: float = TURNS_SECONDS
) -> dict[str, numpy.ndarray]:
    """Seconds (`clock`) per call of each candidate, taken in turns so that other work on the machine hits all alike: the n-th
    values of two candidates may be compared. Each has at least `repeats` values, up to five times as many if all of them
    together take less than `seconds`."""

    now = clock(device)

    def measured(run: Callable[[], object], calls: int) -> float:
        synchronize(device)
        start = now()
        for _ in range(calls):
            run()
        synchronize(device)
        return (now() - start) / calls

    for run in candidates.values():
        run()
    calls = {name: max(1, int(LOOP_SECONDS / max(measured(run, 1), 1e-9))) for name, run in candidates.items()}
    times: list[list[float]] = []
    start = time.perf_counter()
    while len(times) < repeats or (len(times) < 5 * repeats and time.perf_counter() - start < seconds):
        times.append([measured(run, calls[name]) for name, run in candidates.items()])
    return dict(zip(candidates, numpy.array(times).T, strict=True))


def quartiles(values: numpy.ndarray) -> dict[str, float]:
    """Median and quartiles as `median`, `low` and `high`."""
    low, median, high = numpy.quantile(values, [0.25, 0.5, 0.75])
    return {"median": median, "low": low, "high": high}


def peak_memory(run: Callable[[], object], device: str = "cpu") -> float:
    """Bytes that `run` needs at most beyond what is held before it.

    On a GPU this is what PyTorch's allocator says. On the CPU it is the kernel's high-water mark of resident memory, whatever
    allocates it: on Linux only, else NaN. The kernel counts per processor and adds up in batches, so a few MB are noise.
    """
    if torch.device(device).type == "cuda":
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        run()
        return float(torch.cuda.max_memory_allocated(device) - before)
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
        before = _resident("VmRSS")
        run()
        return max(0.0, _resident("VmHWM") - before)
    except (OSError, AttributeError):
        return float("nan")


def _resident(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024.0 * int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def limits(device: str = "cpu", size: int | None = None) -> dict[str, float]:
    """What the machine reaches at its best.

    Returns `gflops`, 10⁹ operations a second of a large float32 matrix product; `gbytes`, 10⁹ bytes a second read and written
    in a large copy; and `call_seconds`, what one call of a PyTorch operator takes at the least. `size` is the number of rows
    of the square matrices (default: 1024 on the CPU, 8192 on a GPU).
    """
    size = size or (8192 if torch.device(device).type == "cuda" else 1024)
    a, b, c = (torch.rand(size, size, device=device) for _ in range(3))
    source, target = (torch.zeros(32 * size**2 // 2, device=device) for _ in range(2))
    one = torch.zeros(1, device=device)
    runs = {
        "product": lambda: torch.mm(a, b, out=c),
        "copy": lambda: target.copy_(source),
        "call": lambda: one.add_(1.0),
    }
    best = {name: times.min() for name, times in interleaved(runs, repeats=9, device=device).items()}
    return {
        "gflops": float(2e-9 * size**3 / best["product"]),
        "gbytes": float(2e-9 * source.nbytes / best["copy"]),
        "call_seconds": float(best["call"]),
    }
