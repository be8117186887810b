"""A hybrid of sprites: the head of one on the body of another, put together by code.

    pictures = hybrids(sprites, extents(sprites), parents, weights)  # (B, 3, S, S)

Nothing here is learned or random. A hybrid is made of bands of rows, one of each parent, which is
as high as the weight of the parent says; what lies in a band is as it is in the parent. The sprite
that comes first in the set is on top. So the others decide where the band of a parent lies, and
never what is in it: that is why a decoder that was taught some of the pairs can draw those that it
was not.
"""

import torch
from torch import Tensor

from utils.sprites.png import VISIBLE

WHITE = 255


def hybrids(sprites: Tensor, extents: Tensor, parents: Tensor, weights: Tensor) -> Tensor:
    """Return hybrids of some sprites of a set.

    The seams divide the rows from the top of the highest parent to the bottom of the lowest one in
    the proportion of the weights; parents of weight 0 do not count. With all the weight on one
    parent it is that sprite.

    Parameters
    ----------
    sprites : Tensor, shape (N, 3, S, S), uint8
        On white.
    extents : Tensor, shape (N, 2)
        See `extents`.
    parents : Tensor, shape (B, K), int64, in [0, N)
        In any order, and the same one as often as wanted.
    weights : Tensor, shape (B, K), float32, not negative, of sum 1

    Returns
    -------
    Tensor, shape (B, 3, S, S), uint8
    """
    heaviest = parents.gather(1, weights.argmax(1, keepdim=True))
    parents, order = torch.where(weights > 0, parents, heaviest).sort(dim=1)
    weights = weights.gather(1, order)
    top = extents[parents, 0].amin(1, keepdim=True)
    bottom = extents[parents, 1].amax(1, keepdim=True)
    seams = top + (bottom - top) * weights.cumsum(1)[:, :-1]  # (B, K - 1)
    rows = torch.arange(sprites.shape[2], device=sprites.device)
    band = (rows[:, None] + 0.5 > seams[:, None]).sum(2)  # (B, S): which parent a row is of
    shown = sprites[parents.gather(1, band), :, rows]  # (B, S, 3, S)
    return shown.transpose(1, 2)


def extents(sprites: Tensor) -> Tensor:
    """Return the first row in which each sprite is drawn and the one after the last, (N, 2).

    Float32. Of an empty sprite these are 0 and S.
    """
    bounds = []
    for block in sprites.split(1024):  # a hundred thousand masks at once are large
        drawn = (block.amin(1) <= WHITE - VISIBLE).any(2).float()  # (n, S)
        bounds.append(torch.stack([drawn.argmax(1), len(drawn[0]) - drawn.flip(1).argmax(1)], 1))
    return torch.cat(bounds).float()
