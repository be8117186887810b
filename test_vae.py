"""Tests of a trained VAE: samples, reconstructions, traversals, interpolation, metrics.

    python test_vae.py
    python test_vae.py --num_samples 200 --save_sprites --palette 16
    python test_vae.py --arithmetic 003MON.png 001MON.png 4
    python test_vae.py --hybrids 003MON.png 001MON.png
    python test_vae.py --sampler neighbours --finish --metrics

Pictures and metrics.json go to vis/test/. The tests of the code are in tests/; run them by pytest.
"""

import argparse
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from utils.cli import InputError, integer, looking_parser, number, run_script
from utils.data_utils import Sprites, to_uint8
from utils.latents.interpolation import manifold, path, plane, traverse
from utils.latents.kept import run_sampler
from utils.latents.runs import (
    Chosen,
    TrainedRun,
    choose_sprites,
    encode,
    known_split,
    open_run,
    run_sprites,
)
from utils.latents.samplers import SAMPLERS, draw_latents, shown_samplers
from utils.measures.metrics import Closest, measure
from utils.pictures.album import Album
from utils.pictures.finish import finisher
from utils.pictures.palettes import palette
from utils.pictures.plot import MARGIN, Figure, captioned, grid, join, labelled_rows, titled
from utils.sprites.hybrid import hybrids, layouts
from utils.training.draws import prior_noise
from utils.training.engine import decode, reconstruct

FOLDER = "test"
DEFAULT_SPRITES = (1, 9)  # one to traverse, and one to interpolate to
COLUMNS = 10
TRAVERSAL = (-3.0, 3.0, 11)  # from, to, steps
MOST_ROWS = 32  # of traversals, so that the picture stays one
PLANE_BOUND, PLANE_STEPS = 4.5, 8  # steps along a side
MANIFOLD_STEPS = 20
HYBRIDS = 9  # of two sprites, including both
MEASURED = 500  # samples per sampler, for --metrics


def get_args_parser() -> argparse.ArgumentParser:
    """Return the parser of this script's arguments."""
    parser = looking_parser("Put a trained VAE to the test.")
    parser.set_defaults(scale=2)
    add = parser.add_argument_group("tests").add_argument
    add("--num_samples", type=integer(1, 10000), default=100, help="number of samples")
    text = "where samples come from; if left out, what suits the run, and the prior beside it"
    add("--sampler", choices=SAMPLERS, help=text)
    text = "standard deviation of the prior"
    add("--temperature", type=number(0), default=1.0, help=text)
    add("--seed", type=integer(0), default=41, help="seed of the samples")
    text = "index, name or path: the first is traversed, the two interpolated; 1 9 if left out"
    add("--sprites", nargs=2, metavar=("FROM", "TO"), help=text)
    add("--steps", type=integer(2, 1000), default=20, help="sprites of the interpolation")
    text = "latent dimensions of the plane; the two most used if left out"
    add("--plane", nargs=2, type=integer(0), metavar=("I", "J"), help=text)
    add("--arithmetic", nargs=3, metavar=("A", "B", "C"), help="sprites: show A - B + C")
    text = "sprites: show what code alone makes of them, and what the model decodes between"
    add("--hybrids", nargs=2, metavar=("A", "B"), help=text)
    text = "measure reconstructions, and how close samples are to sprites; show the closest"
    add("--metrics", action="store_true", help=text)
    add = parser.add_argument_group("files").add_argument
    add("--save_sprites", action="store_true", help="also write each sprite as a separate PNG")
    add("--save_sheet", action="store_true", help="also write all sprites as one sheet")
    text = "number of colours, or a .gpl, .hex or .png file that has them; RGBA if left out"
    add("--palette", type=palette, metavar="N|FILE", help=text)
    add("--gif", action="store_true", help="also animate the interpolation")
    return parser


def check_args(args: argparse.Namespace, samplers: tuple[str, ...], latent_size: int) -> None:
    """Raise ValueError if arguments do not fit each other or the model."""
    if args.plane and (max(args.plane) >= latent_size or len({*args.plane}) < 2):
        raise InputError(
            f"--plane {args.plane[0]} {args.plane[1]}: name two different latent dimensions, 0 to "
            f"{latent_size - 1}"
        )
    if args.palette is not None and not (args.save_sprites or args.save_sheet):
        raise InputError("--palette applies to the files of --save_sprites and --save_sheet")
    if args.temperature != 1 and ("prior" not in samplers or args.metrics):
        raise InputError(
            f"--temperature {args.temperature:g}: only --sampler prior has one, and --metrics are "
            "at 1"
        )


