"""Sprites on paper: grids, captions and titles around them, written as PNG, PDF, SVG or GIF.

A figure is one array of pixels, in which sprites are enlarged by whole factors so that pixels
stay pixels, with texts on it. Figures are joined into larger ones, and written.
"""

import io
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from utils.data_utils import to_uint8
from utils.files import write_whole

GAP = 2  # white around a sprite in a grid, in pixels of a sprite
MARGIN = 12  # around a figure and between the parts of one, in pixels of the picture
SMALL, NORMAL, LARGE = 12, 14, 19  # sizes of text in pixels
LINE = 1.3  # height of a line of text, in sizes
INK = (70, 70, 70)
GIF_SECONDS = 4.0  # of a moving picture, ends included
GIF_HOLD = 1.0  # on its first and its last frame


class Text(NamedTuple):
    """A text on a figure; `anchor` as in Pillow: (l)eft, m(iddle), r(ight); then m(iddle)."""

    x: float
    y: float
    text: str
    anchor: str = "mm"
    size: int = SMALL


class Figure(NamedTuple):
    """Pixels (H, W, 3), uint8, and the texts that stand on them."""

    pixels: np.ndarray
    texts: tuple[Text, ...] = ()


# ---- making figures


def grid(images: Tensor, columns: int, scale: int = 1) -> Figure:
    """Return images side by side, line after line.

    Parameters
    ----------
    images : Tensor, shape (N, 3, S, S), uint8 or float in [0, 1]
    columns : int
    scale : int
        Pixels of the figure a pixel of a sprite.
    """
    count, _, side, _ = images.shape
    rows = -(-count // columns)
    cell = side + GAP
    pixels = np.full((rows * columns, cell, cell, 3), 255, np.uint8)
    pixels[:count, :side, :side] = to_uint8(images).permute(0, 2, 3, 1).numpy()
    pixels = pixels.reshape(rows, columns, cell, cell, 3).swapaxes(1, 2)
    pixels = pixels.reshape(rows * cell, columns * cell, 3)[: -GAP or None, : -GAP or None]
    return Figure(pixels.repeat(scale, 0).repeat(scale, 1))


def captioned(images: Tensor, captions: list[str], columns: int, scale: int = 1) -> Figure:
    """Return a grid in which each image has a caption of one or more lines under it."""
    cells = [
        join([grid(image[None], 1, scale), note(caption)], down=True, gap=2)
        for image, caption in zip(images, captions, strict=True)
    ]
    lines = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    lines = [join(line, gap=GAP * scale) for line in lines]
    return join(lines, down=True, align="start")


def labelled_rows(rows: list[tuple[str, Tensor]], scale: int = 1) -> Figure:
    """Return one row of images under the other, each with a label at its left.

    Rows may differ in length.
    """
    labels = [note(label, NORMAL) for label, _ in rows]
    width = max(label.pixels.shape[1] for label in labels)
    lines = []
    for label, (_, images) in zip(labels, rows, strict=True):
        strip = grid(images, len(images), scale)
        height = strip.pixels.shape[0]
        blank = np.full((height, width, 3), 255, np.uint8)
        text = Text(width - 1, height / 2, label.texts[0].text, "rm", NORMAL)
        lines.append(join([Figure(blank, (text,)), strip]))
    return join(lines, down=True, gap=GAP * scale, align="start")


def beside_corners(center: Figure, images: Tensor, names: list[str], scale: int) -> Figure:
    """Return a figure with four originals outside it, each at its corner.

    Parameters
    ----------
    center : Figure
    images : Tensor, shape (4, 3, S, S), uint8 or float in [0, 1]
        Top left, top right, bottom left, bottom right.
    names : list of str
    scale : int
    """
    cells = [
        captioned(images[i, None], [f"original\n{shorten(names[i])}"], 1, scale) for i in range(4)
    ]
    height = center.pixels.shape[0]
    sides = []
    for top, bottom in (cells[0::2], cells[1::2]):
        space = height - top.pixels.shape[0] - bottom.pixels.shape[0]
        sides.append(join([top, bottom], down=True, gap=max(MARGIN, space)))
    return join([sides[0], center, sides[1]], gap=2 * MARGIN)


def shorten(name: str, longest: int = 18) -> str:
    """Return a name with its middle left out if it is long."""
    if len(name) <= longest:
        return name
    return f"{name[: longest // 2 - 1]}...{name[-(longest // 2 - 2) :]}"


def note(text: str, size: int = SMALL, anchor: str = "mm") -> Figure:
    """Return a figure of text alone."""
    lines = text.split("\n")
    width = max(1, *(round(font(size).getlength(line)) + 2 for line in lines))
    height = round(size * LINE)
    x = {"l": 1, "m": width / 2, "r": width - 1}[anchor[0]]
    texts = (Text(x, (i + 0.5) * height, line, anchor, size) for i, line in enumerate(lines))
    return Figure(np.full((height * len(lines), width, 3), 255, np.uint8), tuple(texts))


def columns(headings: list[str], cells: list[list[str]]) -> Figure:
    """Return a table by its columns, the first to the left and the others to the right."""
    notes = [
        note("\n".join([heading, *column]), SMALL, "rm" if index else "lm")
        for index, (heading, column) in enumerate(zip(headings, cells, strict=True))
    ]
    return join(notes, gap=2 * MARGIN)


def titled(title: str, figure: Figure, subtitle: str = "") -> Figure:
    """Return a figure with a title above it, and a smaller line under the title."""
    parts = [note(title, LARGE, "lm")] + ([note(subtitle, SMALL, "lm")] if subtitle else [])
    return join([join(parts, down=True, gap=2, align="start"), figure], down=True, align="start")


def join(
    figures: list[Figure], *, down: bool = False, gap: int = MARGIN, align: str = "middle"
) -> Figure:
    """Return figures beside each other, or one under the other.

    Parameters
    ----------
    figures : list of Figure
    down : bool
        One under the other.
    gap : int
        White between two figures, in pixels.
    align : {"start", "middle"}
        Where the smaller ones stand across the direction: at the top or left, or in the middle.
    """
    along, across = (0, 1) if down else (1, 0)
    shape = [0, 0, 3]
    shape[along] = sum(f.pixels.shape[along] for f in figures) + gap * (len(figures) - 1)
    shape[across] = max(f.pixels.shape[across] for f in figures)
    pixels = np.full(shape, 255, np.uint8)
    texts = []
    at = [0, 0]
    for figure in figures:
        height, width, _ = figure.pixels.shape
        rest = shape[across] - figure.pixels.shape[across]
        at[across] = rest // 2 if align == "middle" else 0
        top, left = at
        pixels[top : top + height, left : left + width] = figure.pixels
        texts += [text._replace(x=text.x + left, y=text.y + top) for text in figure.texts]
        at[along] += figure.pixels.shape[along] + gap
    return Figure(pixels, tuple(texts))


# ---- writing figures


def save_figure(path: Path, figure: Figure) -> None:
    """Write a figure as ``.png``, ``.pdf`` or ``.svg``, the same bytes each time.

    A PNG has the very pixels of the figure. In PDF and SVG the texts stay text.
    """
    pixels, texts = with_margin(figure)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".png":
        save_picture(path, draw_texts(pixels, texts))
    else:
        save_vector(path, pixels, texts)


def with_margin(figure: Figure) -> Figure:
    """Return a figure with white around it."""
    pixels = np.pad(figure.pixels, ((MARGIN,) * 2, (MARGIN,) * 2, (0, 0)), constant_values=255)
    moved = (text._replace(x=text.x + MARGIN, y=text.y + MARGIN) for text in figure.texts)
    return Figure(pixels, tuple(moved))


@lru_cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """Return matplotlib's DejaVu Sans, which has the letters that file names have."""
    from matplotlib import get_data_path

    return ImageFont.truetype(Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", size)


def draw_texts(pixels: np.ndarray, texts: tuple[Text, ...]) -> np.ndarray:
    """Return pixels with the texts drawn on them."""
    picture = Image.fromarray(pixels)
    draw = ImageDraw.Draw(picture)
    for x, y, text, anchor, size in texts:
        draw.text((x, y), text, INK, font(size), anchor)
    return np.asarray(picture)


def save_picture(path: Path, pixels: np.ndarray) -> None:
    """Write pixels (H, W, 3), uint8, as PNG under a name that appears only when it is whole."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    write_whole(path, buffer.getvalue())


def save_vector(path: Path, pixels: np.ndarray, texts: tuple[Text, ...]) -> None:
    """Write pixels and texts as PDF or SVG, without a date."""
    import matplotlib.figure  # only where it is used: half a second to import

    dots = 96  # an inch, as browsers have it: a pixel of the figure is one of theirs
    height, width, _ = pixels.shape
    figure = matplotlib.figure.Figure(figsize=(width / dots, height / dots), dpi=dots)
    figure.figimage(pixels)
    for x, y, text, anchor, size in texts:
        figure.text(
            x / width,
            1 - y / height,
            text,
            ha={"l": "left", "m": "center", "r": "right"}[anchor[0]],
            va="center",
            fontsize=size * 72 / dots,
            color=np.divide(INK, 255),
        )
    save_matplotlib(path, figure)


def save_matplotlib(path: Path, figure) -> None:
    """Write a figure of matplotlib, the same bytes each time."""
    import matplotlib

    dates = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}
    form = path.suffix.removeprefix(".")
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "sprites", "svg.fonttype": "none"}):
        figure.savefig(buffer, format=form, metadata=dates.get(path.suffix))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, buffer.getvalue())


def save_gif(path: Path, frames: list[Figure]) -> None:
    """Write figures of one height as a GIF that runs for ever and rests at its ends."""
    widest = max(frame.pixels.shape[1] for frame in frames)
    blank = Figure(np.full((1, widest, 3), 255, np.uint8))
    frames = [join([blank, frame], down=True, gap=0) for frame in frames]
    pictures = [Image.fromarray(draw_texts(*with_margin(frame))) for frame in frames]
    step = max(40, round(1000 * (GIF_SECONDS - 2 * GIF_HOLD) / len(frames)))
    hold = round(1000 * GIF_HOLD)
    durations = [hold] + [step] * (len(frames) - 2) + [hold]
    buffer = io.BytesIO()
    pictures[0].save(
        buffer,
        format="GIF",
        save_all=True,
        append_images=pictures[1:],
        duration=durations[: len(frames)],
        loop=0,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, buffer.getvalue())
