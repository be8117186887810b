"""The finish: turns what a VAE decodes into a sprite with an outline and few colours.

    finished = finish(decode(model, z))

This is code after the model, not the model, and every figure of finished sprites says so. A clean
picture loses its noise and the specks around it, and gains contrast the rougher it is. One
that is smooth or nearly clean keeps its eyes and other details: specks around it go, similar
colours become one, with more contrast between them, and its rim is dark. Rubble gets one clear
shape, ramps of a few colours inside it, and an outline in a dark shade of the colour next to it.
Code never adds limbs or faces: those come from the latent. Nothing here is random.
"""

from collections.abc import Callable

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from utils.pictures.few_colors import grouped, merged, without_halo, without_noise
from utils.sprites.png import import_cv2

# A picture is clean if its rim is as dark as the rest (`edge`) and its `roughness` small, as in
# sprites and in reconstructions from 30 dB on. If it is rougher, its edge must be sharper.
SPOTLESS, SHARP_ENOUGH = 0.055, 0.8
CLEAN, SHARP = 0.1, 0.9
# Least squares shrinks deviations from the mean: those of clean pictures are multiplied by 1 plus
# this times the roughness above SPOTLESS, by 1.11 at most (benchmarks/quality.md).
CLEAN_CONTRAST = 2.5
# A picture keeps its details if it is smooth (monsters by a model of many monsters: edges of 0.5 to
# 1, a roughness of 0.06 to 0.09), or nearly clean (a few of the pictures between sprites whose
# hybrids a decoder was taught; others are clean). All else (0.4 to 0.7, 0.11 to 0.17) is rubble.
SMOOTH = 0.085
NEARLY_SHARP, NEARLY_CLEAN = 0.6, 0.13
FEW_COLORS = 128  # no decoder makes so few of 40x40 pixels: the picture is clean as it is

# A picture that keeps its details, in CIE Lab
ONE_COLOR = 9.0  # distance below which two of its colours are one
# Least squares shrinks deviations from the mean, most those of colour. The factor on them is 1 plus
# one of these times 1 - edge.
SMOOTH_CONTRAST, NEARLY_CLEAN_CONTRAST = 0.3, 0.8  # of L; merging noise takes contrast away too
COLOR_CONTRAST = 3.0  # of a and b
RIM_LIGHTNESS = 45.0  # highest L of a rim; a lighter one becomes an outline
EYE_LIGHTNESS = 30.0  # highest L of eyes and the like, which stay as they are
MOST_CHANGE = 12.0  # of L of all else inside

# Shape, by darkness: 1 - the smallest channel, so that only white has 0.
UNSHARP, UNSHARP_BLUR = 2.0, 2.0  # strength, and blur in pixels, of a mask that lifts out limbs
WEAK, STRONG = 0.23, 0.43  # darkness of pixels that may belong to the shape, and that surely do
SURE = 0.6  # darkness of a pixel that is kept although only one neighbour is inside
NOTCH = 0.15  # darkness from which a pixel with three neighbours inside is inside
FAINT = 0.12  # darkness of everything that may belong to the sprite
LEAST_SHARE = 0.6  # of the area of everything faint, closed, that the shape must cover

# Colours, in CIE Lab: L from 0 to 100, a and b about -100 to 100.
FAMILIES = 3  # at most: groups of hues, each with a ramp of tones
FAMILY_BLUR = 1.2  # pixels: hues lie in larger areas than tones
SAME_FAMILY = 6.0  # distance in (a, b) below which two hues are one
CHROMA_BLUR = 0.6
CHROMA_QUANTILE = 0.6  # over a family's pixels, because a mean over mixed hues is grey
CHROMA_STRETCH = 1.4
TONE_BLUR = 0.7
TONE_VOTE = 0.8  # pixels: how far the tones around count
TONE_CUTS = (-0.72, 0.42)  # between shade, base and light, in standard deviations of L
TONE_STEPS = (-17.0, 0.0, 17.0)  # of L from the family's base
TONE_CHROMA = (0.55, 1.45, 0.4)  # factor on the family's chroma
BASE_LIGHTNESS = (44.0, 68.0)  # limits of L of the base
LIFT = -3.0  # of L, because specks of white are part of the mean
FAMILY_SPREAD = 14.0  # L between families one deviation apart
LEAST_DEVIATION = 8.0  # of L, so that flat pictures are not stretched without limit
LIGHTNESS = (24.0, 97.0)  # limits of L, except for the outline
LIGHT_FROM_ABOVE = 0.8  # deviations of L between the upper left and the lower right rim
OUTLINE = (20.0, 0.25)  # its L, and the factor on the chroma next to it

