"""Many PNGs: files to pixels, by all cores where that pays. No torch: workers start fast.

actions, errors = decode_files(source, names, pixels)
"""

import ctypes
import math
import multiprocessing
import os
import signal
import sys
import threading
import zipfile
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from utils.sprites.png import DECODE_ERRORS, bombs_are_errors, decode_png, fit_to_square, reason

MAX_FILE_BYTES = 64 * 2**20  # of one PNG on disk, or unpacked from a zip
BLOCK_BYTES = 960_000  # of the pixels that are decoded in one go: 200 sprites at 40x40
MAX_WORKERS = 61  # of which Windows can wait for no more
LEAST_BLOCKS = 4  # that a worker must have to do, or it is not started
SLOTS = 2  # blocks a worker, so that it finds the next one when it has done one
MANY = 5000  # files, from which on starting processes pays: one core decodes them in a second


class Outcome(NamedTuple):
    """What became of some files."""

    actions: Counter[str]  # how sprites were fitted
    errors: list[str]  # names of the files that cannot be read, each with the reason


def decode_files(source: Path, names: list[str], pixels: np.ndarray) -> Outcome:
    """Decode the sprites of a folder or zip into an array.

    Parameters
    ----------
    source : Path
    names : list of str
        Paths relative to the source.
    pixels : ndarray, shape (N, 3, S, S), uint8
        Filled; each sprite is fitted to its side S, and white where it cannot be read.

    Returns
    -------
    Outcome
        Errors in the order of the names.
    """
    size = max(1, BLOCK_BYTES // pixels[:1].nbytes)
    blocks = [slice(start, start + size) for start in range(0, len(names), size)]
    with open_reader(source) as read:
        done = {}  # from the number of a block to its outcome
        if len(names) >= MANY and num_cores() > 1:
            with suppress(BrokenProcessPool, OSError):  # a lack of memory, ...; one core goes on
                decode_together(source, read, names, pixels, blocks, done)
        for number, block in enumerate(blocks):
            if number not in done:
                done[number] = decode_block(read, names[block], pixels[block])
    total = Outcome(Counter(), [])
    for number in range(len(blocks)):
        total.actions.update(done[number].actions)
        total.errors.extend(done[number].errors)
    return total


def decode_together(
    source: Path,
    read: Callable[[str], bytes],
    names: list[str],
    pixels: np.ndarray,
    blocks: list[slice],
    done: dict[int, Outcome],
) -> None:
    """Decode blocks of sprites into an array by one process for each core.

    This process is one of them: it begins before the others have started. They write their pixels
    into memory that all share, from which this one copies them. They are spawned, not forked: a
    fork would inherit locks and threads of all imports.

    Parameters
    ----------
    source, names, pixels
        As of `decode_files`.
    read : callable
        From a name to the bytes of the file.
    blocks : list of slice
        Of names and pixels.
    done : dict
        Takes the outcome of each block by its number, also of those before an error.
    """
    count = max(1, min(num_cores() - 1, MAX_WORKERS, len(blocks) // LEAST_BLOCKS))
    context = multiprocessing.get_context("spawn")
    shape = (count * SLOTS, blocks[0].stop, *pixels.shape[1:])
    shared, stop = context.RawArray("B", math.prod(shape)), context.RawValue("B", 0)
    slots = as_slots(shared, shape)
    pool = ProcessPoolExecutor(count, context, start_worker, (source, shared, shape, stop))
    waiting, free = deque(enumerate(blocks)), deque(range(len(slots)))
    running = {}  # from a future to the number of its block and its slot
    try:
        while waiting or running:
            for future in [future for future in running if future.done()]:
                number, slot = running.pop(future)
                done[number] = future.result()
                mine = pixels[blocks[number]]
                mine[:] = slots[slot, : len(mine)]
                free.append(slot)
            if waiting and free:
                (number, block), slot = waiting.popleft(), free.popleft()
                with ctrl_c_for_parent(), script_hidden():  # for a worker may start with it
                    future = pool.submit(decode_in_worker, names[block], slot)
                running[future] = number, slot
            elif waiting:
                number, block = waiting.popleft()
                done[number] = decode_block(read, names[block], pixels[block])
            else:
                wait(running, return_when=FIRST_COMPLETED)
    finally:
        stop.value = 1
        pool.shutdown(cancel_futures=True)


def decode_block(read: Callable[[str], bytes], names: Iterable[str], pixels: np.ndarray) -> Outcome:
    """Decode the sprites of these names into an array, as `decode_files` does."""
    outcome = Outcome(Counter(), [])
    side = pixels.shape[-1]
    with bombs_are_errors():
        for index, name in enumerate(names):
            try:
                sprite, action = fit_to_square(decode_png(read(name)), side)
            except DECODE_ERRORS as error:
                outcome.errors.append(f"{name} ({reason(error)})")
                pixels[index] = 255  # white
                continue
            pixels[index] = sprite.transpose(2, 0, 1)
            outcome.actions[action] += 1
    return outcome


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
def ctrl_c_for_parent() -> Iterator[None]:
    """Let processes that start here not take Ctrl-C, which goes to all: this one answers it.

    They inherit what this thread holds back meanwhile. Windows has no such thing: a worker that is
    not through with its imports yet takes it there.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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


def start_worker(
    source: Path, shared: ctypes.Array, shape: tuple[int, ...], stop: ctypes.c_ubyte
) -> None:
    """Open the source and the shared memory for this process, which ends when its parent does."""
    global reader, worker_read, worker_slots, worker_stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()
    reader = open_reader(source)  # kept, for it closes the source when it goes
    try:
        worker_read = reader.__enter__()
    except (OSError, zipfile.BadZipFile):
        os._exit(1)  # without a word: the parent goes on alone, and says what it finds
    worker_slots, worker_stop = as_slots(shared, shape), stop


def end_with_parent() -> None:
    """Wait for the parent, which may be killed, and end: nobody else would end a worker then."""
    multiprocessing.parent_process().join()
    os._exit(1)


def as_slots(shared: ctypes.Array, shape: tuple[int, ...]) -> np.ndarray:
    """Return shared memory as an array: slots that hold a block of sprites each."""
    return np.frombuffer(shared, np.uint8).reshape(shape)


def decode_in_worker(names: list[str], slot: int) -> Outcome:
    """Decode the sprites of these names, in the source that the worker has opened, into a slot.

    The parent may stop it at the next one.
    """
    names = takewhile(lambda _: not worker_stop.value, names)
    return decode_block(worker_read, names, worker_slots[slot])
