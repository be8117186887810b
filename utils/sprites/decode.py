"""Many PNGs: files to pixels, by all cores where that pays. No torch: workers start fast.

decoded = decode_files(source, files, side=40, background="crop")
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from utils.sprites.background import Colour, background_of, clear_background
from utils.sprites.memory import empty_pixels
from utils.sprites.png import DECODE_ERRORS, decode_png, fit_to_square, reason
from utils.sprites.source import open_reader
from utils.sprites.workers import in_workers, num_cores

WHITE = (255, 255, 255)
CHUNK = 500  # files per task: 2.4 MB of pixels through a pipe, a tenth of a second
MANY = 5000  # files, from which on starting processes pays: one core decodes them in a second


class Decoded(NamedTuple):
    """What became of some files."""

    pixels: np.ndarray  # (N, 3, S, S), uint8; white where a file cannot be read
    actions: Counter[str]  # how sprites were fitted
    colours: Counter[Colour]  # of the backgrounds that were made white
    errors: list[str]  # names of the files that cannot be read, each with the reason


def decode_files(source: Path, files: dict[str, str], side: int, background: str) -> Decoded:
    """Decode the sprites of a folder or zip, fitted to squares.

    Parameters
    ----------
    source : Path
    files : dict
        From names to paths in the source; see `source.sprite_files`.
    side : int
        Of the squares, in pixels.
    background : {"crop", "keep"}

    Raises
    ------
    ValueError
        If memory is too short.
    ChildProcessError
        If a worker dies.
    """
    total = Decoded(empty_pixels(len(files), side), Counter(), Counter(), [])
    done = 0
    for part in decode_chunks(source, files, side, background):
        total.pixels[done : done + len(part.pixels)] = part.pixels
        done += len(part.pixels)
        total.actions.update(part.actions)
        total.colours.update(part.colours)
        total.errors.extend(part.errors)
    return total


def decode_chunks(
    source: Path, files: dict[str, str], side: int, background: str
) -> Iterator[Decoded]:
    """Yield what becomes of each chunk of files, decoded by all cores if there are many."""
    items = iter(files.items())
    chunks = iter(lambda: list(islice(items, CHUNK)), [])
    if len(files) < MANY or num_cores() == 1:
        read = open_reader(source)
        yield from (decode_chunk(read, chunk, side, background) for chunk in chunks)
        return
    work = partial(decode_in_worker, source, side=side, background=background)
    yield from in_workers(work, chunks, f"decodes {source}")


def decode_chunk(
    read: Callable[[str], bytes], files: Iterable[tuple[str, str]], side: int, background: str
) -> Decoded:
    """Decode some files, given as pairs of name and path."""
    pixels, actions, colours, errors = [], Counter(), Counter(), []
    for name, path in files:
        try:
            square, action, colour = to_square(decode_png(read(path)), side, background)
        except DECODE_ERRORS as error:
            errors.append(f"{name} ({reason(error)})")
            square = np.full((side, side, 3), 255, np.uint8)
        else:
            actions[action] += 1
            colours.update([colour] if colour else [])
        pixels.append(square.transpose(2, 0, 1))
    return Decoded(np.stack(pixels), actions, colours, errors)


def to_square(
    image: Image.Image, side: int, background: str, colour: Colour | None = None
) -> tuple[np.ndarray, str, Colour | None]:
    """Fit an RGBA image to a white square, its opaque background as if it were transparent.

    Parameters
    ----------
    image : Image
    side : int
    background : {"crop", "keep"}
        Whether one colour all along the border is background.
    colour : (R, G, B), optional
        The background, if it is known from a sheet.

    Returns
    -------
    pixels : ndarray, shape (side, side, 3), uint8
    action : str
        See `fit_to_square`.
    colour : (R, G, B) or None
        The background, if taking it away changed anything.
    """
    if background == "keep":
        return *fit_to_square(image, side), None
    colour = colour or background_of(image)
    if colour is None or (colour == WHITE and max(image.size) <= side):
        return *fit_to_square(image, side), None
    return *fit_to_square(clear_background(image, colour), side), colour


# ---- in a worker process


@cache
def reader(source: Path) -> Callable[[str], bytes]:
    """Return `open_reader` of a source, opened once per worker: a zip's directory may be long."""
    return open_reader(source)


def decode_in_worker(
    source: Path, files: list[tuple[str, str]], side: int, background: str
) -> Decoded:
    """Decode a chunk of files."""
    return decode_chunk(reader(source), files, side, background)