# Dark details inside: eyes, mouths and seams between limbs.
SEAM_LIGHTNESS = 43.0  # highest L
SEAM_CONTRAST = 18.0  # least difference of L to the surroundings
SEAM_BLUR = 1.8  # pixels: size of the surroundings
SEAM_SURE = 24.0  # L below which a single pixel counts


def finisher(wanted: bool) -> Callable[[Tensor], Tensor]:
    """Return `finish`, or a function that returns pictures as they are."""
    return finish if wanted else lambda images: images


def finish(images: Tensor) -> Tensor:
    """Return decoded sprites finished, uint8 on the CPU.

    `images` has the shape (N, 3, S, S), uint8 or float in [0, 1].
    """
    pictures = images.detach().cpu().permute(0, 2, 3, 1).numpy()
    if images.dtype == torch.uint8:
        pictures = pictures / np.float32(255)
    pictures = np.clip(pictures, 0, 1).astype(np.float32)
    done = np.stack([finish_one(picture) for picture in pictures])
    return torch.from_numpy((done * 255).round().astype(np.uint8)).permute(0, 3, 1, 2)


def finish_one(picture: np.ndarray) -> np.ndarray:
    """Return one picture (S, S, 3), float32 in [0, 1], finished."""
    few_colors = len(np.unique(picture.reshape(-1, 3), axis=0)) <= FEW_COLORS
    rough = roughness(picture)
    if rough < CLEAN and few_colors:
        return without_noise(picture)
    sharp = edge(picture)
    if rough < CLEAN and sharp > (SHARP_ENOUGH if rough < SPOTLESS else SHARP):
        picture = without_noise(without_halo(picture))
        return with_contrast(picture, 1 + CLEAN_CONTRAST * max(rough - SPOTLESS, 0))
    mask = trace(picture)
    if not mask.any():
        return np.ones_like(picture)
    if rough < SMOOTH:
        contrast = SMOOTH_CONTRAST
    elif rough < NEARLY_CLEAN and sharp > NEARLY_SHARP:
        contrast = NEARLY_CLEAN_CONTRAST
    else:
        return color(picture, mask)
    more = np.array([contrast, COLOR_CONTRAST, COLOR_CONTRAST])
    return tidied(picture, mask, 1 + (1 - sharp) * more)


def roughness(picture: np.ndarray) -> float:
    """Return how much visible pixels differ from their most similar neighbours, in [0, 1].

    For each pixel the mean difference (largest channel) to the two most similar of its eight
    neighbours; the median over pixels. Flat areas and lines one pixel wide have 0.
    """
    side_y, side_x, _ = picture.shape
    padded = np.pad(picture, ((1, 1), (1, 1), (0, 0)), mode="edge")
    shifts = [(y, x) for y in range(3) for x in range(3) if (y, x) != (1, 1)]
    differences = np.stack(
        [np.abs(padded[y : y + side_y, x : x + side_x] - picture).max(2) for y, x in shifts]
    )
    likest = np.sort(differences, axis=0)[:2].mean(0)
    visible = picture.min(2) < 0.9
    return float(np.median(likest[visible])) if visible.any() else 0.0


def edge(picture: np.ndarray) -> float:
    """Return how dark the rim of a picture is (median), as a share of its dark parts, in [0, 1].

    A blurred picture fades to white. Dark means a small smallest channel, so saturated colours
    are dark as well.
    """
    dark = 1 - picture.min(2)
    mask = largest(ndimage.binary_fill_holes(dark > FAINT))
    if not mask.any():
        return 1.0
    rim = mask & (num_inside(mask) < 4)
    return float(np.median(dark[rim]) / np.quantile(dark[mask], 0.9))


def with_contrast(picture: np.ndarray, factor: float) -> np.ndarray:
    """Return a picture (S, S, 3) with the deviations of colours from their mean multiplied."""
    drawn = picture.min(2, keepdims=True) < 1
    if not drawn.any():
        return picture
    mean = picture.mean((0, 1), where=drawn)
    return np.where(drawn, np.clip(mean + (picture - mean) * factor, 0, 1), picture)


