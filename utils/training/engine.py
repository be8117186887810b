"""Training and evaluation: one step, one epoch, the loop over epochs, and losses without training.

Nothing here touches files or the console, and nothing waits for the device: losses stay tensors on
it until whoever receives a report reads them.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from model import VAE, vae_loss
from utils.cli import InputError
from utils.data_utils import to_float
from utils.lr_sched import learning_rate
from utils.training import processes
from utils.training.augment import Augmentation
from utils.training.device import autocast, products_in, to_device
from utils.training.draws import HybridDraws, epoch_draws, held_out_noise, hybrid_draws
from utils.training.hybrids import Hybrids, with_hybrids

EVAL_BATCH = 256  # sprites encoded and decoded at once: 5 MB as float32 at 40x40
ENCODE_BATCH = 4096  # sprites encoded at once: 79 MB


@dataclass(frozen=True)
class Config:
    """What training depends on, besides the sprites and the weights that it starts from."""

    epochs: int
    batch_size: int = 256  # of all processes together
    lr: float = 5e-4  # highest learning rate
    min_lr: float = 1e-7  # at the end of the cosine
    warmup_epochs: int = 0
    recon_weight: float = 10.0
    kl_weight: float = 1.0
    huber: float = 1.0  # errors above it are not squared: see `vae_loss`
    precision: str = "fp32"  # of matrix products: fp32, tf32 or bf16
    augmentation: Augmentation | None = None
    hybrids: int = 0  # beside each sprite of a batch
    seed: int = 41  # of permutations, noise and augmentation

    @property
    def loss_settings(self) -> dict[str, float]:
        """The arguments of `vae_loss` beside the tensors."""
        return {name: getattr(self, name) for name in ("recon_weight", "kl_weight", "huber")}


@dataclass
class Progress:
    """How far a run has come."""

    epoch: int = 0  # the one in progress
    step: int = 0  # its next step
    totals: Tensor | None = None  # sums of `loss_vector` over its steps so far


class Report(NamedTuple):
    """What training yields after an epoch; `train` and `val` are laid out as `loss_vector` says."""

    epoch: int
    lr: float
    train: Tensor
    val: Tensor
    num_sprites: int  # trained on in this epoch


class Parts(NamedTuple):
    """The sprites of a run, uint8 (N, 3, S, S), on the device of the model."""

    train: Tensor
    val: Tensor  # held out
    hybrids: Hybrids | None = None  # what the decoder is taught besides, with the encoder fixed


def train(
    model: VAE,
    optimizer: torch.optim.Optimizer,
    sprites: Parts,
    config: Config,
    progress: Progress,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[Report]:
    """Train, and yield a report after each epoch.

    Parameters
    ----------
    model : VAE
        With hybrids its encoder is frozen (`freeze_encoder`), as it may be without.
    optimizer : torch.optim.Optimizer
    sprites : Parts
    config : Config
    progress : Progress
        Where to begin; kept up to date in place.
    should_stop : callable
        Asked before each step; training ends, without a report, when it returns true.

    Yields
    ------
    Report
        Training losses are means over the batches of the epoch, each taken before its step;
        held-out losses are those of the weights at its end, with z drawn as in training.
    """
    # From here on all processes have the weights of the first, which alone may have resumed.
    take_step = partial(train_step, processes.parallel(model), optimizer, config=config)
    if sprites.hybrids is not None:  # the encoder does not change, and is asked once
        posteriors = encode(model, sprites.train)
        sprites = sprites._replace(hybrids=sprites.hybrids._replace(posteriors=posteriors))
    val_eps = held_out_noise(config.seed, len(sprites.val), model.latent_size)
    val_eps = val_eps.to(sprites.val.device)
    while progress.epoch < config.epochs:
        lr = learning_rate(
            progress.epoch,
            lr=config.lr,
            min_lr=config.min_lr,
            warmup_epochs=config.warmup_epochs,
            epochs=config.epochs,
        )
        for group in optimizer.param_groups:
            group["lr"] = lr * group.get("lr_scale", 1.0)
        num_steps = train_epoch(model, take_step, sprites, config, progress, should_stop)
        if progress.step < num_steps:
            return  # stopped; the progress says where

        val = evaluate(model, sprites.val, val_eps, **config.loss_settings)
        num_sprites = num_steps * min(config.batch_size, len(sprites.train))
        report = Report(progress.epoch, lr, progress.totals / num_steps, val, num_sprites)
        progress.epoch, progress.step, progress.totals = progress.epoch + 1, 0, None
        yield report


def train_epoch(
    model: VAE,
    take_step: Callable[..., Tensor],
    sprites: Parts,
    config: Config,
    progress: Progress,
    should_stop: Callable[[], bool],
) -> int:
    """Take the steps that are left of an epoch, and return how many it has in all.

    Parameters are those of `train`; `take_step` is `train_step` with its model, optimiser and
    config.
    """
    # Everything random is drawn here, from (seed, epoch) alone: so an epoch can be repeated, and a
    # resumed run needs no generator state. E is the number of steps, B the batch size.
    augment, device = config.augmentation, sprites.train.device
    order, eps, uniforms = epoch_draws(  # (E, B), (E, B, latent_size), (E, B, num_uniforms)
        config.seed,
        progress.epoch,
        num_sprites=len(sprites.train),
        batch_size=config.batch_size,
        latent_size=model.latent_size,
        num_uniforms=augment.num_uniforms if augment else 0,
    )
    if sprites.hybrids is not None:
        draws, more_eps = hybrid_draws(  # (E, H, ...), H hybrids in each batch
            config.seed,
            progress.epoch,
            shape=(len(order), config.hybrids * order.shape[1]),
            near=sprites.hybrids.near.shape,
            latent_size=model.latent_size,
        )
        eps = torch.cat([eps, more_eps], dim=1)
        draws = HybridDraws(*(to_device(part, device) for part in draws))
    order, eps, uniforms = (to_device(part, device) for part in (order, eps, uniforms))

    if progress.totals is None:
        progress.totals = torch.zeros(2 + model.latent_size)
    progress.totals = progress.totals.to(device)

    # Of several processes each takes its share of a batch, once nothing looks at other sprites.
    mine, weight = processes.share(eps.shape[1])
    for step in range(progress.step, len(order)):
        if should_stop():
            break
        # All sprites stay on the device as bytes; a batch becomes float only when it is its turn.
        x = to_float(sprites.train[order[step]])  # (B, 3, S, S), in [0, 1]
        posterior = None
        if augment:
            x = augment(x, uniforms[step], progress.epoch / config.epochs)
        if sprites.hybrids is not None:  # x becomes (B + H, 3, S, S)
            some = HybridDraws(*(part[step] for part in draws))
            x, posterior = with_hybrids(x, order[step], sprites.train, sprites.hybrids, some)
            posterior = tuple(part[mine] for part in posterior)
        losses = take_step(x[mine], eps[step, mine], posterior=posterior, weight=weight)
        progress.totals += processes.mean(losses)
        progress.step = step + 1
    return len(order)


def train_step(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    x: Tensor,
    eps: Tensor,
    config: Config,
    posterior: tuple[Tensor, Tensor] | None = None,
    weight: float = 1.0,
) -> Tensor:
    """Take one step of the optimiser on one batch, or on this process's share of it.

    Parameters
    ----------
    model : VAE, or what `processes.parallel` makes of it
    optimizer : torch.optim.Optimizer
    x : Tensor, shape (B, 3, S, S), float32, in [0, 1]
    eps : Tensor, shape (B, latent_size)
        Noise from N(0, I).
    config : Config
    posterior : (mu, logvar), each of shape (B, latent_size), optional
        What x is decoded from; the encoder says it if left out.
    weight : float
        Of the share, in the mean over processes: 1 if all shares are of one size.

    Returns
    -------
    Tensor, shape (2 + latent_size,), on the device
        `weight` times the `loss_vector`, before the step.
    """
    known = {} if posterior is None else {"posterior": posterior}
    optimizer.zero_grad(set_to_none=True)
    # Only matrix products run at a lower precision; weights, losses and Adam's state stay fp32.
    with products_in(config.precision, x.device.type):
        with autocast(config.precision, x.device.type):
            recon, mu, logvar = model(x, eps, **known)
        loss, recon_error, kl = vae_loss(recon, x, mu, logvar, **config.loss_settings)
        (weight * loss).backward()
    optimizer.step()
    return weight * loss_vector(loss, recon_error, kl).detach()


def loss_vector(loss: Tensor, recon_error: Tensor, kl: Tensor) -> Tensor:
    """Return loss, squared error and the KL of each dimension as one tensor (2 + latent_size,)."""
    return torch.cat([loss.reshape(1), recon_error.reshape(1), kl])


def freeze_encoder(model: VAE) -> None:
    """Keep the encoder as it is: the decoder alone takes gradients."""
    encoder_of(model).requires_grad_(False)


def encoder_of(model: VAE) -> torch.nn.Module:
    """Return the encoder; a ValueError if another architecture has no such module."""
    if not hasattr(model, "encoder"):
        options = "--fix_encoder, --encoder_lr and --hybrids"
        raise InputError(f"{options}: this --model has no attribute `encoder`")
    return model.encoder


def new_optimizer(
    model: VAE, lr: float = 5e-4, weight_decay: float = 0.0, encoder_lr: float | None = None
) -> torch.optim.Adam:
    """Return Adam for the weights of a model that take gradients, fused where it can be.

    The weight decay is AdamW's: each step takes the rate * weight_decay of the weights away. With
    `encoder_lr` the encoder has a rate of its own, which `train` keeps in proportion to the other.
    """
    encoder = [] if encoder_lr is None else list(encoder_of(model).parameters())
    known = set(encoder)
    groups = [{"params": [w for w in model.parameters() if w.requires_grad and w not in known]}]
    if encoder:
        groups.append({"params": encoder, "lr": encoder_lr, "lr_scale": encoder_lr / lr})
    return torch.optim.Adam(
        groups,
        lr=lr,
        weight_decay=weight_decay,
        decoupled_weight_decay=True,
        fused=next(model.parameters()).device.type in ("cpu", "cuda"),
    )


# ---- without training


@torch.no_grad()
def evaluate(
    model: VAE,
    sprites: Tensor,
    eps: Tensor | None = None,
    *,
    recon_weight: float = 10.0,
    kl_weight: float = 1.0,
    huber: float = 1.0,
) -> Tensor:
    """Return the `loss_vector` of all sprites, with the weights as they are.

    Parameters
    ----------
    model : VAE
    sprites : Tensor, shape (N, 3, S, S), uint8
        On the device of the model.
    eps : Tensor, shape (N, latent_size), optional
        Noise from N(0, I); if left out, sprites are reconstructed from their mean, z = mu.
    recon_weight, kl_weight, huber : float

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
        losses = vae_loss(model.decode(z), x, mu, logvar, recon_weight, kl_weight, huber)
        total += loss_vector(*losses) * len(x)
    return total / len(sprites)


