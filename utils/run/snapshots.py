"""What a model looks like at an epoch: its pictures, and a table of its errors."""

from pathlib import Path

import torch
from torch import Tensor

from model import VAE
from utils.data_utils import to_float
from utils.pictures.plot import grid, join, labelled_rows, save_figure, titled
from utils.sprites.hybrid import hybrids
from utils.sprites.near import MANY
from utils.training.engine import Parts, decode, encode, evaluate, halfway, psnr, reconstruct

COLUMNS = 10  # of a picture
SCALE = 3  # pixels of a picture per pixel of a sprite
MEASURED_HYBRIDS = 1000
PAIRED = 2000  # of many sprites, those among which near ones are looked for


def save_pictures(folder: Path, model: VAE, sprites: Parts, z: Tensor) -> None:
    """Write ``reconstructions.png``, and ``samples.png`` of latents z from the prior.

    Samples halfway between two sprites come first, where those are sprites: see `shows_between`.
    """
    rows = []
    for label, x in (
        ("held out", sprites.val[:COLUMNS]),
        ("training", sprites.train[:COLUMNS]),
        ("training", sprites.train[COLUMNS : 2 * COLUMNS]),
    ):
        if len(x):
            rows += [(label, x), ("reconstruction", reconstruct(model, x))]
    save_figure(folder / "reconstructions.png", labelled_rows(rows, SCALE))
    samples = grid(decode(model, z), COLUMNS, SCALE)
    if shows_between(sprites):
        first = grid(between(model, sprites, len(z)), COLUMNS, SCALE)
        titles = "Halfway between two near sprites", "From the prior"
        samples = join([*map(titled, titles, (first, samples))], align="start")
    save_figure(folder / "samples.png", samples)


def shows_between(sprites: Parts) -> bool:
    """Return whether there is something to see halfway between near sprites of a run."""
    return sprites.hybrids is not None or len(sprites.train) >= MANY


def between(model: VAE, sprites: Parts, count: int) -> Tensor:
    """Return what a model decodes halfway between some near sprites.

    These are pairs whose hybrids it was taught, or else pairs of nearest latents.
    """
    if sprites.hybrids is not None:
        pairs = sprites.hybrids.pairs
    else:
        mu, _ = encode(model, sprites.train[:PAIRED])
        nearest = torch.cdist(mu, mu).fill_diagonal_(torch.inf).argmin(1)
        own = torch.arange(len(mu), device=mu.device)
        pairs = torch.stack([own, nearest], 1).sort(1).values.unique(dim=0)
    return halfway(model, sprites.train, evenly(pairs, count))


def evenly(pairs: Tensor, count: int) -> Tensor:
    """Return so many of some pairs at most, evenly taken."""
    return pairs[torch.linspace(0, len(pairs) - 1, min(count, len(pairs))).long()]


def reconstruction_table(model: VAE, sprites: Parts) -> str:
    """Return how good reconstructions from the mean are, as a small table for the console."""
    errors = {
        "training": evaluate(model, sprites.train)[1].item(),
        "held out": evaluate(model, sprites.val)[1].item(),
    }
    if sprites.hybrids is not None:
        errors["halfway, taught"] = hybrid_error(model, sprites)
    lines = [f"{'':16}{'SSE':>10}{'MSE':>10}{'PSNR':>12}"]
    for label, sse in errors.items():
        mse = sse / sprites.train[0].numel()
        lines.append(f"{label:16}{sse:10.2f}{mse:10.5f}{psnr(mse):9.2f} dB")
    return "\n".join(lines)


def hybrid_error(model: VAE, sprites: Parts) -> float:
    """Return the squared error halfway between taught pairs, the mean of a thousand of them."""
    pairs = evenly(sprites.hybrids.pairs, MEASURED_HYBRIDS)
    weights = torch.full(pairs.shape, 0.5, device=pairs.device)
    x = to_float(hybrids(sprites.train, sprites.hybrids.layout, pairs, weights))
    return (halfway(model, sprites.train, pairs) - x).square().flatten(1).sum(1).mean().item()