def tidied(picture: np.ndarray, mask: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Return a picture (S, S, 3) with its details, cut out along a mask, on white.

    Deviations of L, a and b from their means grow by factors (3,). The rim becomes an outline, and
    the rest lighter: on the whole, one pixel around the mask included, it stays about as dark.
    """
    cv2 = import_cv2()
    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2Lab)
    darkness = (100 - lab[ndimage.binary_dilation(mask), 0]).sum()
    mean = lab[mask].mean(0)
    few = grouped(merged(lab[mask], ONE_COLOR), ONE_COLOR)
    lab[mask] = mean + (few - mean) * factors
    rim = mask & (num_inside(mask) < 4)
    light = rim & (lab[..., 0] > RIM_LIGHTNESS)
    lab[light] *= (0, OUTLINE[1], OUTLINE[1])
    lab[light, 0] = OUTLINE[0]
    body = mask & ~rim & (lab[..., 0] > EYE_LIGHTNESS)
    change = ((100 - lab[mask, 0]).sum() - darkness) / max(body.sum(), 1)
    lab[body, 0] += np.clip(change, -MOST_CHANGE, MOST_CHANGE)
    lab[..., 0] = lab[..., 0].clip(0, 100)
    return on_white(lab, mask)


def on_white(lab: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return a picture (S, S, 3) in CIE Lab as RGB in [0, 1], white outside a mask (S, S)."""
    cv2 = import_cv2()
    rgb = np.clip(cv2.cvtColor(lab, cv2.COLOR_Lab2RGB), 0, 1)
    rgb[~mask] = 1
    return rgb


# ---- the shape


def trace(picture: np.ndarray) -> np.ndarray:
    """Return the shape of a rough picture: one component without holes, bool (S, S).

    An unsharp mask lifts thin limbs out of a soft mixture and cuts into the gaps between them.
    Hysteresis then keeps pixels of at least `WEAK` darkness that are connected to a `STRONG` one.
    Single pixels go and notches close, except for dark tips one pixel wide. A pale body falls
    apart that way; then everything faint is taken and closed instead.
    """
    faint = 1 - picture.min(2)
    dark = faint + UNSHARP * (faint - import_cv2().GaussianBlur(faint, (0, 0), UNSHARP_BLUR))
    labels, _ = ndimage.label(dark > WEAK)
    strong = np.unique(labels[dark > STRONG])
    mask = largest(ndimage.binary_fill_holes(np.isin(labels, strong[strong > 0])))
    closed = largest(
        ndimage.binary_fill_holes(ndimage.binary_closing(np.pad(faint > FAINT, 2))[2:-2, 2:-2])
    )
    if mask.sum() < LEAST_SHARE * closed.sum():
        mask = closed
    inside = num_inside(mask)
    mask = mask & ((inside >= 2) | ((inside == 1) & (dark > SURE)))
    mask = mask | (inside == 4) | ((inside == 3) & (dark > NOTCH))
    return largest(ndimage.binary_fill_holes(mask))


def largest(mask: np.ndarray) -> np.ndarray:
    """Return the largest 4-connected component."""
    labels, count = ndimage.label(mask)
    return labels == 1 + np.bincount(labels.flat)[1:].argmax() if count else mask


def num_inside(mask: np.ndarray) -> np.ndarray:
    """Return how many of the four neighbours of each pixel are inside; none beyond the edge."""
    framed = np.pad(mask, 1).astype(np.int8)
    return framed[:-2, 1:-1] + framed[2:, 1:-1] + framed[1:-1, :-2] + framed[1:-1, 2:]


# ---- the colours inside


def color(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return a picture (S, S, 3) in ramps of few colours, with an outline, on white.

    `mask` (S, S) is its shape, not empty.
    """
    cv2 = import_cv2()
    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2Lab)
    # Soft pixels of the rim are mixed with white, so they count less.
    weight = (mask * np.clip(2 * (1 - picture.min(2)), 0.25, 1)).astype(np.float32)
    inner = mask & (num_inside(mask) == 4)
    if not inner.any():
        inner = mask

    family = families(lab, weight, inner)
    lightness = smooth(lab[..., 0], weight, TONE_BLUR)
    mean = lightness[inner].mean()
    deviation = max(lightness[inner].std(), LEAST_DEVIATION)
    score = (lightness - mean) / deviation + LIGHT_FROM_ABOVE * light(mask)
    tone = majority(np.digitize(score, TONE_CUTS), weight, len(TONE_STEPS), TONE_VOTE)
    detail = details(lab[..., 0], weight, mask, inner)

    body = inner & ~detail  # details get the lightness of an outline, not that of the body
    base = np.clip(lab[body if body.any() else inner, 0].mean() + LIFT, *BASE_LIGHTNESS)
    saturated = np.hypot(*(smooth(lab[..., i], weight, CHROMA_BLUR) for i in (1, 2)))
    painted = np.zeros_like(lab)
    for index in np.unique(family[mask]):
        area = mask & (family == index)
        seen = area & inner & ~detail if (area & inner & ~detail).any() else area
        hue = lab[seen, 1:].mean(0)
        chroma = hue / max(np.linalg.norm(hue), 1e-3)
        chroma = chroma * CHROMA_STRETCH * np.quantile(saturated[seen], CHROMA_QUANTILE)
        own = base + FAMILY_SPREAD * (lightness[seen].mean() - mean) / deviation
        for step, (change, factor) in enumerate(zip(TONE_STEPS, TONE_CHROMA, strict=True)):
            painted[area & (tone == step)] = (np.clip(own + change, *LIGHTNESS), *chroma * factor)
        painted[area & (detail | (num_inside(mask) < 4))] = (OUTLINE[0], *chroma * OUTLINE[1])
    return on_white(painted, mask)


def smooth(values: np.ndarray, weight: np.ndarray, sigma: float) -> np.ndarray:
    """Return values (S, S) blurred within the weights, so that nothing bleeds in from outside."""
    cv2 = import_cv2()
    blurred, total = (
        cv2.GaussianBlur(part, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        for part in (np.ascontiguousarray(values) * weight, weight)
    )
    return blurred / np.maximum(total, 1e-4)


def majority(labels: np.ndarray, weight: np.ndarray, count: int, sigma: float) -> np.ndarray:
    """Return the label, from 0 to count - 1, with the most weight around each pixel."""
    votes = [smooth((labels == i).astype(np.float32), weight, sigma) for i in range(count)]
    return np.argmax(votes, axis=0)


def families(lab: np.ndarray, weight: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Return the hue family of each pixel, int (S, S): k-means in (a, b), similar ones merged.

    It starts from the order along the principal axis, so that similar pictures get similar
    families.
    """
    cv2 = import_cv2()
    plane = np.dstack([smooth(lab[..., i], weight, FAMILY_BLUR) for i in (1, 2)])
    points = np.ascontiguousarray(plane[inner])
    count = min(FAMILIES, len(points))
    centred = points - points.mean(0)
    axis = np.linalg.svd(centred, full_matrices=False)[2][0]
    along = centred @ (axis * np.sign(axis[np.abs(axis).argmax()]))
    start = np.searchsorted(np.quantile(along, np.arange(1, count) / count), along)
    stop = (cv2.TERM_CRITERIA_MAX_ITER + cv2.TERM_CRITERIA_EPS, 30, 0.1)
    start = start.astype(np.int32)[:, None]
    _, _, centers = cv2.kmeans(points, count, start, stop, 1, cv2.KMEANS_USE_INITIAL_LABELS)
    labels = np.square(plane[:, :, None] - centers).sum(3).argmin(2)

    sizes = np.bincount(labels[inner], minlength=count)
    order = np.argsort(-sizes, kind="stable")
    for rank, small in enumerate(order):
        gaps = np.linalg.norm(centers[order[:rank]] - centers[small], axis=1)
        if rank and gaps.min() < SAME_FAMILY:
            labels[labels == small] = order[gaps.argmin()]
    return majority(labels, inner.astype(np.float32), count, 1.0)


def light(mask: np.ndarray) -> np.ndarray:
    """Return how a body of this shape would be lit from the upper left, from -1 to 1."""
    height = import_cv2().GaussianBlur(mask.astype(np.float32), (0, 0), 3)
    down, right = np.gradient(height)
    facing = 0.8 * down + 0.6 * right
    return facing / max(np.abs(facing[mask]).max(), 1e-6)


def details(
    lightness: np.ndarray, weight: np.ndarray, mask: np.ndarray, inner: np.ndarray
) -> np.ndarray:
    """Return which inner pixels get the colour of the outline, bool (S, S).

    Those that are dark and darker than their surroundings, and next to another dark pixel or dark
    beyond doubt.
    """
    cv2 = import_cv2()
    contrast = smooth(lightness, weight, SEAM_BLUR) - lightness
    dark = inner & (lightness < SEAM_LIGHTNESS) & (contrast > SEAM_CONTRAST)
    lines = (dark | (mask & ~inner)).astype(np.float32)
    around = cv2.filter2D(lines, -1, np.ones((3, 3), np.float32), borderType=cv2.BORDER_CONSTANT)
    return dark & ((around >= 2) | (lightness < SEAM_SURE))
