"""Work for all cores: chunks go to processes, and what they return comes back in order. No torch.

for part in in_workers(work, chunks, "decodes sprites"): ...
for part in on_all_cores(work, chunks, "monsters", total=20000, many=3000): ...
"""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from tqdm import tqdm

Chunk, Result = TypeVar("Chunk"), TypeVar("Result")

MAX_WORKERS = 61  # of which Windows can wait for no more
AHEAD = 4  # chunks per worker that are handed out


def num_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on a Mac, nor on Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def on_all_cores(
    work: Callable[[Chunk], Result], chunks: Iterable[Chunk], what: str, *, total: int, many: int
) -> Iterator[Result]:
    """Yield what a function draws of each chunk, in order: from `many` on by processes, with a bar.

    Parameters
    ----------
    work, chunks
        As in `in_workers`.
    what : str
        What is drawn.
    total : int
        How many are drawn in all: the sum of the lengths of what `work` returns.
    many : int
        From how many on processes pay.

    Raises
    ------
    ChildProcessError
        If a worker dies.
    """
    alone = total < many or num_cores() == 1
    parts = map(work, chunks) if alone else in_workers(work, chunks, f"draws {what}")
    hidden = True if total < many else None  # None: unless the output is a terminal
    with tqdm(total=total, desc=what.capitalize(), unit="", leave=False, disable=hidden) as bar:
        for part in parts:
            yield part
            bar.update(len(part))


def in_workers(
    work: Callable[[Chunk], Result], chunks: Iterable[Chunk], what: str
) -> Iterator[Result]:
    """Yield what a function of this project, or a partial of one, makes of each chunk, in order.

    Parameters
    ----------
    work : callable
        Importable by other processes.
    chunks : iterable
        Of what is sent to them.
    what : str
        What a worker does, such as "draws monsters", for the line if one dies.

    Raises
    ------
    ChildProcessError
        If a worker dies.
    """
    # Spawned, not forked: a fork would inherit locks and threads of all imports.
    context, count = multiprocessing.get_context("spawn"), min(num_cores(), MAX_WORKERS)
    pool = ProcessPoolExecutor(count, context, start_worker)
    # A few chunks ahead, not all as `pool.map` has them: if a worker dies, the pool fails what is
    # waiting, and must not meet it cancelled (https://github.com/python/cpython/issues/94777).
    waiting = deque()
    try:
        for chunk in chunks:
            with ctrl_c_held_back():  # a worker may start here, and inherits it
                waiting.append(pool.submit(work, chunk))
            if len(waiting) > AHEAD * count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool:
        pool.shutdown()
        raise ChildProcessError(
            f"a process that {what} died (is memory short, or does a script of yours lack its "
            "__main__ guard?)"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def ctrl_c_held_back() -> Iterator[None]:
    """Block Ctrl-C for this thread and the processes that it starts; Windows has no such thing.

    A terminal sends it to all processes, and only this one shall answer.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def start_worker() -> None:
    """Leave Ctrl-C to the parent, and end with it: nobody else ends workers if it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()


def end_with_parent() -> None:
    """Wait for the parent to end, and end this process."""
    multiprocessing.parent_process().join()
    os._exit(1)
