"""How close samples come to real sprites, in numbers.

    measured = measure({"samples": images, "samples, finished": finished}, real, groups=groups)
    print(table(measured))

Pictures are arrays (N, 3, S, S), uint8 or float in [0, 1], on white. Nothing needs downloaded
weights. Each measure says little about one picture and much about a hundred.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from scipy.ndimage import binary_fill_holes
from scipy.stats import wasserstein_distance

from utils.data_utils import to_float
from utils.measures.intervals import cell, distances_with_intervals, markdown, mean_with_interval
from utils.measures.patches import distance_with_interval, projections
from utils.pictures.finish import largest
from utils.training.augment import turn_hue

CUTOFF = 0.94  # a pixel belongs to the sprite if its smallest channel is below this
RAW_CUTOFF = 0.85  # the same for decoded sprites, whose edges are soft
LUMINANCE = (0.299, 0.587, 0.114)  # Rec. 601
COPY_RATIO = 1 / 3  # of squared distances: nearest sprite over nearest sprite of another group
MOST = 5000  # real sprites whose distributions are compared; larger sets are thinned evenly
BLOCK = 4096  # sprites that are compared as float at once
TURNS = 12  # hues that a sprite is compared in, if training turned them

DESCRIPTORS = ("area", "perimeter", "fill", "chroma", "chroma_sd", "luminance_sd", "hue")
COLUMNS = {  # of the table: heading and decimals
    "sprite_distance": ("sprite distance", 2),
    **{name: (name.replace("_", " "), 2) for name in DESCRIPTORS},
    "swd": ("SWD", 1),
    "copies": ("copies", 3),
    "overlap": ("overlap", 2),
}


def measure(
    sets: dict[str, np.ndarray],
    real: np.ndarray,
    *,
    groups: np.ndarray,
    raw: tuple[str, ...] = (),
    turned: bool = False,
) -> dict[str, dict]:
    """Return the measures of sets of pictures against the training sprites.

    Parameters
    ----------
    sets : dict
        From a name to pictures (N, 3, S, S), uint8 or float in [0, 1].
    real : ndarray, shape (M, 3, S, S), uint8
        The training sprites.
    groups : ndarray, shape (M,), int
        The creature that each of them shows.
    raw : tuple of str
        Names of the sets of unfinished decoded sprites, whose edges are soft.
    turned : bool
        Whether training turned hues, so that copies may have other hues.

    Returns
    -------
    dict
        For each set the number of ``pictures`` and, as [value, low, high]: ``sprite_distance``
        and its seven parts, ``swd`` (see `patches`), ``copies`` (a share) and ``overlap`` (mean
        over pictures).
    """
    real_masks = silhouettes(real)
    some = slice(None, None, -(-len(real) // MOST))
    real_descriptors = descriptors(real[some])
    real_patches = projections(channels_last(real[some]), real_masks[some]).sum(0)

    measured = {}
    for name, images in sets.items():
        cutoff = RAW_CUTOFF if name in raw else CUTOFF
        found = descriptors(images, cutoff)
        _, ratio = nearest_sprites(images, variants(real, turned=turned), groups)
        masks = silhouettes(images, cutoff)
        distances = distances_with_intervals(lambda x: sprite_distances(x, real_descriptors), found)
        row = {"pictures": len(images)}
        row |= dict(zip(("sprite_distance", *DESCRIPTORS), distances.tolist(), strict=True))
        row["copies"] = mean_with_interval(ratio < COPY_RATIO)
        row["overlap"] = mean_with_interval(overlap(masks, [real_masks, real_masks[..., ::-1]]))
        patches = projections(channels_last(images), masks)
        row["swd"] = distance_with_interval(patches, real_patches)
        measured[name] = row
    return measured


def table(measured: dict[str, dict]) -> str:
    """Return what `measure` returns as a Markdown table, one line per set."""
    rows = [
        [name, str(row["pictures"])]
        + [
            cell(row[key], digits, key in ("sprite_distance", "swd", "copies"))
            for key, (_, digits) in COLUMNS.items()
        ]
        for name, row in measured.items()
    ]
    return markdown(["pictures", *(heading for heading, _ in COLUMNS.values())], rows)


def channels_last(images: np.ndarray) -> np.ndarray:
    """Return pictures (N, 3, S, S) as float64 in [0, 1], shape (N, S, S, 3)."""
    scale = 255 if images.dtype == np.uint8 else 1
    return np.moveaxis(images, 1, 3).astype(np.float64) / scale


# ---- sprite distance: seven descriptors of each sprite, compared as distributions


def silhouettes(images: np.ndarray, cutoff: float = CUTOFF) -> np.ndarray:
    """Return the `silhouette` of each picture, bool (N, S, S)."""
    return np.stack([silhouette(picture, cutoff) for picture in channels_last(images)])


def silhouette(picture: np.ndarray, cutoff: float = CUTOFF) -> np.ndarray:
    """Return the largest component darker than the cutoff, holes filled first, bool (S, S).

    `picture` has the shape (S, S, 3). All false if it is white.
    """
    return largest(binary_fill_holes(picture.min(2) < cutoff))


def boundary_pairs(mask: np.ndarray) -> int:
    """Return how many pairs of neighbours have one inside; beyond the picture is outside."""
    framed = np.pad(mask, 1).astype(np.int8)
    return int(sum(np.abs(np.diff(framed, axis=axis)).sum() for axis in (0, 1)))


def descriptors(images: np.ndarray, cutoff: float = CUTOFF) -> np.ndarray:
    """Return the seven `DESCRIPTORS` of each picture, (N, 7); see `describe`."""
    return np.array([describe(picture, cutoff) for picture in channels_last(images)])


def describe(picture: np.ndarray, cutoff: float = CUTOFF) -> tuple[float, ...]:
    """Return the seven `DESCRIPTORS` of a picture (S, S, 3); all zero if it is white.

    ``area`` in pixels; ``perimeter`` / sqrt(area); ``fill``, the share of the bounding box inside
    the silhouette; ``chroma``, the mean of max - min of R, G, B; ``chroma_sd`` and
    ``luminance_sd``, deviations within the sprite; ``hue``, the length of the mean hue vector
    weighted by chroma, in [0, 1], where 1 is a sprite of one hue.
    """
    mask = silhouette(picture, cutoff)
    area = int(mask.sum())
    if not area:
        return (0.0,) * len(DESCRIPTORS)
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


def sprite_distances(found: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Return the sprite distance and its seven parts, (8,).

    Each part is the Wasserstein distance of one descriptor, in standard deviations of the real
    sprites; the sprite distance is the mean of the seven.

    Parameters
    ----------
    found, real : ndarray, shape (N, 7) and (M, 7)
        The `descriptors` of samples and of some hundred real sprites.
    """
    deviations = np.maximum(real.std(0), 1e-9)
    parts = np.array(
        [
            wasserstein_distance(found[:, i] / deviation, real[:, i] / deviation)
            for i, deviation in enumerate(deviations)
        ]
    )
    return np.array([parts.mean(), *parts])


