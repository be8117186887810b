"""Decoded sprites as files for games: with a transparent background and, optionally, a palette."""

import io
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from utils.data_utils import to_uint8
from utils.files import write_whole
from utils.sprites.png import import_cv2

BACKGROUND = 240  # smallest channel from which a pixel may be background


def save_sprites(folder: Path, images: dict[str, Tensor], palette: int | None = None) -> None:
    """Write each image as ``KIND/KIND_NAME.png``; the kind is the folder's name.

    Older files of this kind are deleted, so that the folder holds one set.

    Parameters
    ----------
    folder : Path
    images : dict
        From a name to a Tensor (3, S, S), uint8 or float in [0, 1].
    palette : int, optional
        Number of colours, 2 to 255, not counting the transparent one; RGBA if left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{folder.name}_*.png"):
        old.unlink()
    for name, image in images.items():
        pixels = to_uint8(image).permute(1, 2, 0).numpy()
        inside = foreground(pixels)
        path = folder / f"{folder.name}_{name}.png"
        buffer = io.BytesIO()
        if palette is None:
            alpha = np.where(inside, 255, 0).astype(np.uint8)
            Image.fromarray(np.dstack([pixels, alpha])).save(buffer, format="PNG")
        else:
            picture = to_palette(pixels, inside, palette)
            picture.save(buffer, format="PNG", transparency=palette)
        write_whole(path, buffer.getvalue())


def foreground(pixels: np.ndarray) -> np.ndarray:
    """Return all but the white that is connected to the border, bool (S, S)."""
    light = pixels.min(2) >= BACKGROUND
    # With a frame of background, everything light that touches the border is one component.
    framed = np.pad(light, 1, constant_values=True).astype(np.uint8)
    _, labels = import_cv2().connectedComponents(framed, connectivity=4)
    return (labels != labels[0, 0])[1:-1, 1:-1]


def to_palette(pixels: np.ndarray, inside: np.ndarray, colors: int) -> Image.Image:
    """Return an image with a palette of the foreground; index `colors` is the background."""
    index = np.full(inside.shape, colors, np.uint8)
    table = [255] * (3 * (colors + 1))
    if inside.any():
        strip = Image.fromarray(pixels[inside][None])
        strip = strip.quantize(colors, Image.Quantize.MEDIANCUT, kmeans=1, dither=Image.Dither.NONE)
        chosen = strip.getpalette()[: 3 * colors]
        table[: len(chosen)] = chosen
        index[inside] = np.asarray(strip)[0]
    picture = Image.fromarray(index, mode="L").convert("P")
    picture.putdata(index.flatten().tolist())
    picture.putpalette(table)
    return picture
