"""How near a set of pictures is to a set of sprites, in numbers. Pure functions on arrays.

    distance = sprite_distance(sprite_figures(samples, RAW_CUTOFF), sprite_figures(real)).mean()
    kid = unbiased_mmd(*pca_features(real, samples, real))
    share = (nearest_sprites(samples, [real], groups)[1] < COPY_RATIO).mean()

Pictures are arrays of shape (N, 3, S, S), uint8 or float in [0, 1], drawn on white. Nothing here
needs downloaded weights; each figure says little about one picture and much about a hundred.
"""

from collections.abc import Callable, Iterable

import numpy as np
from scipy.ndimage import binary_fill_holes, label
from scipy.stats import wasserstein_distance

CUTOFF = 0.94  # a pixel whose smallest channel is below this is drawn
RAW_CUTOFF = 0.85  # the same for decoded sprites, whose edges are soft
LUMINANCE = (0.299, 0.587, 0.114)  # Rec. 601
DARK = 0.45  # luminance under which a boundary pixel counts as outline
COLOR_SHARE = 0.9  # of the drawn pixels, that the counted colours cover
COLOR_LEVELS = 16  # a channel, when colours are counted
FLAT_LEVELS = 32  # a channel, when neighbouring pixels are compared
KID_COMPONENTS = 32  # of the PCA of the real sprites
KID_DEGREE = 3
COPY_RATIO = 1 / 3  # of squared distances: to the nearest sprite, and to one of another number

FIGURES = ("area", "perimeter", "fill", "chroma", "chroma_sd", "luminance_sd", "hue")


def to_float(images: np.ndarray) -> np.ndarray:
    """Return pictures as float64 in [0, 1], channels last, shape (N, S, S, 3)."""
    images = np.asarray(images)
    scale = 255 if images.dtype == np.uint8 else 1
    return np.moveaxis(images, 1, 3).astype(np.float64) / scale


# ---- the seven figures of a sprite


def silhouette(picture: np.ndarray, cutoff: float = CUTOFF) -> np.ndarray:
    """Return the drawn part of a picture: its largest 4-connected component, holes filled first.

    Parameters
    ----------
    picture : ndarray, shape (S, S, 3), in [0, 1]
    cutoff : float
        A pixel is drawn when its smallest channel is below this.

    Returns
    -------
    ndarray, shape (S, S), bool
        Empty if nothing is drawn.
    """
    labels, count = label(binary_fill_holes(picture.min(2) < cutoff))
    if not count:
        return labels > 0
    return labels == 1 + np.bincount(labels.flat)[1:].argmax()


def boundary_pairs(mask: np.ndarray) -> int:
    """Return how many neighbouring pairs of pixels have one inside; the picture's edge counts."""
    framed = np.pad(mask, 1).astype(np.int8)
    return int(sum(np.abs(np.diff(framed, axis=axis)).sum() for axis in (0, 1)))


def figures_of(picture: np.ndarray, cutoff: float = CUTOFF) -> tuple[float, ...]:
    """Return the seven `FIGURES` of one picture; all zero if nothing is drawn.

    Parameters
    ----------
    picture : ndarray, shape (S, S, 3), in [0, 1]
    cutoff : float

    Returns
    -------
    tuple of float
        ``area`` in pixels; ``perimeter`` / sqrt(area); ``fill``, the share of the bounding box
        that is drawn; ``chroma``, the mean of max - min of R, G, B; ``chroma_sd`` and
        ``luminance_sd``, deviations within the sprite; ``hue``, the length of the mean hue
        vector weighted by chroma, in [0, 1], where 1 is a sprite of one hue.
    """
    mask = silhouette(picture, cutoff)
    area = int(mask.sum())
    if not area:
        return (0.0,) * len(FIGURES)
    rows, columns = np.nonzero(mask)
    box = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    red, green, blue = pixels = picture[mask].T
    chroma = pixels.max(0) - pixels.min(0)
    luminance = np.dot(LUMINANCE, pixels)
    angle = np.arctan2(np.sqrt(3) * (green - blue), 2 * red - green - blue)
    agreement = abs((chroma * np.exp(1j * angle)).sum()) / max(chroma.sum(), 1e-9)
    return (
        float(area),
        boundary_pairs(mask) / np.sqrt(area),
        area / box,
        chroma.mean(),
        chroma.std(),
        luminance.std(),
        agreement,
    )


