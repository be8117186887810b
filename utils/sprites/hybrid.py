"""A hybrid of two sprites: the head of one on the body of the other, drawn by code.

picture = hybrid(a, b, 0.5)  # uint8 (S, S, 3), on white

Nothing here is learned or random. Both drawn parts are moved into the mixture of their boxes, and
their colours to the mixture of their colours. A seam along which both agree divides them; it
moves through the sprite as t rises from 0 to 1.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from utils.sprites.png import VISIBLE, import_cv2

WHITE = 255
# A seam costs what both sprites differ by along it, in [0, 1], and
CUT = 1.0  # per pixel that only one of them has: a limb that ends at the seam
STRAY = 15.0  # per column, times the square of the way to its goal, in heights of the sprite
SLOPE = 0.03  # per pixel that it rises or falls

DARK = 90  # the highest channel of outlines and pupils, which keep their colours, is below
SPREAD = (0.5, 2.0)  # limits of the factor on deviations of chroma
VIVID = 1.6  # highest factor on chroma
MOST_COLOURS = 256  # a picture of more is no pixel art, and keeps all


def hybrid(a: np.ndarray, b: np.ndarray, t: float) -> np.ndarray:
    """Return what lies between two sprites, a new picture.

    Parameters
    ----------
    a, b : ndarray, shape (S, S, 3), uint8
        On white. If one is empty, the one of the larger share is returned.
    t : float
        In [0, 1]: 0 is `a`, 1 is `b`, and ``hybrid(a, b, t)`` equals ``hybrid(b, a, 1 - t)``.
    """
    assert a.shape == b.shape and 0 <= t <= 1, (a.shape, b.shape, t)
    # 1 - t rounds if t is small, so that both shares are computed from the larger one.
    of_b = t if t >= 0.5 else 1 - (1 - t)
    shares = (1 - of_b, of_b)
    if 1 in shares:
        return (a, b)[shares.index(1)].copy()
    if a.tobytes() > b.tobytes():  # from here on nothing depends on which one was named first
        a, b, shares = b, a, shares[::-1]
    if not (drawn(a).any() and drawn(b).any()):
        return (a if shares[0] >= 0.5 else b).copy()
    return chimera(a, b, shares)


def drawn(sprite: np.ndarray) -> np.ndarray:
    """Return which pixels are seen on white, bool (h, w)."""
    red, green, blue = np.moveaxis(sprite, 2, 0)
    return np.minimum(np.minimum(red, green), blue) <= WHITE - VISIBLE


def chimera(a: np.ndarray, b: np.ndarray, shares: tuple[float, float]) -> np.ndarray:
    """Return the hybrid of two sprites that are not empty."""
    # The head is that of the one with which the seam through the middle fits better, for all t.
    pair = fitted(a, b, mixed_box(a, b, (0.5, 0.5)))
    head = int(seam(*pair[::-1], 0.5)[1] < seam(*pair, 0.5)[1])
    target = mixed_box(a, b, shares)
    pair = fitted(a, b, target)
    above, _ = seam(pair[head], pair[1 - head], shares[head])

    colours = [inks(part) for part in pair]
    stats = shares[0] * colours[0].stats + shares[1] * colours[1].stats
    upper, lower = tinted(colours[head], stats), tinted(colours[1 - head], stats)
    picture = largest_part(np.where(above[..., None], upper, lower))
    outlines = [rim(drawn(part)) for part in pair]
    picture = outlined(picture, np.where(above, outlines[head], outlines[1 - head]))

    canvas = np.full_like(a, WHITE)
    canvas[target[0] : target[1], target[2] : target[3]] = picture
    return fewer_colours(canvas, max(len(palette(sprite)[0]) for sprite in (a, b)))


# ---- places


def box(sprite: np.ndarray) -> np.ndarray:
    """Return the box around what is drawn: top, bottom, left and right, the ends outside."""
    rows, columns = (np.flatnonzero(drawn(sprite).any(axis)) for axis in (1, 0))
    return np.array([rows[0], rows[-1] + 1, columns[0], columns[-1] + 1])


def mixed_box(a: np.ndarray, b: np.ndarray, shares: tuple[float, float]) -> np.ndarray:
    """Return the mixture of the boxes of two sprites, halves rounded up so that none is empty."""
    return np.floor(shares[0] * box(a) + shares[1] * box(b) + 0.5).astype(int)


def fitted(a: np.ndarray, b: np.ndarray, target: np.ndarray) -> list[np.ndarray]:
    """Return the drawn parts of both sprites in the size (h, w) of a box."""
    parts = []
    for sprite in (a, b):
        top, bottom, left, right = box(sprite)
        part = resized(sprite[top:bottom, left:right], target[1] - target[0])
        part = resized(part.swapaxes(0, 1), target[3] - target[2]).swapaxes(0, 1)
        parts.append(np.ascontiguousarray(part))
    return parts


def resized(part: np.ndarray, height: int) -> np.ndarray:
    """Return a picture (h, w, 3) with rows left out or doubled until there are `height`.

    One in each of equal bands, the one most like the next, so that eyes and outlines survive.
    """
    change = height - len(part)
    if abs(change) > len(part) // 2:  # too many to choose
        return part[np.arange(height) * len(part) // height]
    steps = np.abs(np.diff(part.astype(int), axis=0, append=0)).sum((1, 2))
    edges = np.linspace(0, len(part), abs(change) + 1).astype(int)
    times = np.ones(len(part), int)
    for low, high in pairwise(edges):
        times[low + steps[low:high].argmin()] += np.sign(change)
    return part.repeat(times, axis=0)


# ---- the seam


def seam(upper: np.ndarray, lower: np.ndarray, share: float) -> tuple[np.ndarray, float]:
    """Return where `upper` is seen (h, w), in about this share, and what the seam costs.

    The least that a seam can cost that has one height in each column, by dynamic programming. The
    cost is that of Kwatra et al. 2003, "Graphcut textures", equation 1, and of the constants.
    """
    height, width = upper.shape[:2]
    masks = drawn(upper), drawn(lower)
    cost = np.abs(upper.astype(float) - lower).mean(2) / WHITE + CUT * (masks[0] != masks[1])
    ink = masks[0].sum(1) + masks[1].sum(1)
    heights = np.arange(height + 1)
    goal = np.interp(share, np.append(0, ink.cumsum()) / ink.sum(), heights)

    # Where the seam runs between two rows it pays for both, and where it climbs for both columns.
    rows = np.pad(cost, ((1, 1), (0, 0)))
    across = rows[:-1] + rows[1:]  # (h + 1, w)
    across += STRAY * np.square((heights - goal) / height)[:, None]
    climb = np.pad((cost[:, :-1] + cost[:, 1:]).cumsum(0), ((1, 0), (0, 0)))  # (h + 1, w - 1)
    climb += SLOPE * heights[:, None]
    total, sources = across[:, 0], []
    for column in range(1, width):
        ways = total + np.abs(climb[:, None, column - 1] - climb[:, column - 1])  # to, from
        sources.append(ways.argmin(1))
        total = ways[heights, sources[-1]] + across[:, column]
    line = [int(total.argmin())]
    for source in reversed(sources):
        line.append(int(source[line[-1]]))
    return np.arange(height)[:, None] < line[::-1], float(total.min())


# ---- colours


class Inks(NamedTuple):
    """The colours of a sprite."""

    rgb: np.ndarray  # (K, 3), uint8
    lab: np.ndarray  # (K, 3), of CIE Lab
    index: np.ndarray  # (h, w): the colour of each pixel
    free: np.ndarray  # (K, 1), bool: may change, because it is neither paper nor dark
    weights: np.ndarray  # (K,): shares of the free ones in the sprite
    stats: np.ndarray  # (5,): of (a, b) of Lab the means, the deviations, and the mean length


def inks(picture: np.ndarray) -> Inks:
    """Return the colours of a picture (h, w, 3)."""
    rgb, index, counts = palette(picture)
    lab = to_lab(rgb)
    free = (rgb.min(1) <= WHITE - VISIBLE) & (rgb.max(1) >= DARK)
    weights = counts * free / max((counts * free).sum(), 1)
    mean = weights @ lab[:, 1:]
    deviation = np.sqrt(weights @ np.square(lab[:, 1:] - mean))
    stats = np.array([*mean, *deviation, weights @ np.hypot(*lab.T[1:])])
    return Inks(rgb, lab, index, free[:, None], weights, stats)


def palette(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the colours (K, 3), the index of each pixel (h, w), and how many have it (K,)."""
    packed = picture.astype(np.int32) @ (1 << 16, 1 << 8, 1)
    packed, index, counts = np.unique(packed, return_inverse=True, return_counts=True)
    rgb = (packed[:, None] >> (16, 8, 0) & 255).astype(np.uint8)
    return rgb, index.reshape(picture.shape[:2]), counts