# ---- copies of training sprites


def variants(real: np.ndarray, *, turned: bool) -> Iterator[np.ndarray]:
    """Yield the sprites (M, 3, S, S), their mirror images, and both in other hues if turned."""
    sprites = to_float(torch.from_numpy(real))
    for step in range(TURNS if turned else 1):
        angle = torch.full((len(sprites),), 2 * torch.pi * step / TURNS)
        variant = turn_hue(sprites, angle).numpy() if step else real
        yield variant
        yield variant[..., ::-1]


def nearest_sprites(
    images: np.ndarray, variants: Iterable[np.ndarray], groups: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest sprite of each picture, and how far it is against one of another group.

    Parameters
    ----------
    images : ndarray, shape (N, 3, S, S)
    variants : iterable of ndarray, shape (M, 3, S, S)
        The training sprites, as they are and mirrored, say. A sprite is as far as its nearest
        variant.
    groups : ndarray, shape (M,), int
        The creature that each sprite shows: forms of one creature look alike and count as one.

    Returns
    -------
    nearest : ndarray, shape (N,), int
    ratio : ndarray, shape (N,), in [0, 1]
        Squared distance to the nearest sprite over that to the nearest of another group; 1 if
        there is only one group. A copy is below `COPY_RATIO`.
    """
    x = channels_last(images).reshape(len(images), -1).astype(np.float32)
    squared = np.full((len(x), len(groups)), np.inf, np.float32)
    for sprites in variants:
        for start in range(0, len(groups), BLOCK):
            block = slice(start, start + BLOCK)
            y = channels_last(sprites[block]).reshape(-1, x.shape[1]).astype(np.float32)
            new = np.square(x).sum(1)[:, None] - 2 * x @ y.T + np.square(y).sum(1)
            squared[:, block] = np.minimum(squared[:, block], np.maximum(new, 0))
    nearest = squared.argmin(1)
    least = squared.min(1)
    other = np.where(groups[nearest][:, None] == groups, np.inf, squared).min(1)
    other = np.where(np.isinf(other), least, other)
    return nearest, (least + 1e-6) / (other + 1e-6)


def overlap(masks: np.ndarray, variants: Iterable[np.ndarray]) -> np.ndarray:
    """Return the intersection over union of each silhouette with the one most like it, (N,).

    A recoloured sprite keeps its silhouette, which distances between pixels do not see.

    Parameters
    ----------
    masks : ndarray, shape (N, S, S), bool
    variants : iterable of ndarray, shape (M, S, S), bool
        Silhouettes of the training sprites, as they are and mirrored.
    """
    x = masks.reshape(len(masks), -1).astype(np.float32)
    best = np.zeros(len(x), np.float32)
    for others in variants:
        y = others.reshape(len(others), -1).astype(np.float32)
        both = x @ y.T
        either = x.sum(1)[:, None] + y.sum(1) - both
        best = np.maximum(best, (both / np.maximum(either, 1)).max(1))
    return best
