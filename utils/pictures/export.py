"""Decoded sprites as files for games: with a transparent background and, optionally, a palette."""

import io
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from utils.data_utils import to_uint8
from utils.files import write_json, write_whole
from utils.pictures.palettes import Palette
from utils.sprites.png import import_cv2

BACKGROUND = 240  # smallest channel from which a pixel may be background
FRAME_MS = 100  # of a frame in a sheet, where nothing else is said


def save_sprites(folder: Path, images: dict[str, Tensor], palette: Palette | None = None) -> None:
    """Write each image as ``KIND/KIND_NAME.png``; the kind is the folder's name.

    Older files of this kind are deleted, so that the folder holds one set.

    Parameters
    ----------
    folder : Path
    images : dict
        From a name to a Tensor (3, S, S), uint8 or float in [0, 1].
    palette : int or ndarray, optional
        See `encode_png`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{folder.name}_*.png"):
        old.unlink()
    for name, image in images.items():
        pixels = to_uint8(image).permute(1, 2, 0).numpy()
        path = folder / f"{folder.name}_{name}.png"
        write_whole(path, encode_png(pixels, foreground(pixels), palette))


def save_sheet(
    path: Path, kinds: dict[str, dict[str, Tensor]], columns: int, palette: Palette | None = None
) -> None:
    """Write all images as one PNG, and where each is as JSON of the same name.

    The JSON is laid out as Aseprite exports it (array, a tag per kind), which game engines import.

    Parameters
    ----------
    path : Path
        Of the PNG.
    kinds : dict
        As `save_sprites` takes them, by kind; each kind begins a new row.
    columns : int
    palette : int or ndarray, optional
        Of the whole sheet; see `encode_png`.
    """
    side = next(image.shape[-1] for images in kinds.values() for image in images.values())
    rows = sum(-(-len(images) // columns) for images in kinds.values())
    pixels = np.full((rows * side, columns * side, 3), 255, np.uint8)
    inside = np.zeros(pixels.shape[:2], bool)
    frames, tags, row = [], [], 0
    for kind, images in kinds.items():
        first = len(frames)
        for index, (name, image) in enumerate(images.items()):
            y, x = (side * at for at in divmod(row * columns + index, columns))
            sprite = to_uint8(image).permute(1, 2, 0).numpy()
            pixels[y : y + side, x : x + side] = sprite
            inside[y : y + side, x : x + side] = foreground(sprite)
            frames.append(frame_of(f"{kind}_{name}", x, y, side))
        tags.append({"name": kind, "from": first, "to": len(frames) - 1, "direction": "forward"})
        row += -(-len(images) // columns)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, encode_png(pixels, inside, palette))
    meta = {
        "app": "https://www.aseprite.org/",  # by which importers know the layout
        "version": "1.3",
        "image": path.name,
        "format": "RGBA8888" if palette is None else "I8",
        "size": {"w": pixels.shape[1], "h": pixels.shape[0]},
        "scale": "1",
        "frameTags": tags,
    }
    write_json(path.with_suffix(".json"), {"frames": frames, "meta": meta})


def frame_of(name: str, x: int, y: int, side: int) -> dict:
    """Return the entry of a sprite in the JSON of a sheet."""
    return {
        "filename": name,
        "frame": {"x": x, "y": y, "w": side, "h": side},
        "rotated": False,
        "trimmed": False,
        "spriteSourceSize": {"x": 0, "y": 0, "w": side, "h": side},
        "sourceSize": {"w": side, "h": side},
        "duration": FRAME_MS,
    }


def encode_png(pixels: np.ndarray, inside: np.ndarray, palette: Palette | None) -> bytes:
    """Return a PNG whose background is transparent.

    Parameters
    ----------
    pixels : ndarray, shape (H, W, 3), uint8
    inside : ndarray, shape (H, W), bool
        What is not background.
    palette : int or ndarray, shape (K, 3), optional
        Number of colours, 2 to 255, not counting the transparent one, or the colours themselves;
        RGBA if left out.
    """
    buffer = io.BytesIO()
    if palette is None:
        alpha = np.where(inside, 255, 0).astype(np.uint8)
        Image.fromarray(np.dstack([pixels, alpha])).save(buffer, format="PNG")
    else:
        picture = to_palette(pixels, inside, palette)
        transparent = palette if isinstance(palette, int) else len(palette)
        picture.save(buffer, format="PNG", transparency=transparent)
    return buffer.getvalue()


def foreground(pixels: np.ndarray) -> np.ndarray:
    """Return all but the white that is connected to the border, bool (S, S)."""
    light = pixels.min(2) >= BACKGROUND
    # With a frame of background, everything light that touches the border is one component.
    framed = np.pad(light, 1, constant_values=True).astype(np.uint8)
    _, labels = import_cv2().connectedComponents(framed, connectivity=4)
    return (labels != labels[0, 0])[1:-1, 1:-1]


def to_palette(pixels: np.ndarray, inside: np.ndarray, palette: Palette) -> Image.Image:
    """Return an image with a palette of the foreground; the index after it is the background.

    A number of colours is chosen by median cut; of given colours each pixel gets the nearest.
    """
    colors = palette if isinstance(palette, int) else len(palette)
    index = np.full(inside.shape, colors, np.uint8)
    table = [255] * (3 * (colors + 1))
    if not isinstance(palette, int):
        table[: 3 * colors] = palette.ravel().tolist()
        index[inside] = nearest_colors(pixels[inside], palette)
    elif inside.any():
        strip = Image.fromarray(pixels[inside][None])
        strip = strip.quantize(colors, Image.Quantize.MEDIANCUT, kmeans=1, dither=Image.Dither.NONE)
        chosen = strip.getpalette()[: 3 * colors]
        table[: len(chosen)] = chosen
        index[inside] = np.asarray(strip)[0]
    picture = Image.fromarray(index, mode="L").convert("P")
    picture.putdata(index.flatten().tolist())
    picture.putpalette(table)
    return picture


def nearest_colors(pixels: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """Return the index of the palette's colour (K, 3) nearest to each pixel (N, 3) in CIE Lab."""
    cv2 = import_cv2()
    pixels, palette = (
        cv2.cvtColor(colors[None].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0]
        for colors in (pixels, palette)
    )
    best = np.full(len(pixels), np.inf, np.float32)
    index = np.zeros(len(pixels), np.uint8)
    for number, color in enumerate(palette):
        distance = np.square(pixels - color).sum(1)
        index[distance < best] = number
        best = np.minimum(best, distance)
    return index
