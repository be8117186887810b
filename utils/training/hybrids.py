"""What the decoder is taught between sprites: hybrids of near pairs, drawn by code.

    hybrids = taught_hybrids(sprites, groups, seed=41)
    x, (mu, logvar) = mixtures(hybrids, which)  # of some of them

A squared error knows no answer between two sprites but a cross-fade, and training never decodes a
latent there. So `--hybrids` shows the decoder z = (1 - t) mu_a + t mu_b + sigma * eps together with
the hybrid of the sprites a and b (utils/sprites/hybrid.py). The encoder keeps its start: were it
trained, the space between sprites would change under what was taught there.
"""

import hashlib
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from utils.cli import InputError
from utils.data_utils import to_float
from utils.sprites.hybrid import hybrid
from utils.sprites.memory import empty_pixels
from utils.sprites.near import near_pairs
from utils.sprites.workers import on_all_cores

MOST_PAIRS = 4  # with near sprites, that a sprite is in at most
STEPS = 7  # hybrids of a pair, at t = 1/8, 2/8, ... 7/8
LEFT_OUT = 0.1  # share of the pairs that are not taught, to measure what was not
CHUNK = 25  # pairs per task: half a second
MANY = 250  # pairs from which on processes and a progress bar pay


class Hybrids(NamedTuple):
    """The hybrids that are taught, on the device of the model."""

    pairs: Tensor  # (P, 2), int64: indices of training sprites
    pictures: Tensor  # (P * STEPS, 3, S, S), uint8: those of a pair lie together, t rising
    posteriors: tuple[Tensor, Tensor] | None = None  # mu and logvar (N, d) of all training sprites


def taught_hybrids(sprites: Tensor, groups: np.ndarray, seed: int) -> Hybrids:
    """Return the hybrids that a run teaches, on the device of its sprites; says how many they are.

    Parameters are those of `hybrid_pairs`.

    Raises
    ------
    ValueError
        If there is no pair of two creatures.
    """
    pixels = sprites.cpu().numpy()
    pairs, left_out = hybrid_pairs(pixels, groups, seed)
    if not len(pairs):
        raise InputError(
            "--hybrids needs two creatures to train on, and all sprites are of one: their names "
            "begin with one number; rename them, or drop --hybrids"
        )
    pictures = draw_hybrids(pixels, pairs)
    print(
        f"Hybrids: {len(pictures)}, {STEPS} of each of {len(pairs)} pairs, drawn by code; "
        f"{len(left_out)} pairs are left out."
    )
    return Hybrids(torch.from_numpy(pairs).to(sprites.device), pictures.to(sprites.device))


def hybrid_pairs(
    pixels: np.ndarray, groups: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs of near sprites whose hybrids are taught, and those that are left out.

    Parameters
    ----------
    pixels : ndarray, shape (N, 3, S, S), uint8
    groups : ndarray, shape (N,), int
        The creature that each sprite shows.
    seed : int

    Returns
    -------
    taught, left_out : ndarray, shape (P, 2) and (Q, 2), int
        Empty if there is only one creature.
    """
    pairs = near_pairs(pixels, groups, MOST_PAIRS)
    order = np.random.default_rng(seed).permutation(len(pairs))
    num_left_out = int(len(pairs) * LEFT_OUT)
    return pairs[np.sort(order[num_left_out:])], pairs[np.sort(order[:num_left_out])]


def digest_of(pairs: np.ndarray) -> str:
    """Return a digest of pairs (P, 2): other versions of this file may choose others."""
    return hashlib.sha256(pairs.astype("<i8").tobytes()).hexdigest()


def shares() -> Tensor:
    """Return the share t of the second sprite in each of the hybrids of a pair, (STEPS,)."""
    return torch.arange(1, STEPS + 1) / (STEPS + 1)


def draw_hybrids(pixels: np.ndarray, pairs: np.ndarray) -> Tensor:
    """Return the hybrids of pairs, uint8 (P * STEPS, 3, S, S); all cores draw where that pays.

    Raises
    ------
    ValueError
        If they need more memory than there is.
    ChildProcessError
        If a worker dies.
    """
    side = pixels.shape[-1]
    pictures = empty_pixels(len(pairs) * STEPS, side).reshape(-1, STEPS, 3, side, side)
    starts = range(0, len(pairs), CHUNK)
    chunks = (pixels[pairs[start : start + CHUNK]] for start in starts)
    work = partial(draw_chunk, shares=shares().tolist())
    parts = on_all_cores(work, chunks, "hybrids", total=len(pairs), many=MANY)
    for start, part in zip(starts, parts, strict=True):
        pictures[start : start + CHUNK] = part
    return torch.from_numpy(pictures).flatten(0, 1)


def draw_chunk(parents: np.ndarray, shares: list[float]) -> np.ndarray:
    """Return the hybrids of some pairs (n, 2, 3, S, S), uint8 (n, STEPS, 3, S, S)."""
    parents = np.ascontiguousarray(parents.transpose(0, 1, 3, 4, 2))
    rows = [[hybrid(a, b, share) for share in shares] for a, b in parents]
    return np.array(rows).transpose(0, 1, 4, 2, 3)


def mixtures(hybrids: Hybrids, which: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Return some hybrids, and the mixtures of their parents' posteriors that decode to them.

    Parameters
    ----------
    hybrids : Hybrids
        With posteriors.
    which : Tensor, shape (n,), int64, in [0, P * STEPS)

    Returns
    -------
    x : Tensor, shape (n, 3, S, S), float32, in [0, 1]
    posterior : (mu, logvar), each of shape (n, latent_size)
    """
    first, second = hybrids.pairs[which // STEPS].T
    t = shares().to(which.device)[which % STEPS, None]  # (n, 1)
    mu, logvar = ((1 - t) * part[first] + t * part[second] for part in hybrids.posteriors)
    return to_float(hybrids.pictures[which]), (mu, logvar)


def with_hybrids(
    x: Tensor, order: Tensor, hybrids: Hybrids, which: Tensor
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Return a batch of sprites and hybrids, and the posteriors that it is decoded from."""
    more, mixed = mixtures(hybrids, which)
    known = (part[order] for part in hybrids.posteriors)
    mu, logvar = (torch.cat(parts) for parts in zip(known, mixed, strict=True))
    return torch.cat([x, more]), (mu, logvar)
