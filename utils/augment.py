"""Augmentation: each sprite a little different every time that it is trained on.

    x = augment(x, uniforms)

What is changed, and how much, stands in `Strengths`. Nothing here draws random numbers: the
uniforms come with the other draws of an epoch (utils/draws.py), so that a batch is augmented alike
wherever and however often it is computed.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

NUM_UNIFORMS = 7  # random numbers that a sprite takes; see `move` and `turn_hue`


class Strengths(NamedTuple):
    """How much is changed; 0 turns a change off. The defaults are by benchmarks/quality.md."""

    mirror: float = 0.5  # share of the sprites
    shift: int = 2  # pixels at most, each way
    scale: float = 0.1  # of the logarithm of the size, at most, each way: 0.1 is 10 %
    stretch: float = 0.1  # the same, wider and lower or narrower and higher
    hue: float = 0.5  # share of the sprites that get another hue


DEFAULT = Strengths()


def augment(x: Tensor, uniforms: Tensor, strengths: Strengths = DEFAULT) -> Tensor:
    """Return sprites that are mirrored, moved, scaled and recoloured as the uniforms say.

    A function of its arguments alone, on any device, which never waits for the device.

    Parameters
    ----------
    x : Tensor, shape (B, 3, S, S), float32, in [0, 1]
    uniforms : Tensor, shape (B, NUM_UNIFORMS), float32, in [0, 1)
        0.5 in all but the shares (columns 0 and 5) changes nothing.
    strengths : Strengths

    Returns
    -------
    Tensor, shape (B, 3, S, S), float32, in [0, 1]
    """
    mirror, across, down, scale, stretch, hue, turn = uniforms.unbind(1)
    moved = move(
        x,
        mirror=mirror < strengths.mirror,
        across=whole_steps(across, strengths.shift),
        down=whole_steps(down, strengths.shift),
        width=torch.exp(both_ways(scale, strengths.scale) + both_ways(stretch, strengths.stretch)),
        height=torch.exp(both_ways(scale, strengths.scale) - both_ways(stretch, strengths.stretch)),
    )
    return turn_hue(moved, 2 * math.pi * turn * (hue < strengths.hue))


def both_ways(uniform: Tensor, most: float) -> Tensor:
    """Return uniforms in [0, 1) as numbers in [-most, most)."""
    return (2 * uniform - 1) * most


def whole_steps(uniform: Tensor, most: int) -> Tensor:
    """Return uniforms in [0, 1) as whole numbers from -most to most, all equally likely."""
    return torch.floor(uniform * (2 * most + 1)).clamp(max=2 * most) - most


def move(
    x: Tensor, *, mirror: Tensor, across: Tensor, down: Tensor, width: Tensor, height: Tensor
) -> Tensor:
    """Return sprites mirrored, scaled about their centre and shifted, white where nothing was.

    A pixel of the result is the nearest pixel of the sprite, so that no new colours appear.

    Parameters
    ----------
    x : Tensor, shape (B, 3, S, S)
    mirror : Tensor, shape (B,), bool
    across, down : Tensor, shape (B,)
        Pixels to the right and to the bottom.
    width, height : Tensor, shape (B,)
        Factors; 1 leaves the size as it is.
    """
    size = x.shape[-1]
    centre = (size - 1) / 2
    place = torch.arange(size, device=x.device) - centre
    width = torch.where(mirror, -width, width)
    row = torch.round((place - down[:, None]) / height[:, None] + centre)  # (B, S)
    column = torch.round((place - across[:, None]) / width[:, None] + centre)  # (B, S)
    index = row[:, :, None] * size + column[:, None, :]  # (B, S, S), of the pixel that is taken
    inside = within(row, size)[:, :, None] & within(column, size)[:, None, :]
    index = index.clamp(0, size * size - 1).long().flatten(1)
    moved = x.flatten(2).gather(2, index[:, None].expand(-1, 3, -1)).view_as(x)
    return torch.where(inside[:, None], moved, 1.0)


def within(place: Tensor, size: int) -> Tensor:
    """Return which places are in [0, size)."""
    return (place >= 0) & (place < size)


def turn_hue(x: Tensor, angle: Tensor) -> Tensor:
    """Return sprites whose colours are turned about the grey axis of the RGB cube.

    The mean of the three channels stays, and so do white and every grey, exactly; what leaves the
    cube is clipped. A third of a full turn makes red green, green blue and blue red. This is
    Rodrigues' formula about (1, 1, 1) / sqrt(3), written so that grey makes differences of 0.

    Parameters
    ----------
    x : Tensor, shape (B, 3, S, S), in [0, 1]
    angle : Tensor, shape (B,), in radians
    """
    angle = angle[:, None, None, None]
    red, green, blue = x.unbind(1)
    grey = x.mean(1, keepdim=True)
    turned = torch.stack([blue - green, red - blue, green - red], 1)
    chroma = x - grey
    x = x + (torch.cos(angle) - 1) * chroma + torch.sin(angle) / math.sqrt(3) * turned
    return x.clamp(0, 1)
