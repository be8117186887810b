"""Which sprites look alike: the nearest other creatures, by the squared error between pixels.

pairs = near_pairs(pixels, groups, most=4)  # (P, 2), each pair once
"""

import numpy as np

BLOCK = 256  # sprites whose distances to all others are in memory at once
MANY = 10_000  # sprites from which on none is memorised, and between near ones there is a sprite
CANDIDATES = 100  # nearest sprites among which a sprite finds its pairs


def near_pairs(pixels: np.ndarray, groups: np.ndarray, most: int) -> np.ndarray:
    """Return pairs of near sprites of different creatures, (P, 2), int, each once, in order.

    The nearest come first, and a pair is taken if both sprites are in fewer than `most` so far.
    Without that limit a few plain round sprites, to which most others are near, would be in thirty
    pairs each.

    Parameters
    ----------
    pixels : ndarray, shape (N, 3, S, S), uint8
    groups : ndarray, shape (N,), int
        The creature that each sprite shows.
    most : int
        How many pairs a sprite is in at most: fewer, if its nearest `CANDIDATES` are in enough.
    """
    near = nearest_others(pixels, groups, CANDIDATES)
    own = np.repeat(np.arange(len(pixels)), near.shape[1])
    pairs = np.unique(np.sort(np.stack([own, near.ravel()], axis=1), axis=1), axis=0)
    number = np.zeros(len(pixels), int)
    taken = np.zeros(len(pairs), bool)
    for index in np.argsort(squared_errors(pixels, pairs), kind="stable"):
        pair = pairs[index]
        if (number[pair] < most).all():
            taken[index] = True
            number[pair] += 1
    return pairs[taken]


def squared_errors(pixels: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Return the squared error between the two sprites of each pair, (P,), int64, exact."""
    errors = (np.square(pixels[i].astype(np.int32) - pixels[j]).sum() for i, j in pairs)
    return np.fromiter(errors, np.int64, len(pairs))


def nearest_others(
    pixels: np.ndarray, groups: np.ndarray, count: int, of: np.ndarray | None = None
) -> np.ndarray:
    """Return the nearest sprites of other creatures, the nearest first, one of each creature.

    Parameters
    ----------
    pixels, groups
        As in `near_pairs`.
    count : int
        How many: all other creatures, if there are fewer.
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