@torch.no_grad()
def encode(model: VAE, sprites: Tensor) -> tuple[Tensor, Tensor]:
    """Return mu and logvar of uint8 sprites, each (N, latent_size)."""
    blocks = [model.encode(to_float(block)) for block in sprites.split(ENCODE_BATCH)]
    mu, logvar = (torch.cat(parts) for parts in zip(*blocks, strict=True))
    return mu, logvar


def halfway(model: VAE, sprites: Tensor, pairs: Tensor) -> Tensor:
    """Return what a model decodes halfway between pairs (P, 2) of sprites, (P, 3, S, S)."""
    mu, _ = encode(model, sprites[pairs.flatten()])
    return decode(model, mu.unflatten(0, pairs.shape).mean(1))


@torch.no_grad()
def reconstruct(model: VAE, sprites: Tensor) -> Tensor:
    """Return the reconstructions of uint8 sprites from their mean, z = mu, float in [0, 1]."""
    mu, _ = model.encode(to_float(sprites))
    return model.decode(mu)


@torch.no_grad()
def decode(model: VAE, z: Tensor) -> Tensor:
    """Return decoded latents, float in [0, 1], without a graph for gradients."""
    return model.decode(z)


def psnr(mse: float) -> float:
    """Return the peak signal-to-noise ratio in dB of a mean squared error of values in [0, 1]."""
    return -10 * math.log10(max(mse, 1e-12))
