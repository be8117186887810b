"""Bounds of log p(x) in nats a sprite, for the Gaussian decoder that the loss stands for.

    sse, kl = sprite_losses(model, sprites, eps)
    elbo(sse, kl, num_values=4800, recon_weight=10.0)

With a weight w of the squared error and a KL of weight 1 the decoder is p(x | z) = N(recon, I/2w);
see `model.vae_loss`.
"""

import math

import torch
from torch import Tensor

from model import VAE
from utils.data_utils import to_float

DRAWS = 1000  # of the importance-weighted bound
BLOCK = 100  # of them decoded at once, for a few sprites


@torch.no_grad()
def sprite_losses(model: VAE, sprites: Tensor, eps: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return the squared error and the KL of each sprite.

    Parameters
    ----------
    model : VAE
    sprites : Tensor, shape (N, 3, S, S), uint8
    eps : Tensor, shape (N, latent_size), optional
        Noise from N(0, I); left out, sprites are reconstructed from their mean, z = mu.

    Returns
    -------
    sse : Tensor, shape (N,)
        Summed over the values of a sprite.
    kl : Tensor, shape (N,)
        In nats.
    """
    parts = []
    for start in range(0, len(sprites), BLOCK):
        x = to_float(sprites[start : start + BLOCK])
        mu, logvar = model.encode(x)
        z = mu if eps is None else model.reparameterize(mu, logvar, eps[start : start + BLOCK])
        sse = (model.decode(z) - x).square().flatten(1).sum(1)
        parts.append((sse, -0.5 * (1 + logvar - mu.square() - logvar.exp()).sum(1)))
    sse, kl = map(torch.cat, zip(*parts, strict=True))
    return sse, kl


def log_constant(num_values: int, recon_weight: float) -> float:
    """Return log p(x | z) of a sprite that is met exactly: -D/2 log(2 pi sigma^2), in nats."""
    return -0.5 * num_values * math.log(math.pi / recon_weight)


def elbo(sse: Tensor, kl: Tensor, num_values: int, recon_weight: float) -> Tensor:
    """Return the evidence lower bound, in nats (Kingma and Welling 2014, equation 3)."""
    return log_constant(num_values, recon_weight) - recon_weight * sse - kl


@torch.no_grad()
def importance_weighted_bound(
    model: VAE, sprites: Tensor, recon_weight: float, draws: int = DRAWS, seed: int = 0
) -> Tensor:
    """Return log of the mean of p(x, z) / q(z | x) over draws of z, in nats a sprite.

    It is never below the ELBO in the mean, and nears log p(x) with more draws (Burda, Grosse and
    Salakhutdinov 2016, "Importance Weighted Autoencoders", equation 8).

    Parameters
    ----------
    model : VAE
    sprites : Tensor, shape (N, 3, S, S), uint8, on the CPU
    recon_weight : float
    draws : int
    seed : int
        Of the draws.

    Returns
    -------
    Tensor, shape (N,)
    """
    noise = torch.Generator().manual_seed(seed)
    bounds = []
    for sprite in sprites:
        x = to_float(sprite)[None]
        mu, logvar = model.encode(x)
        weights = []  # log p(x, z) - log q(z | x)
        for start in range(0, draws, BLOCK):
            count = min(BLOCK, draws - start)
            eps = torch.randn(count, model.latent_size, generator=noise)
            z = model.reparameterize(mu, logvar, eps)
            sse = (model.decode(z) - x).square().flatten(1).sum(1)
            prior_over_posterior = 0.5 * (eps.square() + logvar - z.square()).sum(1)
            weights.append(prior_over_posterior - recon_weight * sse)
        bounds.append(torch.cat(weights).double().logsumexp(0) - math.log(draws))
    return torch.stack(bounds) + log_constant(sprites[0].numel(), recon_weight)


@torch.no_grad()
def active_dimensions(model: VAE, sprites: Tensor, least: float = 0.01) -> list[int]:
    """Return the latent dimensions whose mean differs between sprites.

    Those with a variance of mu over sprites above `least` (Burda et al. 2016, section 5.2).
    """
    mu = torch.cat([model.encode(to_float(block))[0] for block in sprites.split(1024)])
    return torch.nonzero(mu.var(0) > least).flatten().tolist()
