"""A hybrid of sprites: the head of one on the body of another, put together by code.

    pictures = hybrids(sprites, layouts(sprites), parents, weights)  # (B, 3, S, S)

Nothing here is learned or random. A hybrid is made of bands of rows, one of each parent, which is
as high as the weight of the parent says; what lies in a band is as it is in the parent. From the
top to the bottom parents come nearer to the mean sprite, by the squared error between pixels.
So the others decide where the band of a parent lies, and never what is in it: that is why a decoder
that was taught some of the pairs can draw those that it was not. How fast it learns depends on the
order from the top: see benchmarks/quality.md.
"""

import torch
from torch import Tensor

from utils.sprites.png import VISIBLE

WHITE = 255
BLOCK = 1024  # sprites at a time: a hundred thousand as doubles take 4 GB


def hybrids(sprites: Tensor, layout: Tensor, parents: Tensor, weights: Tensor) -> Tensor:
    """Return hybrids of some sprites of a set.

    The seams divide the rows from the top of the highest parent to the bottom of the lowest one in
    the proportion of the weights; parents of weight 0 do not count. With all the weight on one
    parent it is that sprite.

    Parameters
    ----------
    sprites : Tensor, shape (N, 3, S, S), uint8
        On white.
    layout : Tensor, shape (N, 3)
        See `layouts`.
    parents : Tensor, shape (B, K), int64, in [0, N)
        In any order, and the same one as often as wanted.
    weights : Tensor, shape (B, K), float32, not negative, of sum 1

    Returns
    -------
    Tensor, shape (B, 3, S, S), uint8
    """
    heaviest = parents.gather(1, weights.argmax(1, keepdim=True))
    parents = torch.where(weights > 0, parents, heaviest)
    first, end, rank = layout[parents].unbind(2)
    order = rank.argsort(dim=1)
    parents, weights = parents.gather(1, order), weights.gather(1, order)
    top, bottom = first.amin(1, keepdim=True), end.amax(1, keepdim=True)
    seams = top + (bottom - top) * weights.cumsum(1)[:, :-1]  # (B, K - 1)
    rows = torch.arange(sprites.shape[2], device=sprites.device)
    band = (rows[:, None] + 0.5 > seams[:, None]).sum(2)  # (B, S): which parent a row is of
    shown = sprites[parents.gather(1, band), :, rows]  # (B, S, 3, S)
    return shown.transpose(1, 2)


def layouts(sprites: Tensor, training: Tensor | None = None) -> Tensor:
    """Return what `hybrids` asks of each sprite of a set, float32 (N, 3).

    These are the first row in which it is drawn, the one after the last (of an empty sprite 0 and
    S), and its rank from the top, see `ranks`.

    Parameters
    ----------
    sprites : Tensor, shape (N, 3, S, S), uint8
    training : Tensor, shape (n, 3, S, S), uint8, optional
        The sprites that the mean is of, where these are others.
    """
    bounds, side = [], sprites.shape[2]
    for block in sprites.split(BLOCK):
        drawn = (block.amin(1) <= WHITE - VISIBLE).any(2).float()  # (n, S)
        bounds.append(torch.stack([drawn.argmax(1), side - drawn.flip(1).argmax(1)], dim=1))
    rank = ranks(sprites, sprites if training is None else training)
    return torch.column_stack([torch.cat(bounds), rank]).float()


def ranks(sprites: Tensor, training: Tensor) -> Tensor:
    """Return the ranks of sprites by how far they are from the mean of others, int64 (N,).

    The furthest has 0; ties keep the order of the set.
    """
    total = sum(block.flatten(1).cpu().double().sum(0) for block in training.split(BLOCK))
    distances = []
    for block in sprites.split(BLOCK):
        # n times the square of the distance, but for what all have in common: whole numbers, below
        # 2^53 up to ten million sprites, so that ranks do not depend on how a machine adds up.
        x = block.flatten(1).cpu().double()
        distances.append(len(training) * x.square().sum(1) - 2 * (x @ total))
    order = torch.cat(distances).argsort(descending=True, stable=True)
    return order.argsort().to(sprites.device)
