"""Augmentation: each sprite a little different every time that it is trained on.

    augment = Augmentation()
    x = augment(x, uniforms, done=epoch / epochs)

Nothing here draws random numbers: the uniforms come with the other draws of an epoch (`draws`), so
a batch is augmented alike wherever and however often it is computed. Only `paste` looks at other
sprites of the batch.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

KNOTS = 3  # of the grid that bends a sprite, a side
BAND = (0.15, 0.5)  # least and greatest width of what is pasted, of the side
FADE_FROM = 0.4  # of a run, after which the strengths fall
FADE_TO = 0.2  # what is left of them at its end


class Uniforms(NamedTuple):
    """What the first random numbers of a sprite are for; the others are the knots of `bend`."""

    is_mirrored: Tensor
    across: Tensor
    down: Tensor
    scale: Tensor
    stretch: Tensor
    angle: Tensor
    shear: Tensor
    is_turned: Tensor
    turn: Tensor
    is_pasted: Tensor
    band_width: Tensor
    band_place: Tensor


class Augmentation(NamedTuple):
    """How much is changed; 0 turns a change off. The defaults are from benchmarks/quality.md."""

    mirror: float = 0.5  # share of the sprites
    shift: float = 2.0  # pixels at most, each way
    scale: float = 0.1  # of the logarithm of the size, at most, each way: 0.1 is 10 %
    stretch: float = 0.1  # the same, wider and lower or narrower and higher
    rotate: float = 8.0  # degrees at most, each way
    shear: float = 0.1  # pixels to the left for each row further down, at most, each way
    bend: float = 2.0  # pixels that a knot of the grid is moved at most, each way, in x and in y
    hue: float = 0.5  # share of the sprites that get another hue
    paste: float = 0.5  # share of the sprites that get rows or columns of another one

    @property
    def num_uniforms(self) -> int:
        """How many random numbers a sprite takes."""
        return 1 if self.only_mirrors else len(Uniforms._fields) + 2 * KNOTS * KNOTS

    @property
    def only_mirrors(self) -> bool:
        """Whether nothing else is changed."""
        return not any(self._replace(mirror=0.0))

    def __call__(self, x: Tensor, uniforms: Tensor, done: float = 0.0) -> Tensor:
        """Return sprites mirrored, moved, bent and recoloured as the uniforms say.

        A function of its arguments alone, on any device, that never waits for the device.

        Parameters
        ----------
        x : Tensor, shape (B, 3, S, S), float32, in [0, 1]
        uniforms : Tensor, shape (B, num_uniforms), float32, in [0, 1)
            In the order of `Uniforms`; 0.5 in all but the shares changes nothing. One alone if it
            only mirrors.
        done : float
            Share of the run that is done, in [0, 1): strengths fall towards its end, see `faded`.

        Returns
        -------
        Tensor, shape (B, 3, S, S), float32, in [0, 1]
        """
        if self.only_mirrors:  # a mirrored sprite is as good as any, so nothing fades
            return torch.where(uniforms[:, :1, None, None] < self.mirror, x.flip(3), x)
        most = faded(self, done)
        singles, knots = uniforms.tensor_split([len(Uniforms._fields)], 1)
        u = Uniforms(*singles.unbind(1))
        scale, stretch = both_ways(u.scale, most.scale), both_ways(u.stretch, most.stretch)
        knots = both_ways(knots, most.bend).view(-1, 2, KNOTS, KNOTS)
        moved = move(
            paste(x, u.is_pasted < most.paste, u.band_width, u.band_place),
            mirror=u.is_mirrored < most.mirror,
            across=whole_steps(u.across, most.shift),
            down=whole_steps(u.down, most.shift),
            width=torch.exp(scale + stretch),
            height=torch.exp(scale - stretch),
            angle=both_ways(u.angle, math.radians(most.rotate)),
            shear=both_ways(u.shear, most.shear),
            bend=F.interpolate(knots, x.shape[-2:], mode="bicubic", align_corners=True),
        )
        return turn_hue(moved, 2 * math.pi * u.turn * (u.is_turned < most.hue))


MIRROR = Augmentation(0.5, *[0.0] * (len(Augmentation._fields) - 1))


def faded(strengths: Augmentation, done: float) -> Augmentation:
    """Return what is left of the strengths when a share of the run is done.

    Strong changes keep a model from memorising its sprites, but the sprites that it is meant for
    are unchanged ones, so the last part of a run is spent nearer to them.
    """
    rest = max(0.0, done - FADE_FROM) / (1 - FADE_FROM)  # from 0 to 1
    return Augmentation(*((1 - (1 - FADE_TO) * rest) * strength for strength in strengths))


def both_ways(uniform: Tensor, most: float) -> Tensor:
    """Return uniforms in [0, 1) as numbers in [-most, most)."""
    return (2 * uniform - 1) * most


def whole_steps(uniform: Tensor, most: float) -> Tensor:
    """Return uniforms in [0, 1) as whole numbers, all those from -most to most equally likely.

    A `most` between two whole numbers makes the outermost steps rarer than the others: 1 makes -1,
    0 and 1 a third each, 0.25 makes them 1/6, 2/3 and 1/6, and 0 makes all of them 0.
    """
    furthest = math.ceil(most)
    return torch.round(both_ways(uniform, most + 0.5)).clamp(-furthest, furthest)


def paste(x: Tensor, pasted: Tensor, width: Tensor, place: Tensor) -> Tensor:
    """Return sprites of which some have a band of rows or columns of the one before in the batch.

    Yun et al. 2019, "CutMix", https://arxiv.org/abs/1905.04899, with bands instead of boxes.

    Parameters
    ----------
    x : Tensor, shape (B, 3, S, S)
    pasted : Tensor, shape (B,), bool
        Which sprites.
    width : Tensor, shape (B,), in [0, 1)
        Of the band, from its least to its greatest.
    place : Tensor, shape (B,), in [0, 1)
        Below 0.5 of columns from left to right, from 0.5 on of rows from top to bottom.
    """
    size = x.shape[-1]
    least, greatest = BAND
    width = size * (least + (greatest - least) * width)
    start = (2 * place).frac() * (size - width)
    line = torch.arange(size, device=x.device)
    band = (line >= start[:, None]) & (line < (start + width)[:, None]) & pasted[:, None]  # (B, S)
    band = torch.where(place[:, None, None] < 0.5, band[:, None, :], band[:, :, None])
    return torch.where(band[:, None], x.roll(1, 0), x)


def move(
    x: Tensor,
    *,
    mirror: Tensor,
    across: Tensor,
    down: Tensor,
    width: Tensor,
    height: Tensor,
    angle: Tensor,
    shear: Tensor,
    bend: Tensor,
) -> Tensor:
    """Return sprites mirrored, scaled, sheared, turned, bent and shifted, white where nothing was.

    All about their centre. A pixel of the result is the nearest pixel of the sprite, so that no new
    colours appear.

    Parameters
    ----------
    x : Tensor, shape (B, 3, S, S)
    mirror : Tensor, shape (B,), bool
    across, down : Tensor, shape (B,)
        Pixels to the right and to the bottom.
    width, height : Tensor, shape (B,)
        Factors; 1 leaves the size as it is.
    angle : Tensor, shape (B,), in radians
        Clockwise.
    shear : Tensor, shape (B,)
        Pixels to the left for each row further down.
    bend : Tensor, shape (B, 2, S, S)
        How far below and to the right of its place each pixel of the result is taken from.
    """
    size = x.shape[-1]
    centre = (size - 1) / 2
    place = torch.arange(size, device=x.device) - centre
    down = (place - down[:, None])[:, :, None]  # from the centre of the moved sprite, (B, S, 1)
    across = (place - across[:, None])[:, None, :]  # (B, 1, S)
    mirror, width, height, angle, shear = (
        each[:, None, None] for each in (mirror, width, height, angle, shear)
    )
    width = torch.where(mirror, -width, width)
    cosine, sine = torch.cos(angle), torch.sin(angle)
    row = (cosine * down - sine * across) / height
    column = (cosine * across + (sine + shear) * down) / width
    row = torch.round(row + bend[:, 0] + centre)  # of the pixel that is taken, (B, S, S)
    column = torch.round(column + bend[:, 1] + centre)
    index = (row * size + column).clamp(0, size * size - 1).long().flatten(1)
    moved = x.flatten(2).gather(2, index[:, None].expand(-1, 3, -1)).view_as(x)
    inside = within(row, size) & within(column, size)
    return torch.where(inside[:, None], moved, 1.0)


def within(place: Tensor, size: int) -> Tensor:
    """Return which places are in [0, size)."""
    return (place >= 0) & (place < size)


def turn_hue(x: Tensor, angle: Tensor) -> Tensor:
    """Return sprites whose colours are turned about the grey axis of the RGB cube.

    The mean of the three channels stays, and so do white, exactly, and every grey, up to rounding;
    what leaves the cube is clipped. A third of a full turn makes red green, green blue and blue
    red. This is Rodrigues' formula about (1, 1, 1) / sqrt(3), written so that grey makes
    differences of 0.

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
