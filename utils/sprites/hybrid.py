"""A hybrid of sprites: the head of one on the body of another, put together by code.

    pictures = hybrids(sprites, profiles(sprites), parents, weights)  # (B, 3, S, S)

Nothing here is learned or random. A hybrid is made of bands of rows, one of each parent, which is
as high as the weight of the parent says; what lies in a band is as it is in the parent. The sprite
that is further from the mean sprite is on top. So the others decide where the band of a parent
lies, and never what is in it: that is why a decoder that was taught some of the pairs can draw
those that it was not. In another order than this one, such as that of the files, it learns slower.
"""

import torch
from torch import Tensor

from utils.sprites.png import VISIBLE

WHITE = 255
BLOCK = 1024  # sprites at a time: a hundred thousand as floats would not fit in memory


def hybrids(sprites: Tensor, profiles: Tensor, parents: Tensor, weights: Tensor) -> Tensor:
    """Return hybrids of some sprites of a set.

    The seams divide the rows from the top of the highest parent to the bottom of the lowest one in
    the proportion of the weights; parents of weight 0 do not count. With all the weight on one
    parent it is that sprite.

    Parameters
    ----------
    sprites : Tensor, shape (N, 3, S, S), uint8
        On white.
    profiles : Tensor, shape (N, 3)
        See `profiles`.
    parents : Tensor, shape (B, K), int64, in [0, N)
        In any order, and the same one as often as wanted.
    weights : Tensor, shape (B, K), float32, not negative, of sum 1

    Returns
    -------
    Tensor, shape (B, 3, S, S), uint8
    """
    heaviest = parents.gather(1, weights.argmax(1, keepdim=True))
    parents = torch.where(weights > 0, parents, heaviest)
    first, end, place = profiles[parents].unbind(2)
    order = place.argsort(dim=1)
    parents, weights = parents.gather(1, order), weights.gather(1, order)
    top, bottom = first.amin(1, keepdim=True), end.amax(1, keepdim=True)
    seams = top + (bottom - top) * weights.cumsum(1)[:, :-1]  # (B, K - 1)
    rows = torch.arange(sprites.shape[2], device=sprites.device)
    band = (rows[:, None] + 0.5 > seams[:, None]).sum(2)  # (B, S): which parent a row is of
    shown = sprites[parents.gather(1, band), :, rows]  # (B, S, 3, S)
    return shown.transpose(1, 2)


def profiles(sprites: Tensor, mean_of: Tensor | None = None) -> Tensor:
    """Return what `hybrids` asks of each sprite of a set, float32 (N, 3).

    These are the first row in which it is drawn, the one after the last (of an empty sprite 0 and
    S), and its place from the top, see `places`.

    Parameters
    ----------
    sprites : Tensor, shape (N, 3, S, S), uint8
    mean_of : Tensor, shape (n,), int64, optional
        Indices of the sprites that make the mean: those that a run trained on; all if left out.
    """
    mean_of = torch.arange(len(sprites)) if mean_of is None else mean_of
    bounds = []
    for block in sprites.split(BLOCK):
        drawn = (block.amin(1) <= WHITE - VISIBLE).any(2).float()  # (n, S)
        bounds.append(torch.stack([drawn.argmax(1), len(drawn[0]) - drawn.flip(1).argmax(1)], 1))
    return torch.column_stack([torch.cat(bounds), places(sprites, mean_of)]).float()


def places(sprites: Tensor, mean_of: Tensor) -> Tensor:
    """Return the places of sprites by how far they are from the mean, int64 (N,): 0 the furthest.

    Of two that are as far the one that comes first in the set has the first place.
    """
    total = sum(sprites[some].flatten(1).cpu().double().sum(0) for some in mean_of.split(BLOCK))
    distances = []
    for block in sprites.split(BLOCK):
        # n times the square of the distance, but for what all have in common: whole numbers below
        # 2^53, so that the order does not depend on how a machine adds up.
        x = block.flatten(1).cpu().double()
        distances.append(len(mean_of) * x.square().sum(1) - 2 * (x @ total))
    order = torch.cat(distances).argsort(descending=True, stable=True)
    return order.argsort().to(sprites.device)
