"""Worker processes that carry out jobs: each is replaced when it dies, and all end with the process that started them."""

import logging
import os
import re
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait

import psutil
import torch
from loky import ProcessPoolExecutor

from kanbefair.errors import InputError

TRIES = 2
"""So often is a job tried whose worker dies."""
LOOK_SECONDS = 0.5
"""How often progress is looked at."""


def carry_out(
    work: Callable[[object], None], jobs: Sequence[object], workers: int, failed: Callable[[object, str], None]
) -> Iterator[None]:
    """Do `work` with each of the jobs on worker processes; yields every half second, and when a job has ended.

    A process is given one job at a time, so that it is known which one it dies of. `failed(job, why)` is told of jobs that
    raise an error, or whose worker died twice. Raises at once what bad input raises (`InputError`); then, or when the caller
    stops, no process is left.
    """
    waiting = deque((job, 1) for job in jobs)
    started = [_worker() for _ in range(min(workers, len(jobs)))]
    idle = list(started)
    running: dict[Future, tuple[ProcessPoolExecutor, object, int]] = {}
    try:
        while waiting or running:
            while waiting and idle:
                worker, (job, tries) = idle.pop(), waiting.popleft()
                running[worker.submit(_told, work, job)] = (worker, job, tries)
            done, _ = wait(running, timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED)
            for future in done:
                worker, job, tries = running.pop(future)
                error = future.exception()
                if isinstance(error, BrokenExecutor):
                    started.append(_worker())
                    worker = started[-1]
                    if tries < TRIES:
                        logging.getLogger("kanbefair").warning("a worker died and is replaced, its job tried again")
                        waiting.appendleft((job, tries + 1))
                    else:
                        failed(job, f"its worker died twice{_exit(error)}, perhaps for lack of memory")
                elif error is not None:  # the job itself cannot be sent
                    failed(job, in_words(error))
                else:
                    bad_input, why = future.result()
                    if bad_input:
                        raise InputError(why)
                    if why:
                        failed(job, why)
                idle.append(worker)
            yield
    finally:
        for worker in started:
            worker.shutdown(kill_workers=True)


def _told(work: Callable[[object], None], job: object) -> tuple[bool, str]:
    """Do `work`; returns whether it has met bad input, and what went wrong in words, which any error can be sent as."""
    try:
        work(job)
    except InputError as error:
        return True, str(error)
    except (Exception, SystemExit) as error:
        return False, in_words(error)
    return False, ""


def in_words(error: BaseException) -> str:
    """An error in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def _exit(error: BrokenExecutor) -> str:
    """How a worker ended, as far as it is known."""
    codes = re.search(r"{(.*?)}", str(error))
    return f" ({codes[1]})" if codes else ""


def _worker() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, initializer=_begin, initargs=(os.getpid(),))


def _begin(parent: int) -> None:
    """Set up a worker: one thread; its end comes from its parent, not from the keyboard."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent and psutil.pid_exists(parent):
        time.sleep(2)
    os._exit(1)
