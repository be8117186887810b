"""What a clean decoded picture has too many of: colours that are alike, and specks around it.

picture = without_noise(without_halo(picture))  # float32 (S, S, 3) in [0, 1], on white
"""

import numpy as np
from scipy import ndimage

SAME_COLOR = 0.12  # distance in RGB below which colours of a clean picture are one
SAME_COLOR_STEPS = 3
NEARLY_WHITE = 1 - SAME_COLOR / 3  # smallest channel above which a colour is white
HALO = 0.15  # highest darkness (1 - the smallest channel) of what a decoder leaves around a sprite


def without_noise(picture: np.ndarray) -> np.ndarray:
    """Return a clean picture with each colour replaced by the mean of similar ones.

    Blurring mean shift in RGB with a window of radius `SAME_COLOR` (Cheng 1995), wherever in the
    picture the pixels lie. Nearly white becomes white.
    """
    colors = picture.reshape(-1, 3).copy()
    colors[colors.min(1) > NEARLY_WHITE] = 1
    visible = np.nonzero(colors.min(1) < 1)[0]
    colors[visible] = merged(colors[visible], SAME_COLOR / 2)
    return colors.reshape(picture.shape).astype(np.float32)


def without_halo(picture: np.ndarray) -> np.ndarray:
    """Return a picture without the faint specks around its outline.

    Those that are connected to the outside through faint pixels (four neighbours). What is faint
    and three pixels wide and high is no speck but a pale body, which need not have an outline.
    """
    lightness = picture.min(2)
    faint = lightness > 1 - HALO
    body = ndimage.binary_opening(faint & (lightness <= NEARLY_WHITE), np.ones((3, 3)))
    kept = ndimage.binary_fill_holes(body | ~faint)
    return np.where(kept[..., None], picture, np.float32(1))


def merged(points: np.ndarray, radius: float) -> np.ndarray:
    """Return colours (n, 3), each replaced by the mean of those near it, a few times over."""
    original = points
    for _ in range(SAME_COLOR_STEPS):
        near = np.square(points[:, None] - original[None]).sum(2) < radius**2
        count = near.sum(1, keepdims=True)
        points = np.where(count, near @ original / np.maximum(count, 1), points)
    return points


def grouped(points: np.ndarray, radius: float) -> np.ndarray:
    """Return colours (n, 3), each replaced by the mean of its group, none wider than two radii."""
    means = np.empty_like(points)
    left = np.ones(len(points), bool)
    for index, point in enumerate(points):
        if left[index]:
            near = left & (np.square(points - point).sum(1) < radius**2)
            means[near] = points[near].mean(0)
            left &= ~near
    return means
