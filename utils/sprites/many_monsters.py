"""As many monsters as are asked for, drawn by all cores where that pays. No torch.

pixels = draw_monsters(20000, side=40)  # (N, 3, 40, 40), uint8
"""

from functools import partial

import numpy as np
from PIL import Image

from utils.sprites.memory import empty_pixels
from utils.sprites.monsters import draw_monster
from utils.sprites.png import fit_to_square
from utils.sprites.workers import on_all_cores

CHUNK = 200  # monsters per task: half a second
MANY = 3000  # from which on processes and a progress bar pay: one core draws them in nine seconds


def draw_monsters(count: int, side: int) -> np.ndarray:
    """Return the first monsters on white squares, uint8 (count, 3, side, side).

    Raises
    ------
    ValueError
        If memory is too short.
    ChildProcessError
        If a worker dies.
    """
    pixels = empty_pixels(count, side)
    chunks = [range(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK)]
    work = partial(draw_chunk, side=side)
    parts = on_all_cores(work, chunks, "monsters", total=count, many=MANY)
    for chunk, part in zip(chunks, parts, strict=True):
        pixels[chunk.start : chunk.stop] = part
    return pixels


def draw_chunk(indices: range, side: int) -> np.ndarray:
    """Return some monsters on white squares, uint8 (n, 3, side, side)."""
    squares = [fit_to_square(Image.fromarray(draw_monster(index)), side)[0] for index in indices]
    return np.stack(squares).transpose(0, 3, 1, 2)
