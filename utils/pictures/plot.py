"""Figures: grids of sprites with captions and titles, and curves, as PNG, PDF, SVG or GIF.

A figure is one array of pixels with texts on it. Sprites are enlarged by whole factors, so that
pixels stay sharp. Figures are joined into larger ones, and saved.
"""

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw
from torch import Tensor

from utils.data_utils import to_uint8
from utils.files import write_whole
from utils.pictures.fonts import font, font_file, showable
from utils.pictures.isolated import defaults

GAP = 2  # white between sprites of a grid, in pixels of a sprite
MARGIN = 12  # around a figure and between its parts, in pixels of the picture
SMALL, NORMAL, LARGE = 12, 14, 19  # text sizes in pixels
LINE = 1.3  # height of a line of text, relative to its size
INK = (70, 70, 70)
GIF_SECONDS = 4.0  # of an animation, including the rests at its ends
GIF_HOLD = 1.0  # seconds of rest on the first and on the last frame
CHART_SIZE = (7.0, 4.0)  # inches
BLUE, ORANGE, GREY = "#3566a8", "#d1603d", "#888888"


class Text(NamedTuple):
    """A text on a figure. The anchor is as in Pillow: l, m or r for left, middle, right; then m."""

    x: float
    y: float
    text: str
    anchor: str = "mm"
    size: int = SMALL


class Figure(NamedTuple):
    """Pixels (H, W, 3), uint8, and the texts on them."""

    pixels: np.ndarray
    texts: tuple[Text, ...] = ()


# ---- making figures


