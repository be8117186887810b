"""Palettes: a number of colours to choose, or the colours of a file."""

import argparse
import re
from pathlib import Path

import numpy as np

from utils.cli import InputError, integer
from utils.sprites.png import DECODE_ERRORS, decode_png
from utils.sprites.source import read_limited

MOST = 255  # colours of a PNG with a palette, less the transparent one
Palette = int | np.ndarray  # how many colours, or those colours (K, 3), uint8


def palette(text: str) -> Palette:
    """Return a palette from the command line, for argparse.

    A number from 2 to 255, or the path of a GIMP palette (``.gpl``), of a list of hexadecimal
    colours (``.hex``), or of a PNG that shows the colours.
    """
    path = Path(text)
    if not path.is_file():
        if path.suffix:
            raise argparse.ArgumentTypeError(f"there is no file {text}")
        return integer(2, MOST)(text)
    try:
        colors = READERS[path.suffix.lower()](path)
    except KeyError:
        raise argparse.ArgumentTypeError(f"{text} is none of {', '.join(READERS)}") from None
    except DECODE_ERRORS as error:
        raise argparse.ArgumentTypeError(f"{text} cannot be read ({error})") from None
    if not 1 <= len(colors) <= MOST:
        raise argparse.ArgumentTypeError(f"{text} has {len(colors)} colours, not 1 to {MOST}")
    return np.array(colors, np.uint8)


def read_gpl(path: Path) -> list[tuple[int, ...]]:
    """Return the colours of a GIMP palette: lines of red, green, blue and a name."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    rows = (re.match(r"\s*(\d+)\s+(\d+)\s+(\d+)(\s|$)", line) for line in lines)
    colors = [tuple(map(int, row.groups()[:3])) for row in rows if row]
    if any(max(color) > 255 for color in colors):
        raise InputError("a value is above 255")
    return unique(colors)


def read_hex(path: Path) -> list[tuple[int, ...]]:
    """Return the colours of a list of hexadecimal colours, one a line, as Lospec has them."""
    words = path.read_text(encoding="utf-8", errors="replace").split()
    wrong = [word for word in words if not re.fullmatch(r"#?[0-9a-fA-F]{6}", word)]
    if wrong:
        raise InputError(f"{wrong[0]!r} is not a colour such as ff8800")
    return unique([tuple(bytes.fromhex(word.removeprefix("#"))) for word in words])


def read_png(path: Path) -> list[tuple[int, ...]]:
    """Return the colours of a picture in the order in which they appear, transparent ones not."""
    rgba = np.asarray(decode_png(read_limited(path))).reshape(-1, 4)
    return unique([tuple(color) for color in rgba[rgba[:, 3] > 0][:, :3].tolist()])


def unique(colors: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Return each colour once."""
    return list(dict.fromkeys(colors))


READERS = {".gpl": read_gpl, ".hex": read_hex, ".png": read_png}
