"""All figures of reconstructions in one report, beside the baselines, and as a Markdown table.

report = measure(model, {"training": train_sprites, "held out": val_sprites}, ...)
print(markdown(report))
"""

import numpy as np
from torch import Tensor

from model import VAE
from utils.measures import sample_metrics as sm
from utils.measures.baselines import baseline_errors
from utils.measures.bounds import elbo, importance_weighted_bound, sprite_losses
from utils.measures.metrics import sprite_ssim
from utils.training.draws import held_out_noise
from utils.training.engine import psnr

MAX_BOUND_SPRITES = 100  # of which the importance-weighted bound is taken: 0.2 s each
SHOWN = ("sse", "mse", "psnr", "ssim", "loss", "elbo", "iw_bound")
DIGITS = {"mse": 4, "ssim": 3, "loss": 0, "elbo": 0, "iw_bound": 0}


def measure(
    model: VAE, parts: dict[str, Tensor], *, recon_weight: float = 10.0, seed: int = 41
) -> dict[str, dict]:
    """Return what is measured of the reconstructions of each part.

    Parameters
    ----------
    model : VAE
    parts : dict
        From a name to sprites, shape (N, 3, S, S), uint8; the training sprites first.
    recon_weight : float
        Of the squared error, beside a KL of weight 1.
    seed : int
        Of the noise of z, as in the losses of training.

    Returns
    -------
    dict
        For each part, as [value, low, high] with a 95 % bootstrap interval over sprites: ``sse``,
        ``mse``, ``psnr`` (dB) and ``ssim`` from the mean, z = mu; ``loss`` (recon_weight * SSE +
        KL), ``elbo`` and ``iw_bound`` (nats) with z drawn; the last of held-out sprites alone, at
        most `MAX_BOUND_SPRITES`. And ``sse``, ``mse`` and ``psnr`` of each baseline on the last
        part.
    """
    report = {}
    for part, sprites in parts.items():
        num_values = sprites[0].numel()
        sse, _ = sprite_losses(model, sprites)
        eps = held_out_noise(seed, len(sprites), model.latent_size)
        drawn, kl = sprite_losses(model, sprites, eps)
        report[part] = {"sprites": len(sprites), **errors(sse, num_values)}
        ssim = sprite_ssim(model, sprites)
        if ssim is not None:
            report[part]["ssim"] = with_interval(ssim)
        report[part]["loss"] = with_interval(recon_weight * drawn + kl)
        report[part]["elbo"] = with_interval(elbo(drawn, kl, num_values, recon_weight))
    if len(parts) > 1:
        step = -(-len(sprites) // MAX_BOUND_SPRITES)
        bound = importance_weighted_bound(model, sprites[::step], recon_weight)
        report[part]["iw_bound"] = with_interval(bound)
        train_sprites = next(iter(parts.values()))
        baselines = baseline_errors(train_sprites, sprites, (model.latent_size,))
        for name, (_, sse) in baselines.items():
            report[f"{name}, {part}"] = {"sprites": len(sprites), **errors(sse, num_values)}
    return report


def errors(sse: Tensor, num_values: int) -> dict[str, list[float]]:
    """Return the squared errors of sprites (N,) as SSE, MSE and PSNR, each with its interval."""
    low_to_high = with_interval(sse)
    mse = [value / num_values for value in low_to_high]
    decibels = [psnr(value) for value in mse]
    return {
        "sse": low_to_high,
        "mse": mse,
        "psnr": [decibels[0], *sorted(decibels[1:])],
    }


def with_interval(values: Tensor | np.ndarray) -> list[float]:
    """Return the mean over sprites, and the ends of its bootstrap interval."""
    return sm.with_interval(np.mean, np.asarray(values, np.float64))


def markdown(report: dict[str, dict], recon_weight: float = 10.0) -> str:
    """Return a report as a Markdown table, one line a part or baseline."""
    headings = ("SSE", "MSE", "PSNR, dB", "SSIM", f"{recon_weight:g} SSE + KL", "ELBO, nats")
    headings += ("IW bound, nats",)
    lines = [
        "| | sprites | " + " | ".join(headings) + " |",
        "| --- " * (len(headings) + 2) + "|",
    ]
    for name, found in report.items():
        cells = [cell(key, found.get(key)) for key in SHOWN]
        lines.append(f"| {name} | {found['sprites']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def cell(key: str, value: list[float] | None) -> str:
    """Return a figure as text, with its interval where readers look first."""
    if value is None:
        return ""
    digits = DIGITS.get(key, 2)
    text = f"{value[0]:.{digits}f}"
    if key in ("sse", "loss"):
        text += f" ({value[1]:.{digits}f} to {value[2]:.{digits}f})"
    return text