def grid(images: Tensor, columns: int, scale: int = 1) -> Figure:
    """Return images (N, 3, S, S), uint8 or float in [0, 1], row by row, enlarged by `scale`."""
    count, _, side, _ = images.shape
    rows = -(-count // columns)
    cell = side + GAP
    pixels = np.full((rows * columns, cell, cell, 3), 255, np.uint8)
    pixels[:count, :side, :side] = to_uint8(images).permute(0, 2, 3, 1).numpy()
    pixels = pixels.reshape(rows, columns, cell, cell, 3).swapaxes(1, 2)
    pixels = pixels.reshape(rows * cell, columns * cell, 3)[: -GAP or None, : -GAP or None]
    return Figure(pixels.repeat(scale, 0).repeat(scale, 1))


def captioned(images: Tensor, captions: list[str], columns: int, scale: int = 1) -> Figure:
    """Return a grid of images with a caption of one or more lines under each."""
    cells = [
        join([grid(image[None], 1, scale), note(caption)], down=True, gap=2)
        for image, caption in zip(images, captions, strict=True)
    ]
    lines = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    lines = [join(line, gap=GAP * scale) for line in lines]
    return join(lines, down=True, align="start")


def labelled_rows(rows: list[tuple[str, Tensor]], scale: int = 1) -> Figure:
    """Return rows of images, which may differ in length, with labels on the left."""
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


def shorten(name: str, longest: int = 18) -> str:
    """Return a name, with its middle left out if it is long."""
    if len(name) <= longest:
        return name
    return f"{name[: longest // 2 - 1]}...{name[-(longest // 2 - 2) :]}"


def note(text: str, size: int = SMALL, anchor: str = "mm") -> Figure:
    """Return a figure that is only text."""
    lines = [showable(line) for line in text.split("\n")]
    width = max(1, *(round(font(line, size).getlength(line)) + 2 for line in lines))
    height = round(size * LINE)
    x = {"l": 1, "m": width / 2, "r": width - 1}[anchor[0]]
    texts = (Text(x, (i + 0.5) * height, line, anchor, size) for i, line in enumerate(lines))
    return Figure(np.full((height * len(lines), width, 3), 255, np.uint8), tuple(texts))


def titled(title: str, figure: Figure, subtitle: str = "") -> Figure:
    """Return a figure below a title and a smaller subtitle."""
    parts = [note(title, LARGE, "lm")] + ([note(subtitle, SMALL, "lm")] if subtitle else [])
    return join([join(parts, down=True, gap=2, align="start"), figure], down=True, align="start")


def join(
    figures: list[Figure], *, down: bool = False, gap: int = MARGIN, align: str = "middle"
) -> Figure:
    """Return figures side by side, or below each other if `down`, with `gap` pixels between.

    Smaller ones stand at the "start" (the top or left) or in the "middle".
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


# ---- saving figures


def save_figure(path: Path, figure: Figure) -> None:
    """Write a figure as ``.png``, ``.pdf`` or ``.svg``, with the same bytes each time.

    A PNG has exactly the pixels of the figure. In PDF and SVG the texts stay text.
    """
    pixels, texts = with_margin(figure)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".png":
        buffer = io.BytesIO()
        Image.fromarray(with_texts(pixels, texts)).save(buffer, format="PNG")
        write_whole(path, buffer.getvalue())
    else:
        save_vector(path, pixels, texts)


def with_margin(figure: Figure) -> Figure:
    """Return a figure with white around it."""
    pixels = np.pad(figure.pixels, ((MARGIN,) * 2, (MARGIN,) * 2, (0, 0)), constant_values=255)
    moved = (text._replace(x=text.x + MARGIN, y=text.y + MARGIN) for text in figure.texts)
    return Figure(pixels, tuple(moved))


def with_texts(pixels: np.ndarray, texts: tuple[Text, ...]) -> np.ndarray:
    """Return pixels with the texts painted on them."""
    picture = Image.fromarray(pixels)
    canvas = ImageDraw.Draw(picture)
    for x, y, text, anchor, size in texts:
        canvas.text((x, y), text, INK, font(text, size), anchor)
    return np.asarray(picture)


@defaults()
def save_vector(path: Path, pixels: np.ndarray, texts: tuple[Text, ...]) -> None:
    """Write pixels and texts as PDF or SVG."""
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties

    dots = 96  # per inch, as in browsers: a pixel of the figure is one of theirs
    height, width, _ = pixels.shape
    chart = Figure(figsize=(width / dots, height / dots), dpi=dots)
    chart.figimage(pixels)
    for x, y, text, anchor, size in texts:
        file = font_file(text)
        chart.text(
            x / width,
            1 - y / height,
            text,
            ha={"l": "left", "m": "center", "r": "right"}[anchor[0]],
            va="center",
            fontproperties=FontProperties(fname=file) if file != font_file("a") else None,
            fontsize=size * 72 / dots,
            color=np.divide(INK, 255),
            parse_math=False,  # a $ in a name is a $
        )
    save_chart(path, chart)


@defaults()
def save_chart(path: Path, chart) -> None:
    """Write a matplotlib figure without a date, so with the same bytes each time."""
    dates = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}
    form = path.suffix.removeprefix(".")
    buffer = io.BytesIO()
    chart.savefig(buffer, format=form, metadata=dates.get(path.suffix))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, buffer.getvalue())


def save_gif(path: Path, frames: list[Figure]) -> None:
    """Write figures of one height as an endless GIF that rests on its first and last frame."""
    widest = max(frame.pixels.shape[1] for frame in frames)
    blank = Figure(np.full((1, widest, 3), 255, np.uint8))
    frames = [join([blank, frame], down=True, gap=0) for frame in frames]
    pictures = [Image.fromarray(with_texts(*with_margin(frame))) for frame in frames]
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


# ---- curves


@defaults()
def error_curve(history: dict[str, list[float]]):
    """Return a chart of the squared error per epoch, on training and on held-out sprites."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, MaxNLocator, ScalarFormatter

    chart = Figure(figsize=CHART_SIZE, dpi=150, layout="constrained")
    axes = chart.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e4e4e4", linewidth=0.8)
    axes.set_axisbelow(True)
    for column, label, color in (("recon", "training", BLUE), ("val_recon", "held out", ORANGE)):
        style = "-" if len(history["epoch"]) > 1 else "o"
        axes.plot(history["epoch"], history[column], style, color=color, linewidth=1.4)
        end = (history["epoch"][-1], history[column][-1])
        axes.annotate(label, end, (6, 0), textcoords="offset points", va="center", color=color)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.yaxis.set_minor_formatter(ScalarFormatter())
    axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch")
    axes.set_ylabel("squared error of a sprite, z sampled")
    return chart


@defaults()
def norm_curves(paths: dict[str, list[list[float]]], shell: float):
    """Return a chart of the norm of z along paths, each with its norms by LERP and by SLERP.

    Latents from the prior lie near the radius `shell`, which is sqrt(d).
    """
    from matplotlib.figure import Figure

    chart = Figure(figsize=(CHART_SIZE[0], CHART_SIZE[1] * 0.8), dpi=150, layout="constrained")
    all_axes = chart.subplots(1, len(paths), sharey=True, squeeze=False)[0]
    for axes, (title, (lerp_norms, slerp_norms)) in zip(all_axes, paths.items(), strict=True):
        t = [index / (len(lerp_norms) - 1) for index in range(len(lerp_norms))]
        axes.plot(t, slerp_norms, color=ORANGE, label="SLERP")
        axes.plot(t, lerp_norms, color=BLUE, label="LERP")
        axes.axhline(shell, color=GREY, linestyle=":", label="sqrt(d), the prior's shell")
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_title(title, fontsize=9)
        axes.set_xlabel("t")
        axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    all_axes[0].set_ylabel("norm of z")
    all_axes[0].set_ylim(bottom=0)
    chart.legend(
        *all_axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False
    )
    return chart