@dataclass
class Context:
    """What the tests have in common."""

    args: argparse.Namespace
    samplers: tuple[str, ...]  # the one that suits the run first
    run: TrainedRun
    sprites: Sprites
    parts: dict[str, Tensor]  # pixels; the held-out sprites last, if they are known
    ends: Chosen  # two sprites
    metrics: dict
    closest: Closest | None  # with --metrics

    def paint(self, z: Tensor) -> Tensor:
        """Return decoded latents as they are shown: finished if asked for."""
        return finisher(self.args.finish)(decode(self.run.model, z))

    @cached_property
    def by_use(self) -> list[int]:
        """The latent dimensions with the largest KL, the largest first."""
        kl = self.metrics["kl_of_dimension"]
        return sorted(range(len(kl)), key=lambda dim: -kl[dim])[:MOST_ROWS]

    @cached_property
    def mu(self) -> Tensor:
        """The latent means of the two sprites, (2, latent_size)."""
        return encode(self.run.model, self.ends.pixels)

    @cached_property
    def samples(self) -> dict[str, Tensor]:
        """The samples of each sampler, (num_samples, 3, S, S)."""
        return {kind: self.paint(self.latents(kind)) for kind in self.samplers}

    def latents(self, kind: str) -> Tensor:
        """Return the latents that a sampler draws, (num_samples, latent_size)."""
        count, seed = self.args.num_samples, self.args.seed
        if kind == "prior":
            return self.args.temperature * prior_noise(seed, count, self.run.model.latent_size)
        return draw_latents(run_sampler(self.run, self.sprites, kind), count, seed)

    @cached_property
    def traversal(self) -> Tensor:
        """The first sprite with one dimension changed, a row per dimension by use."""
        rows = [traverse(self.mu[0], dim, torch.linspace(*TRAVERSAL)) for dim in self.by_use]
        return self.paint(torch.cat(rows)).unflatten(0, (len(rows), -1))

    @cached_property
    def interpolation(self) -> Tensor:
        """The sprites between the two ends, (steps, 3, S, S)."""
        return self.paint(path(*self.mu, self.args.steps))


def main(args: argparse.Namespace) -> None:
    """Measure the model, plot every test, and write all of it."""
    run = open_run(args.run, args.checkpoint)
    sprites = run_sprites(run, args.data_path)
    samplers = (args.sampler,) if args.sampler else shown_samplers(run, sprites)
    check_args(args, samplers, run.model.latent_size)
    ends = choose_sprites(sprites, args.sprites, DEFAULT_SPRITES, count=2)
    parts = known_split(run, sprites)

    # Numbers first, because some pictures show them.
    kinds = tuple(dict.fromkeys(("prior", *samplers))) if args.metrics else ()
    metrics, closest = measure(run, sprites, parts, kinds=kinds, count=MEASURED, seed=args.seed)

    # Every test that applies is plotted before anything is written.
    context = Context(args, samplers, run, sprites, parts, ends, metrics, closest)
    plotted = {name: plot(context) for name, plot in TESTS.items()}
    figures = {name: figure for name, figure in plotted.items() if figure is not None}

    album = Album(Path(args.vis_dir) / FOLDER, args.format, args.finish)
    for name, figure in (figures | {"overview": overview(figures)}).items():
        album.add_figure(name, figure)
    album.add_numbers("metrics", metrics)
    if args.gif:
        frames = [grid(image[None], 1, 3 * args.scale) for image in context.interpolation]
        album.add_gif("interpolation", frames)
    if args.save_sprites:
        for kind, images in named_images(context).items():
            album.add_sprites(kind, images, args.palette)
    if args.save_sheet:
        album.add_sheet(named_images(context), TRAVERSAL[2], args.palette)
    album.announce(args.show)


def named_images(context: Context) -> dict[str, dict[str, Tensor]]:
    """Return the decoded sprites by the names of their folders and files."""
    rows = zip(context.by_use, context.traversal, strict=True)
    samples = context.samples[context.samplers[0]]
    return {
        "samples": {f"{i:04d}": image for i, image in enumerate(samples)},
        "traversal": {
            f"z{dim:02d}_{i:02d}": image for dim, row in rows for i, image in enumerate(row)
        },
        "interpolation": {f"{i:03d}": image for i, image in enumerate(context.interpolation)},
    }


def plot_samples(context: Context) -> Figure:
    """Plot the samples of each sampler, side by side."""
    args = context.args
    sources = {kind: SAMPLERS[kind].title for kind in context.samplers}
    sources["prior"] = f"prior, temperature {args.temperature:g}"
    figures = [
        titled("Samples", grid(images, COLUMNS, args.scale), sources[kind])
        for kind, images in context.samples.items()
    ]
    return join(figures, gap=2 * MARGIN, align="start")


def plot_reconstructions(context: Context) -> Figure:
    """Plot sprites, held-out ones if these are known, over their reconstructions."""
    part, pixels = list(context.parts.items())[-1]
    found = context.metrics["reconstruction"][part]
    shown = pixels[:COLUMNS]
    recon = finisher(context.args.finish)(reconstruct(context.run.model, shown))
    return titled(
        f"Reconstructions, {part}",
        labelled_rows([("original", shown), ("reconstruction", recon)], context.args.scale),
        f"all {len(pixels)} as decoded: MSE {found['mse']:.4f}, PSNR {found['psnr']:.1f} dB"
        + (f", SSIM {found['ssim']:.3f}" if found["ssim"] is not None else ""),
    )


