"""From memory to generalisation: the same model and steps on more and more built-in monsters.

    python benchmarks/how_many.py

Trains on each number of monsters, and prints a table: the squared error on monsters that it trained
on and on 1,000 that no run saw, and of draws from the prior, as decoded, the sliced Wasserstein
distance (SWD) and the share of copies. docs/how_many.png shows both, and some draws of each.
Kadkhodaie et al. 2024, "Generalization in diffusion models arises from geometry-adaptive harmonic
representations", ask the same of diffusion models.
"""

import sys
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from torch import Tensor

from model import VAE, initialize_from_data
from utils.cli import Parser, integer, run_script
from utils.measures.intervals import markdown
from utils.measures.patches import distance, projections
from utils.measures.samples import (
    COPY_RATIO,
    RAW_CUTOFF,
    channels_last,
    nearest_sprites,
    silhouettes,
)
from utils.pictures.plot import grid, save_chart
from utils.sprites.many_monsters import draw_chunk, draw_monsters
from utils.training.draws import prior_noise
from utils.training.engine import (
    Config,
    Parts,
    Progress,
    decode,
    evaluate,
    new_optimizer,
    train,
)
from utils.training.start import start_as_pca

UNSEEN = range(998_000, 999_000)  # no set below has so many
FIGURE = Path(__file__).parents[1] / "docs" / "how_many.png"
BATCH, LR, SEED = 256, 5e-4, 1
DRAWS = 500
SHOWN = 16  # draws in a row of the figure


class Row(NamedTuple):
    """What came of one number of monsters."""

    count: int
    training: float  # squared errors
    unseen: float
    swd: float
    copies: float  # a share
    seconds: float
    samples: Tensor


def get_args_parser() -> Parser:
    """Return the parser of this script's arguments."""
    parser = Parser("The same model and steps on more and more monsters.")
    sizes = [792, 3000, 10000, 30000, 100000]
    add = parser.add_argument
    add(
        "--sizes",
        type=integer(BATCH, UNSEEN.start),
        nargs="+",
        default=sizes,
        help="numbers of monsters",
    )
    add("--steps", type=integer(1), default=2000, help="of each training")
    add("--latent_size", type=integer(1), default=16, help="number of latent dimensions")
    add("--precision", choices=("fp32", "bf16"), default="fp32", help="of matrix products")
    return parser


def main(args) -> None:
    """Train on each number of monsters; print the table and draw the figure."""
    unseen = torch.from_numpy(draw_chunk(UNSEEN, side=40))
    monsters = torch.from_numpy(draw_monsters(max(args.sizes), side=40))
    rows = [one_size(monsters[:count], unseen, args) for count in args.sizes]
    headings = ["training SSE", "unseen SSE", "SWD of prior draws", "copies", "s"]
    cells = [
        [f"{count:,}", f"{a:.1f}", f"{b:.1f}", f"{swd:.1f}", f"{copies:.3f}", f"{seconds:.0f}"]
        for count, a, b, swd, copies, seconds, _ in rows
    ]
    print(f"{args.steps} steps of {BATCH}, {args.latent_size} latents, seed {SEED}\n")
    print(markdown(headings, cells))
    save_chart(FIGURE, chart(rows))


def one_size(monsters: Tensor, unseen: Tensor, args) -> Row:
    """Train on some monsters, and return what came of it."""
    torch.manual_seed(SEED)
    model = VAE(40, 1024, args.latent_size)
    config = Config(
        epochs=max(1, round(args.steps / (len(monsters) // BATCH))),
        batch_size=BATCH,
        lr=LR,
        precision=args.precision,
        seed=SEED,
    )
    initialize_from_data(model, monsters)
    start_as_pca(model, monsters, config.kl_weight / (2 * config.recon_weight))
    started = time.perf_counter()
    parts = Parts(monsters, unseen)
    for report in train(model, new_optimizer(model, LR), parts, config, Progress()):
        line = f"{len(monsters):,}: epoch {report.epoch + 1} of {config.epochs}"
        print(f"\r{line}, training SSE {report.train[1]:.1f}   ", end="", file=sys.stderr)
    seconds = time.perf_counter() - started
    print(file=sys.stderr)
    samples = decode(model, prior_noise(SEED, DRAWS, args.latent_size))
    return Row(
        len(monsters),
        evaluate(model, monsters[: len(unseen)])[1].item(),
        evaluate(model, unseen)[1].item(),
        patch_distance(samples.numpy(), unseen.numpy()),
        copies(samples.numpy(), monsters.numpy()),
        seconds,
        samples[:SHOWN],
    )


def patch_distance(samples: np.ndarray, real: np.ndarray) -> float:
    """Return the sliced Wasserstein distance of decoded samples from sprites (N, 3, S, S)."""
    counts = projections(channels_last(samples), silhouettes(samples, RAW_CUTOFF)).sum(0)
    return distance(counts, projections(channels_last(real), silhouettes(real)).sum(0))


def copies(samples: np.ndarray, real: np.ndarray) -> float:
    """Return the share of decoded samples that are copies of a sprite (N, 3, S, S)."""
    _, ratio = nearest_sprites(samples, [real], np.arange(len(real)))
    return float((ratio < COPY_RATIO).mean())


def chart(rows: list[Row]):
    """Return the figure: the errors over the number of monsters, and draws for each number."""
    from matplotlib.figure import Figure

    heights = 3.6, 0.3 + 9 * len(rows) / SHOWN  # inches; draws are squares
    figure = Figure(figsize=(9, sum(heights)), dpi=120, layout="constrained")
    curves, pictures = figure.subplots(2, 1, height_ratios=heights)
    counts = [row.count for row in rows]
    curves.plot(counts, [row.unseen for row in rows], "o-", label="monsters that no run saw")
    curves.plot(counts, [row.training for row in rows], "o-", label="monsters it trained on")
    curves.set(xscale="log", xlabel="monsters to train on", ylabel="squared error (SSE)")
    curves.set_ylim(bottom=0)
    curves.set_xticks(counts, [f"{count:,}" for count in counts], minor=False)
    curves.minorticks_off()
    curves.grid(alpha=0.3)
    curves.legend(frameon=False)
    curves.set_title("The same model and number of steps on more and more monsters")
    sheet = grid(torch.cat([row.samples for row in rows]), SHOWN, scale=3).pixels
    pictures.imshow(sheet, interpolation="none")
    height = sheet.shape[0] / len(rows)
    pictures.set_yticks([(i + 0.5) * height for i in range(len(rows))], map("{:,}".format, counts))
    pictures.set_xticks([])
    pictures.tick_params(length=0)
    pictures.spines[:].set_visible(False)
    pictures.set_title("Draws from the prior, as decoded, not picked", fontsize=11)
    return figure


if __name__ == "__main__":
    run_script(main, get_args_parser())
