"""How samples look from close by: the sliced Wasserstein distance between patches of 7x7 pixels.

    reference = projections(real, real_masks).sum(0)
    value, low, high = distance_with_interval(projections(images, masks), reference)

Karras et al. 2018, "Progressive Growing of GANs", section 5: what patches look like, compared as
distributions along random directions. Here at full resolution alone, in the values of pixels, and
around pixels of the sprite only, because white paper is easy.
"""

import numpy as np

from utils.measures.intervals import distances_with_intervals

SIDE = 7  # pixels of a patch
DIRECTIONS = 256  # in the space of patches, which has 7 * 7 * 3 dimensions
SEED = 0
SCALE = 1000.0  # as in the paper
# A unit vector times a patch of values in [-0.5, 0.5] is at most 6.1, and deviates by about 0.3.
BINS, BOUND = 200, 6.1  # more change the distance by less than a thousandth
BLOCK = 16  # pictures at once: 7,000 patches, 4 MB


def projections(images: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Return how many patches of each picture fall into each bin of each direction.

    Parameters
    ----------
    images : ndarray, shape (N, S, S, 3)
        In [0, 1], on white, which goes on beyond the border.
    masks : ndarray, shape (N, S, S), bool
        The pixels that patches are centred on.

    Returns
    -------
    ndarray, shape (N, 256, 200), uint16
    """
    directions = np.random.default_rng(SEED).standard_normal((DIRECTIONS, 3 * SIDE**2))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    margin = ((0, 0), (SIDE // 2,) * 2, (SIDE // 2,) * 2, (0, 0))
    padded = np.pad(images.astype(np.float32) - 0.5, margin, constant_values=0.5)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (SIDE, SIDE), (1, 2))

    counts = np.empty((len(images), DIRECTIONS, BINS), np.uint16)
    for start in range(0, len(images), BLOCK):
        chosen = masks[start : start + BLOCK]
        patches = windows[start : start + BLOCK][chosen].reshape(chosen.sum(), -1)  # (P, 147)
        places = directions.astype(np.float32) @ patches.T  # (256, P)
        bins = ((places + BOUND) * (BINS / (2 * BOUND))).astype(np.int32).clip(0, BINS - 1)
        picture = np.nonzero(chosen)[0] * BINS
        for direction, row in enumerate(bins):
            found = np.bincount(picture + row, minlength=len(chosen) * BINS)
            counts[start : start + BLOCK, direction] = found.reshape(-1, BINS)
    return counts


def distance(counts: np.ndarray, reference: np.ndarray) -> float:
    """Return the sliced Wasserstein distance times 1,000 of two sets, each counts (256, 200).

    In one dimension it is the integral of the difference of both distribution functions, which
    bins give at their edges. NaN if a set has no patch.
    """
    with np.errstate(invalid="ignore"):
        first, second = (
            part.cumsum(1) / part.sum(1, keepdims=True, dtype=np.float64)
            for part in (counts, reference)
        )
    return float(SCALE * np.abs(first - second).sum(1).mean() * (2 * BOUND / BINS))


def distance_with_interval(counts: np.ndarray, reference: np.ndarray) -> list[float]:
    """Return [value, low, high] of the `distance` of pictures (N, 256, 200) from a reference.

    The interval is that of `distances_with_intervals`, over pictures.
    """
    flat = counts.reshape(len(counts), -1).astype(np.float32)

    def of_pictures(chosen: np.ndarray) -> np.ndarray:
        """Return the distance (1,) of the chosen pictures, some of which may come twice."""
        weights = np.bincount(chosen, minlength=len(flat)).astype(np.float32)
        return np.array([distance((weights @ flat).reshape(counts.shape[1:]), reference)])

    return distances_with_intervals(of_pictures, np.arange(len(flat)))[0].tolist()
