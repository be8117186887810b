"""What the decoder is taught between sprites: hybrids of near ones, put together by code.

    taught = taught_hybrids(sprites, groups)
    taught = taught._replace(posteriors=encode(model, sprites))
    x, (mu, logvar) = mixtures(sprites, taught, draws)  # of some of them

A squared error knows no answer between sprites but a cross-fade, and training never decodes a
latent there. So `--hybrids` shows the decoder z = sum of w_k mu_k + sigma * eps together with the
hybrid of the sprites k in the proportions w (utils/sprites/hybrid.py): of a sprite and one to three
of those near it. The encoder keeps its start: were it trained, the space between sprites would
change under what was taught there.
"""

import hashlib
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from utils.cli import InputError
from utils.data_utils import to_float
from utils.sprites.hybrid import hybrids, layouts
from utils.sprites.near import nearest_others, pairs_among
from utils.training.draws import HybridDraws

NEAR = 400  # nearest creatures that a sprite is mixed with
NEAREST = 200  # of these, with which its pairs are sampled and measured
RULE = f"bands of {NEAR} near, the furthest from the mean on top"  # change it with what is taught
LEFT_OUT = 10  # one of so many pairs is not taught, to measure what was not


class Hybrids(NamedTuple):
    """What hybrids are made of, on the device of the model."""

    pairs: Tensor  # (P, 2), int64: the nearest of those that are taught, each once
    near: Tensor  # (N, K), int64: sprites that each is mixed with; itself, where a pair is left out
    layout: Tensor  # (N, 3): see `layouts`
    posteriors: tuple[Tensor, Tensor] | None = None  # mu and logvar (N, d) of all training sprites


def taught_hybrids(sprites: Tensor, groups: np.ndarray) -> Hybrids:
    """Return the hybrids that a run teaches, on the device of its sprites; says how many pairs.

    Parameters
    ----------
    sprites : Tensor, shape (N, 3, S, S), uint8
        The training sprites.
    groups : ndarray, shape (N,), int
        The creature that each of them shows.

    Raises
    ------
    ValueError
        If there is no pair of two creatures.
    """
    near = nearest_others(sprites.cpu().numpy(), groups, NEAR)
    taught, left_out = divided(pairs_among(near))
    if not len(taught):
        raise InputError(
            "--hybrids needs two creatures to train on, and there is no pair to teach: sprites "
            "whose names begin with one number are one creature; add others, or drop --hybrids"
        )
    print(
        f"Hybrids of near sprites, put together by code. Pairs: {len(taught):,} to teach, threes "
        f"and fours besides; {len(left_out):,} left out, to measure what was not taught."
    )
    pairs, _ = divided(pairs_among(near[:, :NEAREST]))
    own = np.arange(len(near))[:, None]
    near = np.where(is_left_out(own, near), own, near)
    pairs, near = (torch.from_numpy(part).to(sprites.device) for part in (pairs, near))
    return Hybrids(pairs, near, layouts(sprites))


def is_left_out(i: Tensor | np.ndarray, j: Tensor | np.ndarray) -> Tensor | np.ndarray:
    """Return whether pairs of training sprites are not taught: their indices say so alone.

    A sprite and itself never are, because `LEFT_OUT` is even.
    """
    return (i + j) % LEFT_OUT == LEFT_OUT - 1


def divided(pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs (P, 2) of training sprites that are taught, and those that are left out."""
    left_out = is_left_out(*pairs.T)
    return pairs[~left_out], pairs[left_out]


def hybrid_pairs(pixels: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest pairs of those whose hybrids are taught, and of those that are left out.

    Parameters are those of `taught_hybrids`, as arrays. Two arrays (P, 2) and (Q, 2), int, empty if
    there is only one creature.
    """
    return divided(pairs_among(nearest_others(pixels, groups, NEAREST)))


def digest_of(pairs: np.ndarray) -> str:
    """Return a digest of pairs (P, 2) and of what is taught of them: other versions differ."""
    return hashlib.sha256(RULE.encode() + pairs.astype("<i8").tobytes()).hexdigest()


def parents_of(taught: Hybrids, draws: HybridDraws) -> Tensor:
    """Return the parents of hybrids, int64 (n, 4): no two of them are a pair that is left out."""
    first = draws.first[:, None]
    parents = torch.cat([first, taught.near[first, draws.others]], dim=1)
    for k in range(2, parents.shape[1]):  # `near` has none that is left out with the first
        clash = is_left_out(parents[:, 1:k], parents[:, k : k + 1]).any(1)
        parents[:, k] = torch.where(clash, draws.first, parents[:, k])
    return parents


def mixtures(
    sprites: Tensor, taught: Hybrids, draws: HybridDraws
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Return some hybrids, and the mixtures of their parents' posteriors that decode to them.

    Parameters
    ----------
    sprites : Tensor, shape (N, 3, S, S), uint8
        The training sprites.
    taught : Hybrids
        With posteriors.
    draws : HybridDraws, of leading shape (n,)

    Returns
    -------
    x : Tensor, shape (n, 3, S, S), float32, in [0, 1]
    posterior : (mu, logvar), each of shape (n, latent_size)
    """
    parents = parents_of(taught, draws)
    x = to_float(hybrids(sprites, taught.layout, parents, draws.weights))
    weights = draws.weights[..., None]
    mu, logvar = ((weights * part[parents]).sum(1) for part in taught.posteriors)
    return x, (mu, logvar)


def with_hybrids(
    x: Tensor, order: Tensor, sprites: Tensor, taught: Hybrids, draws: HybridDraws
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Return a batch of sprites and hybrids, and the posteriors that it is decoded from."""
    more, mixed = mixtures(sprites, taught, draws)
    known = (part[order] for part in taught.posteriors)
    mu, logvar = (torch.cat(parts) for parts in zip(known, mixed, strict=True))
    return torch.cat([x, more]), (mu, logvar)
