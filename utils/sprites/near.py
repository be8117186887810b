"""Which sprites look alike: the nearest other creatures, by the squared error between pixels.

near = nearest_others(pixels, groups, 3)  # (N, 3)
pairs = pairs_among(near)  # (P, 2), each once
"""

import numpy as np

BLOCK = 256  # sprites whose distances to all others are in memory at once
EXACT = 256  # products of two bytes that float32 adds up without rounding
MANY = 10_000  # sprites from which on none is memorised, and between near ones there is a sprite


def nearest_others(
    pixels: np.ndarray, groups: np.ndarray, count: int, of: np.ndarray | None = None
) -> np.ndarray:
    """Return the nearest sprites of other creatures, the nearest first, one of each creature.

    Parameters
    ----------
    pixels : ndarray, shape (N, 3, S, S), uint8
    groups : ndarray, shape (N,), int
        The creature that each sprite shows.
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
    x = pixels.reshape(len(pixels), -1)
    y = x[order].astype(np.float32)
    near = np.empty((len(of), count), int)
    if not count:
        return near
    lengths = np.square(y).sum(1, dtype=np.float64)
    for first in range(0, len(of), BLOCK):
        block = of[first : first + BLOCK]
        squared = lengths - 2 * products(x[block], y)
        creatures = np.minimum.reduceat(squared, starts, axis=1)  # (block, creatures)
        creatures[groups[block][:, None] == groups[order[starts]]] = np.inf
        furthest = np.partition(creatures, count - 1, axis=1)[:, count - 1]
        for row, (distances, limit) in enumerate(zip(creatures, furthest, strict=True)):
            kinds = np.flatnonzero(distances <= limit)  # more than `count` if some are as far
            kinds = kinds[np.argsort(distances[kinds], kind="stable")][:count]
            near[first + row] = [
                order[starts[kind] + squared[row, starts[kind] : ends[kind]].argmin()]
                for kind in kinds
            ]
    return near


def products(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the products of bytes (n, K) and of bytes (m, K) as float32, float64 (n, m), exact.

    Runs keep a digest of what is near, so it may not depend on how a machine adds up: sums of
    `EXACT` products of two bytes are whole numbers below 2^24, which float32 holds.
    """
    total = np.zeros((len(x), len(y)))
    for start in range(0, x.shape[1], EXACT):
        some = slice(start, start + EXACT)
        total += x[:, some].astype(np.float32) @ y[:, some].T
    return total


def pairs_among(near: np.ndarray) -> np.ndarray:
    """Return the pairs of a sprite and one near it, (P, 2), int, each once, in order.

    Parameters
    ----------
    near : ndarray, shape (N, K), int
        For each of N sprites others, or the sprite itself, which makes no pair.
    """
    pairs = np.stack([np.repeat(np.arange(len(near)), near.shape[1]), near.ravel()])
    low, high = pairs.min(0), pairs.max(0)
    keys = np.unique((low * len(near) + high)[low < high])
    return np.stack(np.divmod(keys, max(len(near), 1)), axis=1)
