"""Whether so many sprites fit: one line that says so, before the system ends the process. No torch.

pixels = empty_pixels(count, side=40)  # (N, 3, 40, 40), uint8
"""

import os
from pathlib import Path

import numpy as np

from utils.cli import InputError

MEMINFO = Path("/proc/meminfo")


def empty_pixels(count: int, side: int) -> np.ndarray:
    """Return room for sprites, uint8 (count, 3, side, side).

    Raises
    ------
    ValueError
        If there is less memory than that.
    """
    check_memory(count, 3 * side * side, free_memory(), "memory")
    return np.empty((count, 3, side, side), np.uint8)


def check_memory(count: int, num_bytes: int, free: int | None, what: str) -> None:
    """Raise ValueError if so many sprites of so many bytes need more than is free."""
    if free is not None and count * num_bytes > free:
        raise InputError(
            f"{count:,} sprites of {num_bytes:,} bytes need {count * num_bytes / 1e9:,.1f} GB of "
            f"{what}, and {free / 1e9:,.1f} are free, enough for {free // num_bytes:,}; take fewer "
            "sprites, a smaller --image_size, or another machine"
        )


def free_memory() -> int | None:
    """Return how many bytes a process may still take, or None if the system does not say.

    Linux knows what it could free; elsewhere it is all the memory of the machine.
    """
    if MEMINFO.is_file():
        for line in MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {}):  # not on Windows
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None