def to_lab(rgb: np.ndarray) -> np.ndarray:
    """Return colours (K, 3), uint8, in CIE Lab."""
    cv2 = import_cv2()
    return cv2.cvtColor(rgb[None].astype(np.float32) / WHITE, cv2.COLOR_RGB2Lab)[0]


def tinted(own: Inks, stats: np.ndarray) -> np.ndarray:
    """Return a picture (h, w, 3) whose colours are moved to the `stats` of others.

    Reinhard et al. 2001, "Color transfer between images", in a and b of CIE Lab alone. Between
    two hues lies grey, so the mean length of (a, b) is brought to theirs afterwards.
    """
    cv2 = import_cv2()
    scale = (stats[2:4] / np.maximum(own.stats[2:4], 1)).clip(*SPREAD)
    plane = (own.lab[:, 1:] - own.stats[:2]) * scale + stats[:2]
    plane *= np.clip(stats[4] / max(own.weights @ np.hypot(*plane.T), 1), 1, VIVID)
    lab = np.column_stack([own.lab[:, 0], plane]).astype(np.float32)
    rgb = np.rint(cv2.cvtColor(lab[None], cv2.COLOR_Lab2RGB)[0].clip(0, 1) * WHITE)
    return np.where(own.free, rgb.astype(np.uint8), own.rgb)[own.index]


