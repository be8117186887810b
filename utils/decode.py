"""Many PNGs: blocks of files to pixels, by all cores where that pays. No torch: workers start fast.

for pixels, actions, errors in decode_blocks(source, names, side=40): ...
"""

import multiprocessing
import os
import signal
import sys
import threading
import zipfile
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from utils.png import DECODE_ERRORS, bombs_are_errors, decode_png, fit_to_square, reason

MAX_FILE_BYTES = 64 * 2**20  # of one PNG on disk, or unpacked from a zip
BLOCK_BYTES = 960_000  # of the pixels that are decoded in one go: 200 sprites at 40x40
MAX_WORKERS = 61  # of which Windows can wait for no more
MAX_WAITING = 128  # blocks, so that the whole set is never in memory twice
MANY = 5000  # files, from which on starting processes pays: one core decodes them in a second


class Block(NamedTuple):
    """Some sprites in the order of their names."""

    pixels: np.ndarray  # (n, 3, S, S), uint8
    actions: list[str]  # how each was fitted; none for those that cannot be read
    errors: list[str]  # names of those, each with the reason


def decode_blocks(source: Path, names: list[str], side: int) -> Iterator[Block]:
    """Yield the sprites of a folder or zip, in order.

    Parameters
    ----------
    source : Path
    names : list of str
        Paths relative to the source.
    side : int
        Of the square that they are fitted to, in pixels.
    """
    blocks = in_blocks(names, side)
    num_done = 0
    with open_reader(source) as read:
        if len(names) >= MANY and num_cores() > 1:
            try:
                for block in decode_together(source, read, blocks, side):
                    yield block
                    num_done += 1
            except BrokenProcessPool:  # a lack of memory, ...
                pass
        yield from map(partial(decode_block, read, side), blocks[num_done:])


def in_blocks(names: list[str], side: int) -> list[list[str]]:
    """Return the names in the blocks that are decoded in one go."""
    size = max(1, BLOCK_BYTES // (3 * side * side))
    return [names[start : start + size] for start in range(0, len(names), size)]


def decode_together(
    source: Path, read: Callable[[str], bytes], blocks: list[list[str]], side: int
) -> Iterator[Block]:
    """Yield the sprites of some blocks, in order, decoded by one process for each core.

    This process is one of them: it begins before the others have started, and hands nothing over.
    The others are spawned, not forked: a fork would inherit locks and threads of all imports.
    """
    count = min(num_cores() - 1, MAX_WORKERS)
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count, context, start_worker, (source,))
    waiting = deque()  # futures of blocks that are not yielded yet
    try:
        with ctrl_c_ignored(), script_hidden():  # a worker starts with each of the first blocks
            submit = partial(pool.submit, decode_in_worker, side)
            waiting.extend(map(submit, blocks[:count]))
        for names in blocks[count:]:
            while waiting and (waiting[0].done() or len(waiting) == MAX_WAITING):
                yield waiting.popleft().result()
            if sum(not future.done() for future in waiting) < 2 * count:
                waiting.append(submit(names))
            else:
                waiting.append(Future())
                waiting[-1].set_result(decode_block(read, side, names))
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def decode_block(read: Callable[[str], bytes], side: int, names: list[str]) -> Block:
    """Return the sprites of these names."""
    block = Block(np.zeros((len(names), 3, side, side), np.uint8), [], [])
    with bombs_are_errors():
        for index, name in enumerate(names):
            try:
                pixels, action = fit_to_square(decode_png(read(name)), side)
            except DECODE_ERRORS as error:
                block.errors.append(f"{name} ({reason(error)})")
                continue
            block.pixels[index] = pixels.transpose(2, 0, 1)
            block.actions.append(action)
    return block


# ---- files


@contextmanager
def open_reader(source: Path) -> Iterator[Callable[[str], bytes]]:
    """Yield a function from the name of a file in a folder or zip to its bytes."""
    if source.is_dir():
        yield lambda name: read_limited(source / name)
    else:
        with zipfile.ZipFile(source) as archive:
            yield archive.read


def read_limited(path: Path) -> bytes:
    """Return a file's bytes unless it is far larger than any sprite."""
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise ValueError(f"{size / 2**20:,.0f} MiB, at most {MAX_FILE_BYTES / 2**20:,.0f}")
    return path.read_bytes()


# ---- worker processes


@contextmanager
def ctrl_c_ignored() -> Iterator[None]:
    """Let processes that start here not take Ctrl-C, which goes to all; the parent answers it."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


@contextmanager
def script_hidden() -> Iterator[None]:
    """Let processes that start here not import the script that was started: it may import torch."""
    main = vars(sys.modules["__main__"])
    saved = {name: main[name] for name in ("__spec__", "__file__") if name in main}
    main.update(dict.fromkeys(saved))
    try:
        yield
    finally:
        main.update(saved)


def num_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on a Mac, nor on Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def start_worker(source: Path) -> None:
    """Open the source for this process, which ends when its parent does."""
    global reader, worker_read
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # on Windows it is not inherited
    threading.Thread(target=end_with_parent, daemon=True).start()
    reader = open_reader(source)  # kept, for it closes the source when it goes
    worker_read = reader.__enter__()


def end_with_parent() -> None:
    """Wait for the parent, which may be killed, and end: nobody else would end a worker then."""
    multiprocessing.parent_process().join()
    os._exit(1)


def decode_in_worker(side: int, names: list[str]) -> Block:
    """Return the sprites of these names in the source that the worker has opened."""
    return decode_block(worker_read, side, names)
