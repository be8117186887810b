"""Starts that save most of training: the encoder is a PCA, and the last layer is solved for.

    start_as_pca(model, sprites, noise_variance=1 / 20)  # main.py --init pca
    start_solved(model, sprites, seed=41)  # --init solve

Encoder: a pair of ReLUs carries a number, because relu(a) - relu(-a) = a. So the first
2 * latent_size units of each hidden layer carry the principal components; all others stay random.

Decoder: random hidden layers are a rich basis (Rahimi and Recht 2008, "Random Features for
Large-Scale Kernel Machines"; Huang et al. 2006, "Extreme Learning Machine"), and the logits
W f + b of the pixels are linear in the last hidden layer f. So W and b come from ridge regression
to the true logits t, summed over sprites and draws of z:

    minimise  sum |W f + b - t|^2 + ridge |W|^2    =>    (W, b)^T = (sum F F^T + R)^-1 sum F t^T

with F = (f, 1), and R = ridge * I but 0 for the bias. Several draws of z with a small constant
sigma for each sprite keep the fit from hanging on the exact mean. About hidden_size sprites fit.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from model import VAE, linear_layers
from utils.training.draws import SOLVE

MAX_SPRITES = 4096  # that components are computed from; larger sets are thinned evenly
LEAST_VARIANCE = 1e-3  # of a component, squared pixel values: less is invisible, or rounding
LEAST_NOISE = 1e-4  # variance; without noise a posterior would have no logarithm
WHITENESS = 0.05  # a pixel is taken to be this far from black and white, where logits are infinite
SIGMA = 0.015  # standard deviation of z; this and the next three by a grid: benchmarks/README.md
DRAWS = 8  # of z for each sprite, besides its mean
RIDGE = 1e-5  # of the mean of the diagonal of sum F F^T
MARGIN = 0.005  # from black and white, as WHITENESS: 1.3 grey levels
BLOCK = 512  # sprites whose features are in memory at once


@torch.no_grad()
def start_as_pca(model: VAE, sprites: Tensor, noise_variance: float) -> None:
    """Let the encoder compute the posterior of probabilistic PCA, and the decoder invert it.

    Parameters
    ----------
    model : VAE
        After `model.initialize_from_data`, on the CPU: every device starts alike. Changed in place.
    sprites : Tensor, shape (N, 3, S, S), uint8
        The training sprites, on any device.
    noise_variance : float
        Of the decoder: kl_weight / (2 * recon_weight).
    """
    x, mu = encode_as_pca(model, sprites, max(noise_variance, LEAST_NOISE))
    size, pair = mu.shape[1], 2 * mu.shape[1]
    first, *middle, last = linear_layers(model.decoder)
    first.weight[:pair] = 0
    first.weight[:pair, :size] = torch.cat([torch.eye(size), -torch.eye(size)])
    pass_on(middle, pair)
    logits = torch.logit(x.clamp(WHITENESS, 1 - WHITENESS))
    solution = torch.linalg.lstsq(pad(mu, (0, 1), value=1.0), logits).solution
    last.weight[:, :pair] = torch.cat([solution[:size], -solution[:size]]).T
    last.bias.copy_(solution[size])


@torch.no_grad()
def start_solved(model: VAE, sprites: Tensor, seed: int) -> None:
    """Let the encoder whiten the components, and solve for the last layer; see `start_as_pca`."""
    model.encoder[-1].weight.zero_()  # the random units do not contribute yet
    model.encoder[-1].bias[model.latent_size :] = 2 * np.log(SIGMA)
    encode_as_pca(model, sprites, None)
    rng = np.random.default_rng((seed, *SOLVE))  # the same numbers for blocks of any length
    gram = products = 0
    for block in sprites.split(BLOCK):
        x = block.flatten(1).cpu().float() / 255  # (B, values)
        mu, logvar = model.encode(x)
        eps = torch.from_numpy(rng.standard_normal((len(x), 1 + DRAWS, mu.shape[1]), np.float32))
        eps[:, 0] = 0  # the mean
        z = model.reparameterize(mu[:, None], logvar[:, None], eps)  # (B, 1 + DRAWS, latent_size)
        f = pad(model.decoder[:-1](z), (0, 1), value=1.0).double()
        gram = gram + f.flatten(0, 1).T @ f.flatten(0, 1)
        products = products + f.sum(1).T @ torch.logit(x.clamp(MARGIN, 1 - MARGIN)).double()
    gram.diagonal()[:-1] += RIDGE * gram.diagonal().mean()
    solution = torch.cholesky_solve(products, torch.linalg.cholesky(gram)).float()
    model.decoder[-1].weight.copy_(solution[:-1].T)
    model.decoder[-1].bias.copy_(solution[-1])


def encode_as_pca(model: VAE, sprites: Tensor, noise: float | None) -> tuple[Tensor, Tensor]:
    """Let the encoder compute components; return x (n, values) and the means of z (n, size).

    The posterior of a component of variance v under noise of variance s has the precision
    1 + v / s (without `noise` SIGMA^-2), and a mean shrunk by v / (v + s) (Tipping and Bishop
    1999, "Probabilistic Principal Component Analysis", with the data's variance as the signal's).
    """
    x = sprites[:: -(-len(sprites) // MAX_SPRITES)].flatten(1).cpu().float() / 255
    # Few sprites have fewer components, narrow layers carry fewer.
    size = min(model.latent_size, model.hidden_size // 2, *(side - 1 for side in x.shape))
    if size < model.latent_size:
        print(
            f"PCA start: {size} components for {model.latent_size} latents, as the sprites or half "
            "of --hidden_size allow no more; the other latents carry nothing."
        )
    pair, mean = 2 * size, x.mean(0)
    # Eight more components than are taken, and eight rounds, for the last ones to come out well.
    _, singular, components = torch.pca_lowrank(x, min(size + 8, *x.shape), niter=8)
    variance = (singular[:size].square() / len(x)).clamp(min=LEAST_VARIANCE)
    precision = 1 + variance / noise if noise else torch.full_like(variance, SIGMA**-2)
    to_mu = components[:, :size].T * ((1 - 1 / precision) / variance.sqrt())[:, None]
    first, *middle, last = linear_layers(model.encoder)
    first.weight[:pair] = torch.cat([to_mu, -to_mu])
    first.bias[:pair] = -torch.cat([to_mu, -to_mu]) @ mean
    pass_on(middle, pair)
    last.weight[:, :pair] = 0
    last.weight[:size, :pair] = torch.cat([torch.eye(size), -torch.eye(size)], 1)
    last.bias[model.latent_size : model.latent_size + size] = -precision.log()  # the log variance
    return x, (x - mean) @ to_mu.T


def pass_on(layers: list, pair: int) -> None:
    """Let the first units of each layer, and no others, copy those of the layer before."""
    for layer in layers:
        layer.weight[:pair] = 0
        layer.weight[:pair, :pair] = torch.eye(pair)
        layer.weight[pair:, :pair] = 0
