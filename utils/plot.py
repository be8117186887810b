"""Sprites on paper: grids and labelled rows, enlarged by whole factors: pixels stay pixels."""

import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

GAP = 2  # white between neighbours, in pixels of a sprite
LABEL_COLOR = (90, 90, 90)
FONT_SIZE = 15


def to_uint8(images: Tensor) -> Tensor:
    """Return images, uint8 or float in [0, 1], as uint8 on the CPU."""
    images = images.detach().cpu()
    if images.dtype != torch.uint8:
        images = (images.float().clamp(0, 1) * 255).round().to(torch.uint8)
    return images


def grid(images: Tensor, columns: int, scale: int = 1) -> np.ndarray:
    """Return images side by side as one picture.

    Parameters
    ----------
    images : Tensor, shape (N, 3, S, S), uint8 or float in [0, 1]
    columns : int
    scale : int
        Pixels of the picture a pixel of a sprite.

    Returns
    -------
    ndarray, shape (H, W, 3), uint8
    """
    from torchvision.utils import make_grid  # slow to import, so only where it is used

    picture = make_grid(to_uint8(images), nrow=columns, padding=GAP, pad_value=255)
    return enlarge(picture.permute(1, 2, 0).numpy(), scale)


def enlarge(picture: np.ndarray, scale: int) -> np.ndarray:
    """Return a picture (H, W, 3) with each pixel repeated `scale` times in both directions."""
    return picture.repeat(scale, 0).repeat(scale, 1)


def labelled_rows(rows: list[tuple[str, Tensor]], scale: int = 1) -> np.ndarray:
    """Return one row of sprites under the other, each with its label at the left.

    Parameters
    ----------
    rows : list of (str, Tensor of shape (N, 3, S, S), uint8 or float in [0, 1])
        Rows may differ in length.
    scale : int
        Pixels of the picture a pixel of a sprite.

    Returns
    -------
    ndarray, shape (H, W, 3), uint8
    """
    font = ImageFont.load_default(FONT_SIZE)
    margin = FONT_SIZE + max(round(font.getlength(label)) for label, _ in rows)
    strips = [grid(images, len(images), scale) for _, images in rows]
    height = sum(len(strip) for strip in strips)
    picture = Image.new("RGB", (margin + max(s.shape[1] for s in strips), height), "white")
    draw = ImageDraw.Draw(picture)
    top = 0
    for (label, _), strip in zip(rows, strips, strict=True):
        middle = (margin - FONT_SIZE // 2, top + len(strip) // 2)
        draw.text(middle, label, LABEL_COLOR, font, anchor="rm")
        picture.paste(Image.fromarray(strip), (margin, top))
        top += len(strip)
    return np.asarray(picture)


def save_picture(path: Path, picture: np.ndarray) -> None:
    """Write a picture (H, W, 3), uint8, as PNG under a name that appears only when it is whole."""
    temporary = path.with_name(path.name + ".tmp")
    Image.fromarray(picture).save(temporary, format="PNG")
    os.replace(temporary, path)
