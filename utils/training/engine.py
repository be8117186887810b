"""Training and evaluation: one step, the loop over epochs, and the loss on sprites at rest.

Nothing here knows of files or the console, and nothing waits for the device: losses stay tensors
on it until whoever receives a report reads them.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from model import VAE, vae_loss
from utils.data_utils import to_float
from utils.training.augment import NUM_UNIFORMS
from utils.training.device import autocast, products_in
from utils.training.draws import epoch_draws, held_out_noise

EVAL_BATCH = 256  # sprites encoded at once: 5 MB as float32 at 40x40


@dataclass
class Progress:
    """How far a run has come; with the state dicts of what is trained, all that it is."""

    epoch: int = 0  # that goes on
    step: int = 0  # the next one of it
    totals: Tensor | None = None  # sums of `loss_vector` over its steps so far


class Report(NamedTuple):
    """What an epoch yields. ``train`` and ``val`` are laid out as `loss_vector` says."""

    epoch: int
    lr: float
    train: Tensor
    val: Tensor
    num_sprites: int  # trained on in this epoch


def loss_vector(loss: Tensor, recon_error: Tensor, kl: Tensor) -> Tensor:
    """Return loss, squared error and the KL of each dimension as one tensor (2 + latent_size,)."""
    return torch.cat([loss.reshape(1), recon_error.reshape(1), kl])


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor of the CPU on a device, without waiting for what the device is doing."""
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def train_step(
    model: VAE,
    optimizer: torch.optim.Optimizer,
    x: Tensor,
    eps: Tensor,
    *,
    recon_weight: float,
    kl_weight: float,
    precision: str = "fp32",
) -> Tensor:
    """Take one step of the optimiser on one batch.

    Parameters
    ----------
    model : VAE
    optimizer : torch.optim.Optimizer
    x : Tensor, shape (B, 3, S, S), float32, in [0, 1]
    eps : Tensor, shape (B, latent_size)
        Noise from N(0, I).
    recon_weight, kl_weight : float
    precision : "fp32", "tf32" or "bf16"
        Of the matrix products alone; weights, losses and the optimiser's state stay fp32.

    Returns
    -------
    Tensor, shape (2 + latent_size,)
        `loss_vector` of the batch, before the step, on the device.
    """
    optimizer.zero_grad(set_to_none=True)
    with products_in(precision, x.device.type):
        with autocast(precision, x.device.type):
            recon, mu, logvar = model(x, eps)
        loss, recon_error, kl = vae_loss(recon, x, mu, logvar, recon_weight, kl_weight)
        loss.backward()
    optimizer.step()
    return loss_vector(loss.detach(), recon_error.detach(), kl.detach())


def new_optimizer(model: VAE, lr: float = 5e-4, weight_decay: float = 0.0) -> torch.optim.Adam:
    """Return Adam for all weights of a model, in one kernel where the device has one.

    The weight decay is that of AdamW: each step takes lr * weight_decay of the weights away.
    """
    return torch.optim.Adam(
        model.parameters(),
        lr=lr,
        weight_decay=weight_decay,
        decoupled_weight_decay=True,
        fused=next(model.parameters()).device.type in ("cpu", "cuda"),
    )


