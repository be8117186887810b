"""Decoded sprites as files for games: transparent background, and a palette if that is wanted."""

import io
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from utils.data_utils import to_uint8
from utils.files import write_whole
from utils.sprites.png import import_cv2

BACKGROUND = 240  # a pixel whose smallest channel is not below this may be background


def save_sprites(folder: Path, images: dict[str, Tensor], palette: int | None = None) -> None:
    """Write each image as a PNG of its own size into ``folder/KIND_NAME.png``.

    Earlier files of this kind in the folder are removed, so that it holds one set.

    Parameters
    ----------
    folder : Path
        Its name is the kind.
    images : dict
        From a name to a Tensor of shape (3, S, S), uint8 or float in [0, 1].
    palette : int, optional
        Number of colours, 2 to 255, the transparent one not counted. Left out, sprites are RGBA.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{folder.name}_*.png"):
        old.unlink()
    for name, image in images.items():
        pixels = to_uint8(image).permute(1, 2, 0).numpy()
        drawn = drawn_part(pixels)
        path = folder / f"{folder.name}_{name}.png"
        buffer = io.BytesIO()
        if palette is None:
            alpha = np.where(drawn, 255, 0).astype(np.uint8)
            Image.fromarray(np.dstack([pixels, alpha])).save(buffer, format="PNG")
        else:
            picture = to_palette(pixels, drawn, palette)
            picture.save(buffer, format="PNG", transparency=palette)
        write_whole(path, buffer.getvalue())


def drawn_part(pixels: np.ndarray) -> np.ndarray:
    """Return where a sprite is drawn: all but what is white and connected to the border.

    Parameters
    ----------
    pixels : ndarray, shape (S, S, 3), uint8

    Returns
    -------
    ndarray, shape (S, S), bool
    """
    light = pixels.min(2) >= BACKGROUND
    # A frame of background makes all that touches the border one component with it.
    framed = np.pad(light, 1, constant_values=True).astype(np.uint8)
    _, labels = import_cv2().connectedComponents(framed, connectivity=4)
    return (labels != labels[0, 0])[1:-1, 1:-1]


def to_palette(pixels: np.ndarray, drawn: np.ndarray, colors: int) -> Image.Image:
    """Return a palette image of the drawn pixels; index `colors` is the background.

    Colours are chosen by Pillow's median cut among the drawn pixels alone.
    """
    index = np.full(drawn.shape, colors, np.uint8)
    table = [255] * (3 * (colors + 1))
    if drawn.any():
        strip = Image.fromarray(pixels[drawn][None])
        strip = strip.quantize(colors, Image.Quantize.MEDIANCUT, kmeans=1, dither=Image.Dither.NONE)
        chosen = strip.getpalette()[: 3 * colors]
        table[: len(chosen)] = chosen
        index[drawn] = np.asarray(strip)[0]
    picture = Image.fromarray(index, mode="L").convert("P")
    picture.putdata(index.flatten().tolist())
    picture.putpalette(table)
    return picture
