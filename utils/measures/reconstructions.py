"""How good reconstructions are: errors, bounds of the likelihood, and baselines to compare with.

    measured = measure(model, {"training": train_sprites, "held out": val_sprites})
    print(table(measured))

With a weight w of the squared error and a KL of weight 1 the decoder is p(x | z) = N(recon, I/2w);
see `model.vae_loss`.
"""

import math

import numpy as np
import torch
from skimage.metrics import structural_similarity
from torch import Tensor

from model import VAE, kl_divergence
from utils.data_utils import to_float
from utils.measures.intervals import cell, markdown, mean_with_interval
from utils.training.draws import held_out_noise
from utils.training.engine import encode, evaluate, psnr, reconstruct

SSIM_WINDOW = 11  # pixels
BLOCK = 100  # sprites or latents decoded at once
IW_DRAWS = 1000  # latents per sprite for the importance-weighted bound
MAX_IW_SPRITES = 100  # sprites it is computed for, at 0.2 s each
ACTIVE_VARIANCE = 0.01  # of mu over sprites, above which a latent dimension is active

COLUMNS = {  # of the table: heading and decimals
    "sse": ("SSE", 2),
    "mse": ("MSE", 4),
    "psnr": ("PSNR, dB", 2),
    "ssim": ("SSIM", 3),
    "loss": ("{weight:g} SSE + KL", 0),
    "elbo": ("ELBO, nats", 0),
    "iw_bound": ("IW bound, nats", 0),
}


def reconstruction_metrics(
    model: VAE, sprites: Tensor, *, ssim: bool = True
) -> dict[str, float | None]:
    """Return SSE, MSE, PSNR (dB) and SSIM of reconstructions from the mean, z = mu.

    SSIM takes a millisecond per sprite; it is None if not asked for, or if the sprites are
    smaller than its window.
    """
    sse = evaluate(model, sprites)[1].item()
    mse = sse / sprites[0].numel()
    similarity = sprite_ssim(model, sprites) if ssim else None
    mean = None if similarity is None else float(similarity.mean())
    return {"sse": sse, "mse": mse, "psnr": psnr(mse), "ssim": mean}


