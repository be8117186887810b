"""What the name of a sprite's file says: which creature it shows."""

import re
from pathlib import PurePosixPath

import numpy as np


def number_of(name: str) -> str:
    """Return the number that a file name begins with, or the whole name if it does not.

    Forms of one creature share a number: "003MS.png" and "003MMS.png" are both "3".
    """
    match = re.match(r"\d+", PurePosixPath(name).name)
    return str(int(match[0])) if match else name


def creatures(names: list[str]) -> np.ndarray:
    """Return an integer per sprite (N,) that is the same for all forms of one creature."""
    return np.unique([number_of(name) for name in names], return_inverse=True)[1]
