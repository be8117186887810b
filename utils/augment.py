"""Augmentation: each sprite of a batch a little different every time that it is trained on.

    x = augment(x, uniforms)

What is changed, and how much, stands in `Strengths`. Nothing here draws random numbers: the
uniforms come with the other draws of an epoch (utils/draws.py), so that a batch is augmented alike
wherever and however often it is computed.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

NUM_UNIFORMS = 12  # random numbers a sprite


class Strengths(NamedTuple):
    mirror: float = 0.5
    shift: int = 3
    scale: float = 0.0
    stretch: float = 0.0
    rotate: float = 0.0
    bend: float = 0.0
    hue: float = 0.5
    swap: float = 0.0
    bell: int = 0


def augment(x: Tensor, uniforms: Tensor, strengths: Strengths = Strengths()) -> Tensor:
    return rotate_hue(move(x, uniforms, strengths), uniforms, strengths)


def move(x: Tensor, uniforms: Tensor, strengths: Strengths) -> Tensor:
    size = x.shape[-1]
    u = uniforms[:, :, None, None].unbind(1)  # each (B, 1, 1)
    span = 2 * strengths.shift + 1
    if strengths.bell:
        dx = ((u[1] + u[9] - 1) * (strengths.shift + 1)).round()
        dy = ((u[2] + u[10] - 1) * (strengths.shift + 1)).round()
    else:
        dx = torch.floor(u[1] * span) - strengths.shift
        dy = torch.floor(u[2] * span) - strengths.shift
    sign = 1 - 2 * (u[0] < strengths.mirror).float()
    zoom = torch.exp((2 * u[3] - 1) * strengths.scale)
    str_ = torch.exp((2 * u[4] - 1) * strengths.stretch)
    angle = (2 * u[5] - 1) * strengths.rotate
    centre = (size - 1) / 2
    grid = torch.arange(size, device=x.device) - centre
    down, across = grid[:, None] - dy, grid[None, :] - dx  # (B, S, 1), (B, 1, S)
    row = (torch.cos(angle) * down - torch.sin(angle) * across) / (zoom * str_)
    column = sign * (torch.sin(angle) * down + torch.cos(angle) * across) / (zoom / str_)
    if strengths.bend:
        tau = 2 * math.pi
        column = column + strengths.bend * torch.sin(tau * (grid[:, None] / size + u[9]))
        row = row + strengths.bend * torch.sin(tau * (grid[None, :] / size + u[10]))
    row = torch.round(row + centre)
    column = torch.round(column + centre)
    inside = (row >= 0) & (row < size) & (column >= 0) & (column < size)
    index = (row * size + column).clamp(0, size * size - 1).long()
    moved = x.flatten(2).gather(2, index.flatten(1)[:, None].expand(-1, 3, -1)).view_as(x)
    return torch.where(inside[:, None], moved, 1.0)


def rotate_hue(x: Tensor, uniforms: Tensor, strengths: Strengths) -> Tensor:
    chosen, turn, swap = uniforms[:, 6:9, None, None, None].unbind(1)
    angle = 2 * math.pi * turn * (chosen < strengths.hue)
    x = torch.where(swap < strengths.swap, x.flip(1), x)
    grey = x.mean(1, keepdim=True)
    across = (x.roll(1, 1) - x.roll(-1, 1)) / math.sqrt(3)
    return (x + (torch.cos(angle) - 1) * (x - grey) + torch.sin(angle) * across).clamp(0, 1)