def measure(
    model: VAE, parts: dict[str, Tensor], *, recon_weight: float = 10.0, seed: int = 41
) -> dict[str, dict]:
    """Return the measures of each part's reconstructions, and of baselines on the last part.

    Parameters
    ----------
    model : VAE
    parts : dict
        From a name to sprites, uint8 (N, 3, S, S); the training sprites first.
    recon_weight : float
        Weight of the squared error relative to a KL of weight 1.
    seed : int
        Seed of the noise in z, as in the losses of training.

    Returns
    -------
    dict
        For each part the number of ``sprites`` and, as [value, low, high]: ``sse``, ``mse``,
        ``psnr`` and ``ssim`` from the mean, z = mu; ``loss`` (recon_weight * SSE + KL) and
        ``elbo`` with z sampled; ``iw_bound`` for held-out sprites only.
    """
    measured = {}
    for part, sprites in parts.items():
        num_values = sprites[0].numel()
        eps = held_out_noise(seed, len(sprites), model.latent_size)
        row = {
            "sprites": len(sprites),
            **error_measures(sprite_losses(model, sprites)[0], num_values),
        }
        ssim = sprite_ssim(model, sprites)
        if ssim is not None:
            row["ssim"] = mean_with_interval(ssim)
        sse, kl = sprite_losses(model, sprites, eps)
        row["loss"] = mean_with_interval(recon_weight * sse + kl)
        row["elbo"] = mean_with_interval(elbo(sse, kl, num_values, recon_weight))
        measured[part] = row

    if len(parts) > 1:
        thinned = sprites[:: -(-len(sprites) // MAX_IW_SPRITES)]
        bound = importance_weighted_bound(model, thinned, recon_weight)
        measured[part]["iw_bound"] = mean_with_interval(bound)
        train_sprites = next(iter(parts.values()))
        baselines = baseline_errors(train_sprites, sprites, (model.latent_size,))
        for name, (_, sse) in baselines.items():
            row = {"sprites": len(sprites), **error_measures(sse, num_values)}
            measured[f"{name}, {part}"] = row
    return measured


def error_measures(sse: Tensor, num_values: int) -> dict[str, list[float]]:
    """Return SSE, MSE and PSNR with their intervals, from the squared error (N,) of each sprite."""
    interval = mean_with_interval(sse)
    mse = [value / num_values for value in interval]
    value, *ends = [psnr(error) for error in mse]
    return {"sse": interval, "mse": mse, "psnr": [value, *sorted(ends)]}


def table(measured: dict[str, dict], recon_weight: float = 10.0) -> str:
    """Return what `measure` returns as a Markdown table, one line per part or baseline."""
    headings = [heading.format(weight=recon_weight) for heading, _ in COLUMNS.values()]
    rows = [
        [name, str(row["sprites"])]
        + [
            cell(row.get(key), digits, key in ("sse", "loss"))
            for key, (_, digits) in COLUMNS.items()
        ]
        for name, row in measured.items()
    ]
    return markdown(["sprites", *headings], rows)


def sprite_ssim(model: VAE, sprites: Tensor) -> np.ndarray | None:
    """Return the SSIM (N,) of each reconstruction, or None if sprites are smaller than its window.

    Wang et al. 2004: single scale, Gaussian window of sigma 1.5.
    """
    if sprites.shape[-1] < SSIM_WINDOW:
        return None
    originals, recons = to_float(sprites).numpy(), reconstruct(model, sprites).numpy()
    similarity = [
        structural_similarity(
            original,
            recon,
            channel_axis=0,
            data_range=1.0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        for original, recon in zip(originals, recons, strict=True)
    ]
    return np.array(similarity)


# ---- bounds of log p(x), in nats per sprite


@torch.no_grad()
def sprite_losses(model: VAE, sprites: Tensor, eps: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return the squared error (SSE) and the KL in nats of each sprite, both (N,).

    `eps` is noise from N(0, I), shape (N, latent_size); without it, z = mu.
    """
    parts = []
    for start in range(0, len(sprites), BLOCK):
        x = to_float(sprites[start : start + BLOCK])
        mu, logvar = model.encode(x)
        z = mu if eps is None else model.reparameterize(mu, logvar, eps[start : start + BLOCK])
        parts.append((squared_error(model.decode(z), x), kl_divergence(mu, logvar).sum(1)))
    sse, kl = map(torch.cat, zip(*parts, strict=True))
    return sse, kl


def squared_error(recon: Tensor, x: Tensor) -> Tensor:
    """Return the squared error of each sprite, summed over its values, (N,)."""
    return (recon - x).square().flatten(1).sum(1)


def log_constant(num_values: int, recon_weight: float) -> float:
    """Return log p(x | z) of a perfect reconstruction: -D/2 log(2 pi sigma^2), in nats."""
    return -0.5 * num_values * math.log(math.pi / recon_weight)


def elbo(sse: Tensor, kl: Tensor, num_values: int, recon_weight: float) -> Tensor:
    """Return the evidence lower bound in nats (Kingma and Welling 2014, equation 3)."""
    return log_constant(num_values, recon_weight) - recon_weight * sse - kl


@torch.no_grad()
def importance_weighted_bound(
    model: VAE, sprites: Tensor, recon_weight: float, draws: int = IW_DRAWS
) -> Tensor:
    """Return log of the mean of p(x, z) / q(z | x) over `draws` latents, (N,), in nats.

    At least the ELBO in expectation, and closer to log p(x) the more latents are drawn (Burda,
    Grosse and Salakhutdinov 2016, "Importance Weighted Autoencoders", equation 8).
    """
    noise = torch.Generator().manual_seed(0)
    bounds = []
    for sprite in sprites:
        x = to_float(sprite)[None]
        mu, logvar = model.encode(x)
        weights = []  # log p(x, z) - log q(z | x)
        for start in range(0, draws, BLOCK):
            count = min(BLOCK, draws - start)
            eps = torch.randn(count, model.latent_size, generator=noise)
            z = model.reparameterize(mu, logvar, eps)
            prior_over_posterior = 0.5 * (eps.square() + logvar - z.square()).sum(1)
            weights.append(prior_over_posterior - recon_weight * squared_error(model.decode(z), x))
        bounds.append(torch.cat(weights).double().logsumexp(0) - math.log(draws))
    return torch.stack(bounds) + log_constant(sprites[0].numel(), recon_weight)


@torch.no_grad()
def active_dimensions(model: VAE, sprites: Tensor) -> list[int]:
    """Return the latent dimensions whose mean varies over sprites (Burda et al. 2016, 5.2)."""
    mu, _ = encode(model, sprites)
    return torch.nonzero(mu.var(0) > ACTIVE_VARIANCE).flatten().tolist()


# ---- baselines: what reconstructs a sprite without learning much


def baseline_errors(
    train_sprites: Tensor, val_sprites: Tensor, components: tuple[int, ...] = (16, 32, 64)
) -> dict[str, tuple[Tensor, Tensor]]:
    """Return the squared errors of the mean sprite, of PCA and of the nearest training sprite.

    All are fitted to the training sprites. The nearest sprite of a training sprite is another
    one.

    Parameters
    ----------
    train_sprites, val_sprites : Tensor, shape (N, 3, S, S), uint8
    components : tuple of int
        Numbers of principal components.

    Returns
    -------
    dict
        From a name to the SSE (N,) of each training and of each held-out sprite.
    """
    train, val = (to_float(sprites).flatten(1) for sprites in (train_sprites, val_sprites))
    mean = train.mean(0)
    _, _, axes = torch.linalg.svd(train - mean, full_matrices=False)  # by falling variance

    errors = {"mean sprite": (squared_error(mean, train), squared_error(mean, val))}
    most = max(min(len(train) - 1, train.shape[1]), 1)  # more components carry nothing
    for count in dict.fromkeys(min(count, most) for count in components):
        basis = axes[:count]
        errors[f"PCA, {count} components"] = tuple(
            squared_error(mean + (x - mean) @ basis.T @ basis, x) for x in (train, val)
        )
    others = torch.cdist(train, train).fill_diagonal_(torch.inf).argmin(1)
    nearest = torch.cdist(val, train).argmin(1)
    errors["nearest training sprite"] = (
        squared_error(train[others], train),
        squared_error(train[nearest], val),
    )
    return errors
