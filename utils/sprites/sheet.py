"""A sheet: one PNG with many sprites, cut into tiles or by the JSON that Aseprite writes beside it.

sheet = cut_sheet(Path("sheet.png"), tile=(40, 40))
sheet.sprites["r00c03"]  # RGBA
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from utils.cli import InputError
from utils.sprites.background import Colour, background_of
from utils.sprites.png import DECODE_ERRORS, MAX_PIXELS, VISIBLE, decode_png, reason
from utils.sprites.source import plain_name, read_limited

Box = tuple[int, int, int, int]  # x, y, width, height in pixels


class Sheet(NamedTuple):
    """What is on a sheet."""

    sprites: dict[str, Image.Image]  # RGBA, in the order of their names
    num_empty: int  # tiles or frames that were left out
    background: Colour | None  # the opaque colour of the sheet's border


def cut_sheet(path: Path, tile: tuple[int, int] | None) -> Sheet:
    """Cut a sheet into its sprites.

    Tiles are named by row and column, counted from 0 ("r00c03"). Empty ones are left out: those
    that are wholly transparent, or of one colour.

    Parameters
    ----------
    path : Path
    tile : (width, height), optional
        In pixels; without it, the file of the same name that ends in ``.json`` lists the frames.

    Raises
    ------
    ValueError
        If the sheet or its JSON cannot be read, or a frame is not inside the sheet.
    """
    try:
        sheet = decode_png(read_limited(path))
    except DECODE_ERRORS as error:
        raise InputError(f"{path} cannot be read as a PNG ({reason(error)})") from None
    beside = path.with_suffix(".json")
    if tile is not None:
        sprites = cut_tiles(sheet, path, *tile)
    elif beside.is_file():
        sprites = cut_frames(sheet, beside)
    else:
        raise InputError(
            f"{path} is one PNG; to cut it as a sheet add --tile 40 (or WIDTHxHEIGHT) or put "
            f"Aseprite's {beside.name} beside it, or name the folder of your sprites"
        )
    drawn = {name: image for name, image in sorted(sprites.items()) if not is_empty(image)}
    if not drawn:
        raise InputError(f"{path} has no sprite: all of its {len(sprites)} tiles are empty")
    return Sheet(drawn, len(sprites) - len(drawn), background_of(sheet))


def is_empty(image: Image.Image) -> bool:
    """Return whether nothing is drawn on an image: nobody sees it, or it is of one colour."""
    rgba = np.asarray(image)
    return not rgba.size or bool((rgba[..., 3] < VISIBLE).all() or (rgba == rgba[0, 0]).all())


def cut_tiles(sheet: Image.Image, path: Path, width: int, height: int) -> dict[str, Image.Image]:
    """Return all tiles of a sheet; what is left over at the right and bottom must be empty."""
    columns, rows = sheet.width // width, sheet.height // height
    right = sheet.crop((columns * width, 0, *sheet.size))
    below = sheet.crop((0, rows * height, *sheet.size))
    if not columns or not rows or not all(map(is_empty, (right, below))):
        raise InputError(
            f"{path} is {sheet.width}x{sheet.height}, not a whole number of tiles of "
            f"{width}x{height}; --tile must be the size of one sprite with its margin"
        )
    digits = max(2, len(str(max(rows, columns) - 1)))  # so that names sort as rows do
    return {
        f"r{row:0{digits}}c{column:0{digits}}": crop(
            sheet, (column * width, row * height, width, height)
        )
        for row in range(rows)
        for column in range(columns)
    }


def cut_frames(sheet: Image.Image, path: Path) -> dict[str, Image.Image]:
    """Return the frames that Aseprite's JSON lists, as a hash or as an array."""
    try:
        frames = json.loads(path.read_text("utf-8-sig"))["frames"]
        if isinstance(frames, dict):
            frames = [{"filename": name, **frame} for name, frame in frames.items()]
        names = [plain_name(str(frame["filename"])) for frame in frames]
        images = [cut_frame(sheet, frame) for frame in frames]
    except (ValueError, KeyError, TypeError, OverflowError, OSError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else reason(error)
        raise InputError(
            f"{path} is not in Aseprite's layout ({what}); export it anew, or use --tile"
        ) from None
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{path} has several frames called {twice[0]!r}; name them differently")
    return dict(zip(names, images, strict=True))


def cut_frame(sheet: Image.Image, frame: dict) -> Image.Image:
    """Return one frame; one that was trimmed gets its transparent margin back."""
    if frame.get("rotated"):
        raise InputError(f"frame {frame['filename']!r} is rotated")
    x, y, width, height = box = read_box(frame["frame"])
    if x < 0 or y < 0 or x + width > sheet.width or y + height > sheet.height:
        raise InputError(f"frame {frame['filename']!r} is not inside the sheet")
    image = crop(sheet, box)
    if not frame.get("trimmed"):
        return image
    size = int(frame["sourceSize"]["w"]), int(frame["sourceSize"]["h"])
    if size[0] * size[1] > MAX_PIXELS:
        raise InputError(f"frame {frame['filename']!r} was {size[0]}x{size[1]} before trimming")
    whole = Image.new("RGBA", size)
    whole.paste(image, read_box(frame["spriteSourceSize"])[:2])
    return whole


def read_box(box: dict) -> Box:
    """Return the box that a dictionary of Aseprite's describes."""
    return int(box["x"]), int(box["y"]), int(box["w"]), int(box["h"])


def crop(sheet: Image.Image, box: Box) -> Image.Image:
    """Return a part of a sheet."""
    x, y, width, height = box
    return sheet.crop((x, y, x + width, y + height))
