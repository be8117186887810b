"""Which sprites look alike: the nearest other creatures, by the squared error between pixels.

pairs = near_pairs(pixels, groups, count=2)  # (P, 2), each pair once
"""

import numpy as np

BLOCK = 256  # sprites whose distances to all others are in memory at once


def near_pairs(pixels: np.ndarray, groups: np.ndarray, count: int) -> np.ndarray:
    """Return the pairs of each sprite and its nearest ones, (P, 2), int, each pair once, in order.

    Parameters
    ----------
    pixels : ndarray, shape (N, 3, S, S), uint8
    groups : ndarray, shape (N,), int
        The creature that each sprite shows.
    count : int
        How many other creatures each sprite is paired with: all, if there are fewer.
    """
    near = nearest_others(pixels, groups, count)
    own = np.repeat(np.arange(len(pixels)), near.shape[1])
    return np.unique(np.sort(np.stack([own, near.ravel()], axis=1), axis=1), axis=0)


def nearest_others(
    pixels: np.ndarray, groups: np.ndarray, count: int, of: np.ndarray | None = None
) -> np.ndarray:
    """Return the nearest sprites of other creatures, the nearest first, one of each creature.

    Parameters
    ----------
    pixels, groups, count
        As in `near_pairs`.
    of : ndarray, shape (K,), int, optional
        Indices of the sprites whose neighbours are wanted; all if left out.

    Returns
    -------
    ndarray, shape (K, min(count, number of creatures - 1)), int
    """
    of = np.arange(len(pixels)) if of is None else np.asarray(of)
    order = np.argsort(groups, kind="stable")  # sprites of one creature come to lie together
    starts = np.flatnonzero(np.diff(groups[order], prepend=groups.min() - 1))
    ends = [*starts[1:], len(order)]
    count = min(count, len(starts) - 1)
    y = pixels[order].reshape(len(pixels), -1).astype(np.float32) / 255
    x = pixels.reshape(len(pixels), -1)
    near = np.empty((len(of), count), int)
    for first in range(0, len(of), BLOCK):
        block = of[first : first + BLOCK]
        squared = np.square(y).sum(1) - 2 * (x[block].astype(np.float32) / 255) @ y.T
        creatures = np.minimum.reduceat(squared, starts, axis=1)  # (block, creatures)
        creatures[groups[block][:, None] == groups[order[starts]]] = np.inf
        best = np.argpartition(creatures, count - 1, axis=1)[:, :count] if count else near[:0]
        for row, (distances, kinds) in enumerate(zip(creatures, best, strict=False)):
            kinds = kinds[np.lexsort((kinds, distances[kinds]))]
            near[first + row] = [
                order[starts[kind] + squared[row, starts[kind] : ends[kind]].argmin()]
                for kind in kinds
            ]
    return near