def train(
    model: VAE,
    optimizer: torch.optim.Optimizer,
    train_sprites: Tensor,
    val_sprites: Tensor,
    *,
    epochs: int,
    batch_size: int,
    schedule: Callable[[int], float],
    seed: int,
    recon_weight: float,
    kl_weight: float,
    precision: str = "fp32",
    progress: Progress | None = None,
    augment: Callable[[Tensor, Tensor, float], Tensor] | None = None,
    average: VAE | None = None,
    decay: float = 0.0,
    take_step: Callable[..., Tensor] = train_step,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[Report]:
    """Train, and yield a report after each epoch.

    Parameters
    ----------
    model : VAE
    optimizer : torch.optim.Optimizer
    train_sprites, val_sprites : Tensor, shape (N, 3, S, S), uint8
        On the device of the model.
    epochs, batch_size : int
    schedule : callable
        From an epoch to its learning rate.
    seed : int
        Of the permutations and the noise.
    recon_weight, kl_weight : float
    precision : str
        See `train_step`.
    progress : Progress, optional
        Where to begin, kept up to date in place; from the start if left out.
    augment : callable, optional
        From a batch (B, 3, S, S), float32 in [0, 1], its uniforms, and the share of the run that
        is done, to the batch that is trained on; see utils/training/augment.py.
    average : VAE, optional
        A copy of the model that becomes the running average of its weights.
    decay : float
        Of the average, a step, in [0, 1).
    take_step : callable
        `train_step`, or another way to do what it does.
    should_stop : callable
        Asked before each step; training ends, without a report, when it returns true.

    Yields
    ------
    Report
        Train losses are means over the epoch's batches as the weights went by; held-out losses
        are those of the weights at its end (of their average, where there is one), with z drawn
        once as in training.
    """
    device = train_sprites.device
    weights = {"recon_weight": recon_weight, "kl_weight": kl_weight}
    val_eps = held_out_noise(seed, len(val_sprites), model.latent_size).to(device)

    progress = progress or Progress()
    while progress.epoch < epochs:
        epoch = progress.epoch
        lr = schedule(epoch)
        for group in optimizer.param_groups:
            group["lr"] = torch.tensor(lr).item()  # fp32, as a CUDA graph holds it
        order, eps, uniforms = epoch_draws(
            seed,
            epoch,
            num_sprites=len(train_sprites),
            batch_size=batch_size,
            latent_size=model.latent_size,
            num_uniforms=NUM_UNIFORMS if augment else 0,
        )
        order, eps, uniforms = (to_device(draws, device) for draws in (order, eps, uniforms))

        if progress.totals is None:
            progress.totals = torch.zeros(2 + model.latent_size, device=device)
        progress.totals = progress.totals.to(device)  # of a state that was read
        for step in range(progress.step, len(order)):
            if should_stop():
                return
            x = to_float(train_sprites[order[step]])
            if augment:
                x = augment(x, uniforms[step], epoch / epochs)
            losses = take_step(model, optimizer, x, eps[step], **weights, precision=precision)
            progress.totals += losses
            progress.step = step + 1
            if average:
                update_average(average, model, decay, epoch * len(order) + step + 1)

        val = evaluate(average or model, val_sprites, val_eps, **weights)
        report = Report(epoch, lr, progress.totals / len(order), val, order.numel())
        progress.epoch, progress.step, progress.totals = epoch + 1, 0, None
        yield report


@torch.no_grad()
def update_average(average: VAE, model: VAE, decay: float, step: int) -> None:
    """Take the weights after a step, counted from 1, into their running average.

        average = d * average + (1 - d) * weights, with d = min(decay, (1 + step) / (10 + step))

    The second bound forgets the start: early on it is an average over about a tenth of the run.
    """
    decay = min(decay, (1 + step) / (10 + step))
    torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1 - decay)


@torch.no_grad()
def evaluate(
    model: VAE,
    sprites: Tensor,
    eps: Tensor | None = None,
    *,
    recon_weight: float = 10.0,
    kl_weight: float = 1.0,
) -> Tensor:
    """Return the `loss_vector` of all sprites, with the weights as they are.

    Parameters
    ----------
    model : VAE
    sprites : Tensor, shape (N, 3, S, S), uint8
        On the device of the model.
    eps : Tensor, shape (N, latent_size), optional
        Noise from N(0, I); left out, sprites are reconstructed from their mean, z = mu.
    recon_weight, kl_weight : float

    Returns
    -------
    Tensor, shape (2 + latent_size,), on the device
    """
    total = torch.zeros(2 + model.latent_size, device=sprites.device)
    for start in range(0, len(sprites), EVAL_BATCH):
        x = to_float(sprites[start : start + EVAL_BATCH])
        mu, logvar = model.encode(x)
        z = mu
        if eps is not None:
            z = model.reparameterize(mu, logvar, eps[start : start + EVAL_BATCH])
        losses = vae_loss(model.decode(z), x, mu, logvar, recon_weight, kl_weight)
        total += loss_vector(*losses) * len(x)
    return total / len(sprites)


@torch.no_grad()
def reconstruct(model: VAE, sprites: Tensor) -> Tensor:
    """Return the reconstructions of uint8 sprites from their mean, z = mu, float in [0, 1]."""
    mu, _ = model.encode(to_float(sprites))
    return model.decode(mu)


@torch.no_grad()
def decode(model: VAE, z: Tensor) -> Tensor:
    """Return the decoded latents, float in [0, 1], without a graph for gradients."""
    return model.decode(z)


def psnr(mse: float) -> float:
    """Return the peak signal-to-noise ratio in dB of a mean squared error of values in [0, 1]."""
    return -10 * math.log10(max(mse, 1e-12))
