"""The numbers that test_vae.py prints and writes to metrics.json, from a model and its sprites."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from model import VAE
from utils.data_utils import Sprites
from utils.latents.kept import run_samplers
from utils.latents.runs import TrainedRun, taught_pairs, trained_on
from utils.latents.samplers import draw_latents
from utils.measures import reconstructions
from utils.pictures.finish import finish
from utils.sprites.names import creatures
from utils.training.engine import decode, evaluate, halfway

NUM_CLOSEST = 10  # samples to show
PRINTED = 32  # latent dimensions whose KL is printed; metrics.json has that of all
MOST = 5000  # sprites of a part whose reconstructions are measured


class Closest(NamedTuple):
    """The samples that are most like a training sprite, the closest first."""

    samples: Tensor  # (10, 3, S, S), uint8, finished
    sprites: Tensor  # (10, 3, S, S), uint8: the nearest training sprite of each
    ratios: list[float]  # see `samples.nearest_sprites`


def measure(
    run: TrainedRun,
    sprites: Sprites,
    parts: dict[str, Tensor],
    *,
    kinds: tuple[str, ...],
    count: int,
    seed: int,
) -> tuple[dict, Closest | None]:
    """Return what goes into metrics.json and, if samples are measured, those closest to a sprite.

    Parameters
    ----------
    run, sprites, parts
        A run, its sprites, and their `known_split`.
    kinds : tuple of str
        Samplers whose samples are measured, and reconstructions thoroughly; none for neither.
    count, seed : int
        Samples of each, and their seed.
    """
    some = thinned(parts)
    metrics = {"checkpoint": run.checkpoint.as_posix(), **summarize(run.model, some)}
    if not kinds:
        return metrics, None
    metrics |= measure_reconstructions(run.model, some, run.settings)
    samplers = run_samplers(run, sprites, kinds)
    index = trained_on(run, sprites)
    groups = creatures([sprites.names[i] for i in index])
    decoded = between(run, sprites, count)
    decoded |= {
        kind: decode(run.model, draw_latents(sampler, count, seed))
        for kind, sampler in samplers.items()
    }
    turned = bool(run.settings.get("augment"))
    metrics["samples"], closest = measure_samples(decoded, parts, groups, turned=turned)
    return metrics, closest


def thinned(parts: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return parts of `MOST` sprites at most, evenly taken; prints a line where they are fewer."""
    some = {}
    for name, pixels in parts.items():
        some[name] = pixels[:: -(-len(pixels) // MOST)]
        if len(some[name]) < len(pixels):
            print(f"Reconstructions: {len(some[name]):,} of {len(pixels):,} {name} sprites.")
    return some


def between(run: TrainedRun, sprites: Sprites, count: int) -> dict[str, Tensor]:
    """Return what a run decodes halfway between some pairs that it was taught, and was not."""
    names, rng = ("halfway, taught", "halfway, left out"), np.random.default_rng(0)
    return {
        name: halfway(run.model, sprites.pixels, torch.from_numpy(rng.permutation(pairs)[:count]))
        for name, pairs in zip(names, taught_pairs(run, sprites), strict=True)
        if len(pairs)
    }


def summarize(model: VAE, parts: dict[str, Tensor]) -> dict:
    """Return how good reconstructions are, and the KL of each latent dimension."""
    names = list(parts)
    kl = evaluate(model, parts[names[0]])[2:]
    return {
        "sprites": {part: len(pixels) for part, pixels in parts.items()},
        "reconstruction": {
            part: reconstructions.reconstruction_metrics(model, pixels, ssim=part == names[-1])
            for part, pixels in parts.items()
        },
        "kl": kl.sum().item(),
        "kl_of_dimension": kl.tolist(),
    }


def measure_reconstructions(model: VAE, parts: dict[str, Tensor], settings: dict) -> dict:
    """Return the measures of reconstructions and of latent dimensions; print both.

    `settings` are those of the run: the weights of its loss, and its seed.
    """
    settings = {"recon_weight": 10.0, "kl_weight": 1.0, "seed": 41} | settings
    # The weight beside a KL of weight 1. Without one there is no decoder; take the default's.
    weight = settings["recon_weight"] / (settings["kl_weight"] or 1.0) or 10.0
    measured = reconstructions.measure(model, parts, recon_weight=weight, seed=settings["seed"])
    print(reconstructions.table(measured, weight))
    train_sprites = next(iter(parts.values()))
    active = reconstructions.active_dimensions(model, train_sprites)
    kl = evaluate(model, train_sprites)[2:].tolist()
    shares = " ".join(f"{nats:.2f}" for nats in kl[:PRINTED])
    which = "each" if len(kl) <= PRINTED else f"the first {PRINTED}"
    print(f"Active latent dimensions: {len(active)} of {len(kl)}.", end=" ")
    print(f"KL of {which} in nats: {shares}\n")
    return {"measured": measured, "active_dimensions": active}


def measure_samples(
    decoded: dict[str, Tensor], parts: dict[str, Tensor], groups: np.ndarray, *, turned: bool
) -> tuple[dict, Closest]:
    """Return the measures of samples, and the last sampler's samples most like a training sprite.

    Samples as decoded and finished are compared with the training sprites, and so are the
    held-out sprites. Prints the table.

    Parameters
    ----------
    decoded : dict
        From the name of a sampler to its decoded samples (N, 3, S, S), float in [0, 1].
    parts : dict
        The training sprites, and the held-out ones if they are known, uint8.
    groups, turned
        See `samples.measure`.
    """
    from utils.measures import samples  # imported here because scipy.stats takes a second

    real, *held_out = (pixels.numpy() for pixels in parts.values())
    sets = {"held-out sprites": held_out[0]} if held_out else {}
    for name, images in decoded.items():
        sets |= {name: images.numpy(), f"{name}, finished": finish(images).numpy()}
    measured = samples.measure(sets, real, groups=groups, raw=tuple(decoded), turned=turned)
    print(samples.table(measured))

    finished, variants = list(sets.values())[-1], samples.variants(real, turned=turned)
    nearest, ratio = samples.nearest_sprites(finished, variants, groups)
    first = np.argsort(ratio, kind="stable")[:NUM_CLOSEST]
    shown = torch.from_numpy(finished[first]), torch.from_numpy(real[nearest[first]])
    return measured, Closest(*shown, ratio[first].tolist())
