"""A start from which training need not find the main directions first: the network computes a PCA.

    initialize_from_data(model, sprites)
    start_as_pca(model, sprites, noise_variance=1 / 20)

A pair of ReLUs carries a number, since relu(a) - relu(-a) = a. So the first 2 * latent_size units
of each hidden layer carry the latents, and all others start as they were, at work on what a linear
map cannot do. `main.py --init pca`.
"""

import torch
from torch import Tensor

from model import VAE, linear_layers

MAX_SPRITES = 4096  # that the components are of; of more, every second, third, ...
LEAST_NOISE = 1e-4  # variance; without noise a posterior would have no logarithm
WHITENESS = 0.05  # a pixel is taken to be this far from black and white, where logits are infinite


@torch.no_grad()
def start_as_pca(model: VAE, sprites: Tensor, noise_variance: float) -> None:
    """Let the encoder compute the posterior of probabilistic PCA, and the decoder its mean sprite.

    The posterior of a component of variance v under noise of variance s has the variance
    1 / (1 + v / s), and a mean that is as much nearer to 0 than the component (Tipping and Bishop
    1999, "Probabilistic Principal Component Analysis", in units of the prior). The decoder's last
    layer is the least-squares map from these means to the logits of the pixels.

    Parameters
    ----------
    model : VAE
        After `model.initialize_from_data`; changed in place. All is computed on the CPU, so that
        every device starts alike.
    sprites : Tensor, shape (N, 3, S, S), uint8
        The training sprites, on any device.
    noise_variance : float
        Of the decoder: kl_weight / (2 * recon_weight).
    """
    x = sprites[:: -(-len(sprites) // MAX_SPRITES)].flatten(1).cpu().float() / 255
    # Few sprites have fewer components, and narrow layers carry fewer: other latents start as is.
    size = min(model.latent_size, model.hidden_size // 2, *(side - 1 for side in x.shape))
    pair = 2 * size
    mean = x.mean(0)
    # A few more components than are taken, and a few rounds: the last ones come out well, too.
    _, singular, components = torch.pca_lowrank(x, min(size + 8, *x.shape), niter=8)
    components, variance = components[:, :size], singular[:size].square() / len(x)
    variance.clamp_(min=1e-6)
    precision = 1 + variance / max(noise_variance, LEAST_NOISE)
    to_mu = components.T * ((1 - 1 / precision) / variance.sqrt())[:, None]
    identity = torch.eye(size)

    first, *middle, last = linear_layers(model.encoder)
    first.weight[:pair] = torch.cat([to_mu, -to_mu])
    first.bias[:pair] = -torch.cat([to_mu, -to_mu]) @ mean
    last.weight[:, :pair] = 0
    last.weight[:size, :pair] = torch.cat([identity, -identity], 1)
    last.bias[model.latent_size : model.latent_size + size] = -precision.log()  # the log variance

    start, *more, to_pixels = linear_layers(model.decoder)
    start.weight[:pair] = 0
    start.weight[:pair, :size] = torch.cat([identity, -identity])
    for layer in middle + more:
        layer.weight[:pair] = 0
        layer.weight[:pair, :pair] = torch.eye(pair)
        layer.weight[pair:, :pair] = 0
    logits = torch.logit(x.clamp(WHITENESS, 1 - WHITENESS))
    mu = (x - mean) @ to_mu.T
    solution = torch.linalg.lstsq(torch.cat([mu, mu.new_ones(len(mu), 1)], 1), logits).solution
    to_pixels.weight[:, :pair] = torch.cat([solution[:size], -solution[:size]]).T
    to_pixels.bias.copy_(solution[size])