def plot_traversal(context: Context) -> Figure:
    """Plot a row for each of the most used latent dimensions, along which it changes."""
    kl = context.metrics["kl_of_dimension"]
    labels = [f"z{dim}  {kl[dim]:.2f} nats" for dim in context.by_use]
    return titled(
        "Traversal",
        labelled_rows(list(zip(labels, context.traversal, strict=True)), context.args.scale),
        f"{context.ends.names[0]} with one dimension set to {TRAVERSAL[0]:g} at the left, to "
        f"{TRAVERSAL[1]:g} at the right; the {len(labels)} of {len(kl)} most used, with their KL",
    )


def plot_interpolation(context: Context) -> Figure:
    """Plot the way from one sprite to another."""
    return titled(
        "Interpolation",
        grid(context.interpolation, COLUMNS, context.args.scale),
        "linear, from {} to {}".format(*context.ends.names),
    )


def plot_plane(context: Context) -> Figure | None:
    """Plot two latent dimensions around a sprite."""
    dims = context.args.plane or context.by_use[:2]
    if len(dims) < 2:
        return None
    across, down = dims
    offsets = torch.linspace(-PLANE_BOUND, PLANE_BOUND, PLANE_STEPS)
    images = context.paint(plane(context.mu[0], across, down, offsets))
    return titled(
        f"Plane of z{across} and z{down}",
        grid(images, PLANE_STEPS, context.args.scale),
        f"z{across} to the right and z{down} down, {PLANE_BOUND} both ways from "
        f"{context.ends.names[0]}",
    )


def plot_arithmetic(context: Context) -> Figure | None:
    """Plot A - B + C next to its three terms."""
    if not context.args.arithmetic:
        return None
    terms = choose_sprites(context.sprites, context.args.arithmetic, (), option="--arithmetic")
    a, b, c = encode(context.run.model, terms.pixels)
    result = to_uint8(context.paint((a - b + c)[None]))
    captions = [f"{sign} {name}" for sign, name in zip(" -+", terms.names, strict=True)]
    images = torch.cat([terms.pixels, result])
    return titled("Arithmetic", captioned(images, [*captions, "= decoded"], 4, context.args.scale))


def plot_hybrids(context: Context) -> Figure | None:
    """Plot what code alone makes of two sprites over what the model decodes between them."""
    if not context.args.hybrids:
        return None
    ends = choose_sprites(context.sprites, context.args.hybrids, (), option="--hybrids")
    order = sorted((0, 1), key=ends.places.__getitem__)  # as in the set, where both are as far
    pixels, t = ends.pixels[order], torch.linspace(0, 1, HYBRIDS)
    weights = torch.stack([1 - t, t], dim=1)[:, order]
    parents = torch.tensor([0, 1]).expand(HYBRIDS, 2)
    training = next(iter(context.parts.values()))
    by_code = hybrids(pixels, layouts(pixels, training), parents, weights)
    decoded = context.paint(path(*encode(context.run.model, ends.pixels), HYBRIDS))
    model = "the model" if context.run.settings.get("hybrids") else "the model, taught none"
    model += ", finished" if context.args.finish else ""
    rows = [("code alone", by_code), (model, decoded)]
    return titled(
        "Hybrids",
        labelled_rows(rows, context.args.scale),
        "from {} to {}: above, code takes rows of both, without a model; below, the model decodes "
        "mixtures of their latents".format(*ends.names),
    )


def plot_manifold(context: Context) -> Figure | None:
    """Plot a two-dimensional latent space, in which each cell is equally likely."""
    if context.run.model.latent_size != 2:
        return None
    images = context.paint(manifold(MANIFOLD_STEPS))
    return titled("Manifold", grid(images, MANIFOLD_STEPS, context.args.scale))


def plot_closest(context: Context) -> Figure | None:
    """Plot the samples that are most like a training sprite over that sprite."""
    if context.closest is None:
        return None
    samples, sprites, ratios = context.closest
    return titled(
        "Nearest training sprites",
        labelled_rows([("sample, finished", samples), ("nearest sprite", sprites)], 2),
        f"of the {len(ratios)} among {MEASURED} samples that are most like one; below a third, "
        f"a copy: {' '.join(f'{ratio:.2f}' for ratio in ratios)}",
    )


TESTS = {
    "samples": plot_samples,
    "reconstructions": plot_reconstructions,
    "traversal": plot_traversal,
    "interpolation": plot_interpolation,
    "plane": plot_plane,
    "arithmetic": plot_arithmetic,
    "hybrids": plot_hybrids,
    "manifold": plot_manifold,
    "nearest": plot_closest,
}
RIGHT_COLUMN = ("traversal", "interpolation", "arithmetic", "hybrids", "nearest")  # of the overview


def overview(figures: dict[str, Figure]) -> Figure:
    """Return all figures on one page, in two columns."""
    left = [figure for name, figure in figures.items() if name not in RIGHT_COLUMN]
    right = [figure for name, figure in figures.items() if name in RIGHT_COLUMN]
    columns = [join(column, down=True, gap=2 * MARGIN, align="start") for column in (left, right)]
    return join(columns, gap=3 * MARGIN, align="start")


if __name__ == "__main__":
    run_script(main, get_args_parser())