def fewer_colours(picture: np.ndarray, limit: int) -> np.ndarray:
    """Return a picture whose nearest colours have become one, until `limit` are left."""
    rgb, index, counts = palette(picture)
    if not limit < len(rgb) <= MOST_COLOURS:
        return picture
    lab = to_lab(rgb)
    gaps = np.linalg.norm(lab[:, None] - lab, axis=2)
    paper = (rgb == WHITE).all(1)
    gaps[np.eye(len(rgb), dtype=bool) | paper | paper[:, None]] = np.inf
    becomes = np.arange(len(rgb))
    for _ in range(len(rgb) - limit):
        pair = np.unravel_index(gaps.argmin(), gaps.shape)
        gone, kept = sorted(pair, key=lambda i: counts[i])
        becomes[becomes == gone] = kept
        counts[kept] += counts[gone]
        gaps[gone] = gaps[:, gone] = np.inf
    return rgb[becomes][index]


# ---- one body


def largest_part(picture: np.ndarray) -> np.ndarray:
    """Return a picture without what floats free of its largest part; corners hold together."""
    _, labels, stats, _ = import_cv2().connectedComponentsWithStats(drawn(picture).view(np.uint8))
    largest = 1 + stats[1:, -1].argmax() if len(stats) > 1 else 0
    return np.where((labels == largest)[..., None], picture, np.uint8(WHITE))


def rim(mask: np.ndarray) -> np.ndarray:
    """Return the pixels of a mask that have one of four neighbours outside, bool (h, w)."""
    framed = np.pad(mask, 1)
    return mask & ~(framed[:-2, 1:-1] & framed[2:, 1:-1] & framed[1:-1, :-2] & framed[1:-1, 2:])


def outlined(picture: np.ndarray, was_rim: np.ndarray) -> np.ndarray:
    """Return a picture whose rim has the most common colour of the old one where it is new."""
    edge = rim(drawn(picture))
    if (edge & was_rim).any():
        rgb, _, counts = palette(picture[edge & was_rim][None])
        picture[edge & ~was_rim] = rgb[counts.argmax()]
    return picture
