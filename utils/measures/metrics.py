"""The numbers that test_vae.py prints and writes to metrics.json, from a run and its sprites."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from utils.data_utils import Sprites
from utils.latents.runs import TrainedRun, creatures, known_indices
from utils.latents.samplers import draw_latents, run_sampler
from utils.measures import reconstructions
from utils.pictures.finish import finish
from utils.training.engine import decode, evaluate

NUM_SAMPLES = 500  # per sampler
NUM_CLOSEST = 10  # samples to show


class Closest(NamedTuple):
    """The samples that are most like a training sprite, the closest first."""

    samples: Tensor  # (10, 3, S, S), uint8, finished
    sprites: Tensor  # (10, 3, S, S), uint8: the nearest training sprite of each
    ratios: list[float]  # see `samples.nearest_sprites`


def summarize(run: TrainedRun, parts: dict[str, Tensor]) -> dict:
    """Return how good reconstructions are, and the KL of each latent dimension."""
    names = list(parts)
    kl = evaluate(run.model, parts[names[0]])[2:]
    return {
        "checkpoint": run.checkpoint.as_posix(),
        "sprites": {part: len(pixels) for part, pixels in parts.items()},
        "reconstruction": {
            part: reconstructions.reconstruction_metrics(run.model, pixels, ssim=part == names[-1])
            for part, pixels in parts.items()
        },
        "kl": kl.sum().item(),
        "kl_of_dimension": kl.tolist(),
    }


def measure_reconstructions(run: TrainedRun, parts: dict[str, Tensor]) -> dict:
    """Return the measures of reconstructions and of latent dimensions; print both."""
    settings = {"recon_weight": 10.0, "kl_weight": 1.0, "seed": 41} | run.settings
    # The weight beside a KL of weight 1. Without one there is no decoder; take the default's.
    weight = settings["recon_weight"] / (settings["kl_weight"] or 1.0) or 10.0
    measured = reconstructions.measure(run.model, parts, recon_weight=weight, seed=settings["seed"])
    print(reconstructions.table(measured, weight))
    train_sprites = next(iter(parts.values()))
    active = reconstructions.active_dimensions(run.model, train_sprites)
    kl = evaluate(run.model, train_sprites)[2:].tolist()
    shares = " ".join(f"{nats:.2f}" for nats in kl)
    print(f"Active latent dimensions: {len(active)} of {len(kl)}. KL of each in nats: {shares}\n")
    return {"measured": measured, "active_dimensions": active}


def measure_samples(
    run: TrainedRun, sprites: Sprites, kind: str, seed: int
) -> tuple[dict, Closest]:
    """Return the measures of samples, and the samples most like a training sprite.

    Samples of the prior and of the given sampler, as decoded and finished, are compared with the
    training sprites, and so are the held-out sprites. Prints the table.
    """
    from utils.measures import samples  # imported here because scipy.stats takes a second

    indices = known_indices(run, sprites)
    real, *held_out = (sprites.pixels[index].numpy() for index in indices.values())
    groups = creatures([sprites.names[i] for i in next(iter(indices.values()))])
    sets = {"held-out sprites": held_out[0]} if held_out else {}
    raw = tuple(dict.fromkeys(("prior", kind)))
    for name in raw:
        z = draw_latents(run_sampler(run, sprites, name), NUM_SAMPLES, seed)
        decoded = decode(run.model, z)
        sets |= {name: decoded.numpy(), f"{name}, finished": finish(decoded).numpy()}
    turned = bool(run.settings.get("augment"))
    measured = samples.measure(sets, real, groups=groups, raw=raw, turned=turned)
    print(samples.table(measured))

    finished, variants = sets[f"{kind}, finished"], samples.variants(real, turned=turned)
    nearest, ratio = samples.nearest_sprites(finished, variants, groups)
    first = np.argsort(ratio, kind="stable")[:NUM_CLOSEST]
    shown = torch.from_numpy(finished[first]), torch.from_numpy(real[nearest[first]])
    return measured, Closest(*shown, ratio[first].tolist())
