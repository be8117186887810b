"""The one source of randomness in training: the draws of an epoch depend on (seed, epoch) alone.

So any epoch can be repeated by itself, and a resumed run needs no generator state.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

# Streams of random numbers besides those of the epochs: no epoch has three numbers.
HELD_OUT, PRIOR, SAMPLER, SOLVE, HYBRIDS = ((0, stream) for stream in (1, 2, 3, 4, 5))

PARENTS = 10 * (2,) + (3, 4)  # of hybrids, at most: ten of twelve have two
PARTS = 8  # of a hybrid, each of one parent
EQUAL = 0.25  # of hybrids: all parents have parts of one size, besides those that do by chance


def epoch_draws(
    seed: int,
    epoch: int,
    *,
    num_sprites: int,
    batch_size: int,
    latent_size: int,
    num_uniforms: int = 0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return which sprites make the batches of an epoch, their noise and their augmentation.

    The uniforms are drawn last, so that the rest is the same with and without them.

    An epoch has ``max(1, num_sprites // batch_size)`` batches of one size; the rest of the
    permutation is dropped. A set smaller than a batch makes one batch of its own size.

    Parameters
    ----------
    seed, epoch : int
        Not negative.
    num_sprites, batch_size, latent_size : int
    num_uniforms : int
        Random numbers that augmenting a sprite takes; 0 without augmentation.

    Returns
    -------
    order : Tensor, shape (steps, B), int64, in [0, num_sprites)
    eps : Tensor, shape (steps, B, latent_size), float32, from N(0, I)
    uniforms : Tensor, shape (steps, B, num_uniforms), float32, in [0, 1)
    """
    generator = np.random.default_rng((seed, epoch))
    batch_size = min(batch_size, num_sprites)
    steps = num_sprites // batch_size
    order = generator.permutation(num_sprites)[: steps * batch_size]
    eps = generator.standard_normal((steps, batch_size, latent_size), dtype=np.float32)
    uniforms = generator.random((steps, batch_size, num_uniforms), dtype=np.float32)
    order = torch.from_numpy(order).view(steps, batch_size)
    return order, torch.from_numpy(eps), torch.from_numpy(uniforms)


class HybridDraws(NamedTuple):
    """What makes hybrids, of leading shape (...)."""

    first: Tensor  # (...), int64, in [0, num_sprites): one parent
    others: Tensor  # (..., 3), int64, in [0, num_near): which of those near it are the others
    weights: Tensor  # (..., 4), float32: of the parents, in eighths or equal, of sum 1


def hybrid_draws(
    seed: int,
    epoch: int,
    *,
    shape: tuple[int, ...],
    near: tuple[int, int],
    latent_size: int,
) -> tuple[HybridDraws, Tensor]:
    """Return which hybrids go into the batches of an epoch, and their noise.

    The weight is dealt out in eighths (`PARTS`), each to one of two to four parents; or, in a share
    of `EQUAL`, all parents have the same weight, because halves are sampled, and equal parts are
    the furthest from any sprite.

    Parameters
    ----------
    seed, epoch : int
        Not negative.
    shape : tuple
        How many: for training (steps, count), the batches of the epoch and the hybrids in each.
    near : (num_sprites, num_near)
        Training sprites, and those near each.
    latent_size : int

    Returns
    -------
    draws : HybridDraws, of leading shape `shape`
    eps : Tensor, shape (*shape, latent_size), float32, from N(0, I)
    """
    generator = np.random.default_rng((seed, epoch, *HYBRIDS))
    most = max(PARENTS)
    first = generator.integers(near[0], size=shape)
    others = generator.integers(near[1], size=(*shape, most - 1))
    number = generator.choice(PARENTS, size=(*shape, 1))
    parents = generator.integers(number, size=(*shape, PARTS))  # of each part
    weights = (parents[..., None] == np.arange(most)).mean(-2, dtype=np.float32)
    equal = (np.arange(most) < number) / number.astype(np.float32)
    weights = np.where(generator.random((*shape, 1)) < EQUAL, equal, weights)
    eps = generator.standard_normal((*shape, latent_size), dtype=np.float32)
    return HybridDraws(*map(torch.from_numpy, (first, others, weights))), torch.from_numpy(eps)


def held_out_noise(seed: int, num_sprites: int, latent_size: int) -> Tensor:
    """Return the noise for the losses of held-out sprites, the same in every epoch of a run.

    Returns
    -------
    eps : Tensor, shape (num_sprites, latent_size), float32, from N(0, I)
    """
    generator = np.random.default_rng((seed, *HELD_OUT))
    return torch.from_numpy(generator.standard_normal((num_sprites, latent_size), np.float32))


def prior_noise(seed: int, num_samples: int, latent_size: int) -> Tensor:
    """Return latents from the prior N(0, I), float32 (num_samples, latent_size)."""
    generator = np.random.default_rng((seed, *PRIOR))
    return torch.from_numpy(generator.standard_normal((num_samples, latent_size), np.float32))
