"""All figures of samples in one report, beside those of real sprites, and as a Markdown table.

report = measure({"samples": raw, "samples, finished": finished}, real, groups=groups)
print(markdown(report))
"""

from collections.abc import Iterator

import numpy as np
import torch

from utils.data_utils import to_float
from utils.measures import sample_metrics as sm
from utils.training.augment import turn_hue

TURNS = 12  # hues that a sprite is compared in, where training turned them


def measure(
    sets: dict[str, np.ndarray],
    real: np.ndarray,
    *,
    groups: np.ndarray,
    raw: tuple[str, ...] = (),
    mirrored: bool = True,
    turned: bool = False,
) -> dict[str, dict]:
    """Return what is measured of sets of pictures against the training sprites.

    Parameters
    ----------
    sets : dict
        From a name to pictures, shape (N, 3, S, S), uint8 or float in [0, 1].
    real : ndarray, shape (M, 3, S, S), uint8
        The training sprites.
    groups : ndarray, shape (M,), int
        The creature that each of them shows.
    raw : tuple of str
        The sets of decoded sprites as they are, whose edges are soft.
    mirrored, turned : bool
        Whether sprites are compared mirrored and in other hues as well.

    Returns
    -------
    dict
        For each set the number of pictures and, as [value, low, high] with a 95 % interval over
        pictures: ``sprite_distance`` and its seven figures, ``outline``, ``colors`` and
        ``flatness`` (means over pictures), ``kid``, ``copies`` (a share) and ``overlap``, the
        mean over pictures of that with the silhouette most alike.
    """
    real_figures = sm.sprite_figures(real)
    features = dict(zip(sets, sm.pca_features(real, *sets.values()), strict=True))
    (real_features,) = sm.pca_features(real, real)
    real_masks = masks(real, sm.CUTOFF)
    flips = [real_masks, real_masks[..., ::-1]] if mirrored else [real_masks]

    report = {}
    for name, images in sets.items():
        cutoff = sm.RAW_CUTOFF if name in raw else sm.CUTOFF
        figures = sm.sprite_figures(images, cutoff)
        variants = variants_of(real, mirrored=mirrored, turned=turned)
        _, ratio = sm.nearest_sprites(images, variants, groups)
        found = {"sprite_distance": lambda x: sm.sprite_distance(x, real_figures).mean()}
        found |= {
            figure: lambda x, i=i: sm.sprite_distance(x, real_figures)[i]
            for i, figure in enumerate(sm.FIGURES)
        }
        means = {
            "outline": sm.outline_share(images, cutoff),
            "colors": sm.color_count(images, cutoff),
            "flatness": sm.flatness(images, cutoff),
            "copies": (ratio < sm.COPY_RATIO).astype(float),
            "overlap": sm.overlap(masks(images, cutoff), flips),
        }
        report[name] = {"pictures": len(images)}
        report[name] |= {key: sm.with_interval(value, figures) for key, value in found.items()}
        report[name] |= {key: sm.with_interval(np.mean, value) for key, value in means.items()}
        pair = (features[name], real_features)
        report[name]["kid"] = [sm.unbiased_mmd(*pair), *sm.half_samples(sm.unbiased_mmd, *pair)]
    return report


def masks(images: np.ndarray, cutoff: float) -> np.ndarray:
    """Return the silhouettes of pictures, bool (N, S, S)."""
    return np.stack([sm.silhouette(picture, cutoff) for picture in sm.to_float(images)])


def variants_of(real: np.ndarray, *, mirrored: bool, turned: bool) -> Iterator[np.ndarray]:
    """Yield the sprites, uint8 (M, 3, S, S), and what training made of them."""
    sprites = to_float(torch.from_numpy(real))
    for step in range(TURNS if turned else 1):
        angle = torch.full((len(sprites),), 2 * torch.pi * step / TURNS)
        variant = turn_hue(sprites, angle).numpy() if step else real
        yield variant
        if mirrored:
            yield variant[..., ::-1]


def markdown(report: dict[str, dict]) -> str:
    """Return a report as a Markdown table, one line a set."""
    headings = {
        "pictures": "pictures",
        "sprite_distance": "sprite distance",
        **{figure: figure.replace("_", " ") for figure in sm.FIGURES},
        "outline": "outline",
        "colors": "colours",
        "flatness": "flatness",
        "kid": "KID, PCA",
        "copies": "copies",
        "overlap": "overlap",
    }
    lines = ["| | " + " | ".join(headings.values()) + " |", "| --- " * (len(headings) + 1) + "|"]
    for name, found in report.items():
        cells = [cell(key, found[key]) for key in headings]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def cell(key: str, value: int | list[float]) -> str:
    """Return a figure as text, with its interval where readers look first."""
    if key == "pictures":
        return str(value)
    digits = {"kid": 4, "colors": 1, "copies": 3}.get(key, 2)
    text = f"{value[0]:.{digits}f}"
    if key in ("sprite_distance", "kid", "copies"):
        text += f" ({value[1]:.{digits}f} to {value[2]:.{digits}f})"
    return text