def sprite_figures(images: np.ndarray, cutoff: float = CUTOFF) -> np.ndarray:
    """Return the seven `FIGURES` of each picture, shape (N, 7); see `figures_of`."""
    return np.array([figures_of(picture, cutoff) for picture in to_float(images)])


def sprite_distance(figures: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Return the Wasserstein distance of each figure, in the real ones' standard deviations.

    The sprite distance is the mean of the seven. `real` should be some hundred sprites.

    Parameters
    ----------
    figures, real : ndarray, shape (N, 7) and (M, 7)
        What `sprite_figures` returns, of the samples and of the real sprites.

    Returns
    -------
    ndarray, shape (7,)
    """
    deviations = np.maximum(real.std(0), 1e-9)
    return np.array(
        [
            wasserstein_distance(figures[:, i] / deviation, real[:, i] / deviation)
            for i, deviation in enumerate(deviations)
        ]
    )


# ---- what makes a drawing of pixels


def outline_share(images: np.ndarray, cutoff: float = CUTOFF) -> np.ndarray:
    """Return the share of dark pixels among those on the boundary of each silhouette, (N,).

    A boundary pixel is inside and has a neighbour outside; dark is a luminance under `DARK`.
    """
    shares = []
    for picture in to_float(images):
        mask = silhouette(picture, cutoff)
        framed = np.pad(mask, 1)
        inner = framed[:-2, 1:-1] & framed[2:, 1:-1] & framed[1:-1, :-2] & framed[1:-1, 2:]
        boundary = mask & ~inner
        dark = picture[boundary] @ LUMINANCE < DARK
        shares.append(dark.mean() if len(dark) else 0.0)
    return np.array(shares)


def color_count(images: np.ndarray, cutoff: float = CUTOFF) -> np.ndarray:
    """Return how many colours cover 90 % of each silhouette at 16 levels a channel, (N,)."""
    counts = []
    for picture in to_float(images):
        levels = quantize(picture[silhouette(picture, cutoff)], COLOR_LEVELS)
        if not len(levels):
            counts.append(0)
            continue
        found = np.sort(np.unique(levels, axis=0, return_counts=True)[1])[::-1]
        covered = np.cumsum(found) / found.sum()
        counts.append(int(np.searchsorted(covered, COLOR_SHARE)) + 1)
    return np.array(counts, np.float64)


def flatness(images: np.ndarray, cutoff: float = CUTOFF) -> np.ndarray:
    """Return the share of neighbouring pixels inside each silhouette that are equal, (N,).

    Equal means the same at 32 levels a channel; neighbours stand side by side or one above the
    other.
    """
    shares = []
    for picture in to_float(images):
        mask = silhouette(picture, cutoff)
        levels = quantize(picture, FLAT_LEVELS)
        equal, pairs = 0, 0
        for a, b, both in (
            (levels[1:], levels[:-1], mask[1:] & mask[:-1]),
            (levels[:, 1:], levels[:, :-1], mask[:, 1:] & mask[:, :-1]),
        ):
            equal += ((a == b).all(2) & both).sum()
            pairs += both.sum()
        shares.append(equal / max(pairs, 1))
    return np.array(shares)


def quantize(values: np.ndarray, levels: int) -> np.ndarray:
    """Return values in [0, 1] as whole numbers from 0 to levels - 1."""
    return np.minimum((values * levels).astype(int), levels - 1)


# ---- a distance between sets


def pca_features(real: np.ndarray, *sets: np.ndarray) -> list[np.ndarray]:
    """Return the features of sets of pictures by which their KID is computed.

    The first 32 principal components of the real sprites, divided by the deviation of the first.
    They see the layout of large areas, and next to nothing of speckle or of hues.

    Parameters
    ----------
    real : ndarray, shape (K, 3, S, S)
        Sprites that the PCA is fitted to.
    *sets : ndarray, shape (N, 3, S, S)

    Returns
    -------
    list of ndarray, shape (N, at most 32)
    """
    from sklearn.decomposition import PCA  # only where it is used: a second to import

    real, *sets = (to_float(part).reshape(len(part), -1) for part in (real, *sets))
    pca = PCA(min(KID_COMPONENTS, *real.shape), random_state=0).fit(real)
    scale = max(np.sqrt(pca.explained_variance_[0]), 1e-9)
    return [pca.transform(part) / scale for part in sets]


def unbiased_mmd(x: np.ndarray, y: np.ndarray) -> float:
    """Return the unbiased squared maximum mean discrepancy of two sets (N, d) and (M, d).

    Gretton et al. 2012, lemma 6, with the kernel (x.y / d + 1)^3 of the KID (Binkowski et al.
    2018). On PCA features it compares with no KID of Inception features; it may be slightly
    negative for sets that are alike. NaN where a set has fewer than two members.
    """
    if min(len(x), len(y)) < 2:
        return float("nan")

    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** KID_DEGREE

    within = 0.0
    for part in (x, y):
        values = kernel(part, part)
        within += (values.sum() - np.trace(values)) / (len(part) * (len(part) - 1))
    return float(within - 2 * kernel(x, y).mean())


# ---- copies


def nearest_sprites(
    images: np.ndarray, variants: Iterable[np.ndarray], groups: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest sprite of each picture, and how far it is against one of another group.

    Parameters
    ----------
    images : ndarray, shape (N, 3, S, S)
    variants : iterable of ndarray, shape (M, 3, S, S)
        The training sprites, and what training made of them: mirrored, say. A sprite is as far
        as the nearest of its variants.
    groups : ndarray, shape (M,), int
        The creature that each sprite shows: forms of one creature are alike, and count as one.

    Returns
    -------
    nearest : ndarray, shape (N,), int
    ratio : ndarray, shape (N,), in [0, 1]
        Squared distance to the nearest sprite over that to the nearest of another group; 1 where
        there is but one group. A copy is below `COPY_RATIO`.
    """
    x = to_float(images).reshape(len(images), -1).astype(np.float32)
    squared = np.full((len(x), len(groups)), np.inf, np.float32)
    for sprites in variants:
        y = to_float(sprites).reshape(len(sprites), -1).astype(np.float32)
        new = np.square(x).sum(1)[:, None] - 2 * x @ y.T + np.square(y).sum(1)
        squared = np.minimum(squared, np.maximum(new, 0))
    nearest = squared.argmin(1)
    least = squared.min(1)
    other = np.where(groups[nearest][:, None] == groups, np.inf, squared).min(1)
    other = np.where(np.isinf(other), least, other)
    return nearest, (least + 1e-6) / (other + 1e-6)


def overlap(masks: np.ndarray, variants: Iterable[np.ndarray]) -> np.ndarray:
    """Return how much each silhouette overlaps with the one most like it, (N,), in [0, 1].

    The intersection over the union. A picture in other colours may still have a sprite's outline,
    which distances between pixels do not see.

    Parameters
    ----------
    masks : ndarray, shape (N, S, S), bool
    variants : iterable of ndarray, shape (M, S, S), bool
        The silhouettes of the training sprites, and what training made of them.
    """
    x = masks.reshape(len(masks), -1).astype(np.float32)
    best = np.zeros(len(x), np.float32)
    for others in variants:
        y = others.reshape(len(others), -1).astype(np.float32)
        both = x @ y.T
        either = x.sum(1)[:, None] + y.sum(1) - both
        best = np.maximum(best, (both / np.maximum(either, 1)).max(1))
    return best


# ---- how sure a figure is


def with_interval(statistic: Callable[..., float], sample: np.ndarray) -> list[float]:
    """Return a statistic of a sample, and the ends of its bootstrap interval."""
    return [float(statistic(sample)), *bootstrap(statistic, sample)]


def middle(values: list[float], level: float) -> tuple[float, float]:
    """Return the ends of the middle part of some values, `level` of them."""
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def bootstrap(
    statistic: Callable[..., float],
    *samples: np.ndarray,
    draws: int = 200,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the percentile interval of a statistic when each sample is drawn anew.

    Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13.

    Parameters
    ----------
    statistic : callable
        From arrays like the given ones to a number.
    *samples : ndarray
        Each is drawn with replacement along its first axis, by itself.
    draws : int
    level : float
        Probability of the interval.
    seed : int
    """
    rng = np.random.default_rng(seed)
    values = [
        statistic(*(sample[rng.integers(0, len(sample), len(sample))] for sample in samples))
        for _ in range(draws)
    ]
    return middle(values, level)


def half_samples(
    statistic: Callable[..., float],
    *samples: np.ndarray,
    draws: int = 100,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Return an interval like that of `bootstrap`, of halves without replacement.

    For statistics that break when a sample holds something twice, as unbiased ones of pairs do.
    A half differs from the whole by about as much as the whole from the truth (the delete-d
    jackknife of Shao and Wu 1989 with d = n / 2).
    """
    rng = np.random.default_rng(seed)
    values = [
        statistic(
            *(sample[rng.permutation(len(sample))[: -(-len(sample) // 2)]] for sample in samples)
        )
        for _ in range(draws)
    ]
    return middle(values, level)
