"""A trained VAE put to the test: samples, reconstructions, traversals, interpolation, metrics.

    python test_vae.py
    python test_vae.py --num_samples 200 --save_sprites --palette 16
    python test_vae.py --arithmetic 003MON.png 001MON.png 4
    python test_vae.py --sampler neighbours --finish --metrics

Pictures and metrics.json go to vis/test/. The tests of the code are in tests/; run pytest there.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from model import VAE
from utils.cli import announce, integer, looking_parser, number, run_script
from utils.data_utils import Sprites, to_uint8
from utils.files import write_json
from utils.latents.interpolation import path
from utils.latents.runs import (
    Chosen,
    TrainedRun,
    choose_sprites,
    creatures,
    encode,
    known_indices,
    known_split,
    open_run,
    run_sprites,
)
from utils.latents.samplers import SAMPLERS, draw_latents, run_sampler
from utils.measures.reconstructions import reconstruction_metrics
from utils.pictures.export import save_sprites
from utils.pictures.finish import finish, finisher, noted
from utils.pictures.plot import (
    MARGIN,
    Figure,
    captioned,
    grid,
    join,
    labelled_rows,
    save_figure,
    save_gif,
    titled,
)
from utils.training.draws import prior_noise
from utils.training.engine import decode, evaluate, reconstruct

Painter = Callable[[Tensor], Tensor]  # from latents, or from decoded sprites, to pictures

FOLDER = "test"
DEFAULT_SPRITES = (1, 9)  # one to move around, and where to interpolate to
COLUMNS = 10
TRAVERSAL = (-3.0, 3.0, 11)  # from, to, steps
PLANE_BOUND, PLANE_STEPS = 4.5, 8  # along a side
MANIFOLD_STEPS = 20
MEASURED = 500  # samples that --metrics draws


def get_args_parser() -> argparse.ArgumentParser:
    """Return the parser of this script's arguments."""
    parser = looking_parser("Put a trained VAE to the test.")
    parser.set_defaults(scale=2)
    group = parser.add_argument_group("tests")
    group.add_argument("--num_samples", type=integer(1, 10000), default=100, help="how many")
    group.add_argument(
        "--sampler",
        choices=SAMPLERS,
        default="prior",
        help="of the samples: the prior, or a density fitted to the encoded sprites",
    )
    group.add_argument(
        "--temperature", type=number(0), default=1.0, help="standard deviation of the prior"
    )
    group.add_argument("--seed", type=integer(0), default=41, help="of the samples")
    group.add_argument(
        "--sprites",
        nargs=2,
        metavar=("FROM", "TO"),
        help="index, name or path: the first is traversed, both are interpolated; 1 9 if left out",
    )
    group.add_argument(
        "--steps", type=integer(2, 1000), default=20, help="sprites of the interpolation"
    )
    group.add_argument(
        "--plane",
        nargs=2,
        type=integer(0),
        metavar=("I", "J"),
        help="latent dimensions of the plane; the two most used if left out",
    )
    group.add_argument(
        "--arithmetic", nargs=3, metavar=("A", "B", "C"), help="sprites: draw A - B + C"
    )
    group.add_argument(
        "--metrics",
        action="store_true",
        help="measure how near samples are to sprites, print a table and draw the nearest ones",
    )
    group = parser.add_argument_group("files")
    group.add_argument(
        "--save_sprites", action="store_true", help="also write each sprite as a PNG of its own"
    )
    group.add_argument(
        "--palette", type=integer(2, 255), metavar="N", help="colours of those; RGBA if left out"
    )
    group.add_argument("--gif", action="store_true", help="write the interpolation as a GIF too")
    return parser


def check_args(args: argparse.Namespace, latent_size: int) -> None:
    """Raise ValueError where arguments do not go together, or not with the model."""
    if args.plane and (max(args.plane) >= latent_size or len({*args.plane}) < 2):
        raise ValueError(
            f"--plane {args.plane[0]} {args.plane[1]}: name two different latent dimensions, 0 to "
            f"{latent_size - 1}"
        )
    if args.palette and not args.save_sprites:
        raise ValueError(f"--palette {args.palette} is of the files that --save_sprites writes")
    if args.temperature != 1 and (args.sampler != "prior" or args.metrics):
        raise ValueError(
            f"--temperature {args.temperature:g}: only --sampler prior has one, and --metrics are "
            "at 1"
        )


def main(args: argparse.Namespace) -> None:
    """Draw everything, and write the metrics."""
    trained = open_run(args.run, args.checkpoint)
    model = trained.model
    check_args(args, model.latent_size)
    sprites = run_sprites(trained, args.data_path)
    ends = choose_sprites(sprites, args.sprites, DEFAULT_SPRITES, count=2)
    base, target = encode(model, ends.pixels)
    parts = known_split(trained, sprites)

    # In numbers: how good reconstructions are, and which latent dimensions are used.
    last = list(parts)[-1]  # the held-out sprites, where they are known
    kl = evaluate(model, next(iter(parts.values())))[2:]
    by_use = kl.argsort(descending=True, stable=True).tolist()
    metrics = {
        "checkpoint": trained.checkpoint.as_posix(),
        "sprites": {part: len(pixels) for part, pixels in parts.items()},
        "reconstruction": {
            part: reconstruction_metrics(model, pixels, ssim=part == last)
            for part, pixels in parts.items()
        },
        "kl": kl.sum().item(),
        "kl_of_dimension": kl.tolist(),
    }

    # In pictures: each test decodes a set of latents.
    finished = finisher(args.finish)

    def paint(z):
        return finished(decode(model, z))

    if args.sampler == "prior":
        z = args.temperature * prior_noise(args.seed, args.num_samples, model.latent_size)
    else:
        z = draw_latents(run_sampler(trained, sprites, args.sampler), args.num_samples, args.seed)
    samples = paint(z)
    rows = [traverse(base, dim, torch.linspace(*TRAVERSAL)) for dim in by_use]
    rows = paint(torch.cat(rows)).unflatten(0, (len(by_use), -1))
    between = paint(path(base, target, args.steps))

    figures = {
        "samples": titled(
            "Samples",
            grid(samples, COLUMNS, args.scale),
            f"prior, temperature {args.temperature:g}"
            if args.sampler == "prior"
            else SAMPLERS[args.sampler].title,
        ),
        "reconstructions": draw_reconstructions(model, parts, metrics, finished, args.scale),
        "traversal": titled(
            "Traversal",
            labelled_rows(
                [(f"z{d}  {kl[d]:.2f} nats", row) for d, row in zip(by_use, rows, strict=True)],
                args.scale,
            ),
            f"{ends.names[0]} with one dimension set to {TRAVERSAL[0]:g} at the left, to "
            f"{TRAVERSAL[1]:g} at the right; the most used first, with its KL",
        ),
        "interpolation": titled(
            "Interpolation",
            grid(between, COLUMNS, args.scale),
            f"linear, from {ends.names[0]} to {ends.names[1]}",
        ),
    }
    dims = args.plane or by_use[:2]
    if len(dims) == 2:
        figures["plane"] = draw_plane(paint, base, dims, ends.names[0], args.scale)
    if args.arithmetic:
        terms = choose_sprites(sprites, args.arithmetic, ())
        figures["arithmetic"] = draw_arithmetic(model, paint, terms, args.scale)
    if model.latent_size == 2:
        figures["manifold"] = draw_manifold(paint, args.scale)
    if args.metrics:
        metrics |= measure_reconstructions(trained, parts, kl)
        metrics["samples"], figures["nearest"] = measure_samples(
            trained, sprites, args.sampler, args.seed
        )

    # Files.
    folder = Path(args.vis_dir) / FOLDER
    written = []
    for name, figure in (figures | {"overview": overview(figures)}).items():
        written.append(folder / f"{name}.{args.format}")
        save_figure(written[-1], noted(figure, args.finish))
    written.append(folder / "metrics.json")
    write_json(written[-1], metrics)
    if args.gif:
        written.append(folder / "interpolation.gif")
        save_gif(written[-1], [grid(image[None], 1, 3 * args.scale) for image in between])
    if args.save_sprites:
        rows = dict(zip(by_use, rows, strict=True))
        for kind, images in named_images(samples, rows, between).items():
            save_sprites(folder / kind, images, args.palette)
            written.append(folder / kind)
    announce(written, args.show)


def named_images(samples: Tensor, rows: dict[int, Tensor], between: Tensor) -> dict[str, dict]:
    """Return the decoded sprites by folder and file name; the rows are by latent dimension."""
    return {
        "samples": {f"{i:04d}": image for i, image in enumerate(samples)},
        "traversal": {
            f"z{dim:02d}_{i:02d}": image for dim, row in rows.items() for i, image in enumerate(row)
        },
        "interpolation": {f"{i:03d}": image for i, image in enumerate(between)},
    }


def traverse(z: Tensor, dim: int, values: Tensor) -> Tensor:
    """Return copies of a latent (d,) in which one dimension takes each value, (len(values), d)."""
    copies = z.repeat(len(values), 1)
    copies[:, dim] = values
    return copies


def draw_reconstructions(
    model: VAE, parts: dict[str, Tensor], metrics: dict, finished: Painter, scale: int
) -> Figure:
    """Return the last part (held-out sprites, where they are known) over its reconstructions."""
    part, pixels = list(parts.items())[-1]
    found = metrics["reconstruction"][part]
    shown = pixels[:COLUMNS]
    rows = [("original", shown), ("reconstruction", finished(reconstruct(model, shown)))]
    return titled(
        f"Reconstructions, {part}",
        labelled_rows(rows, scale),
        f"all {len(pixels)} as decoded: MSE {found['mse']:.4f}, PSNR {found['psnr']:.1f} dB"
        + (f", SSIM {found['ssim']:.3f}" if found["ssim"] is not None else ""),
    )


def draw_plane(paint: Painter, z: Tensor, dims: list[int], name: str, scale: int) -> Figure:
    """Return a grid over two latent dimensions around a latent (d,)."""
    across, down = dims
    offsets = torch.linspace(-PLANE_BOUND, PLANE_BOUND, PLANE_STEPS)
    rows = torch.cat([traverse(z, down, value) for value in z[down] + offsets[:, None]])
    latents = torch.cat([traverse(row, across, z[across] + offsets) for row in rows])
    return titled(
        f"Plane of z{across} and z{down}",
        grid(paint(latents), PLANE_STEPS, scale),
        f"z{across} to the right and z{down} down, {PLANE_BOUND} both ways from {name}",
    )


def draw_arithmetic(model: VAE, paint: Painter, terms: Chosen, scale: int) -> Figure:
    """Return A - B + C beside its three parents."""
    a, b, c = encode(model, terms.pixels)
    result = to_uint8(paint((a - b + c)[None]))
    captions = [f"{sign} {name}" for sign, name in zip(" -+", terms.names, strict=True)]
    images = torch.cat([terms.pixels, result])
    return titled("Arithmetic", captioned(images, [*captions, "= decoded"], 4, scale))


def draw_manifold(paint: Painter, scale: int) -> Figure:
    """Return the plane of a two-dimensional latent space, each step of equal probability.

    Kingma and Welling 2014, figure 4: a grid through the inverse of the normal distribution.
    """
    steps = torch.special.ndtri((torch.arange(MANIFOLD_STEPS) + 0.5) / MANIFOLD_STEPS)
    z = torch.cartesian_prod(steps, steps).flip(1)
    return titled("Manifold", grid(paint(z), MANIFOLD_STEPS, scale))


def measure_reconstructions(run: TrainedRun, parts: dict[str, Tensor], kl: Tensor) -> dict:
    """Return the figures of reconstructions and of latent dimensions; prints both."""
    from utils.measures import reconstructions

    settings = {"recon_weight": 10.0, "kl_weight": 1.0, "seed": 41} | run.settings
    weight = settings["recon_weight"] / (settings["kl_weight"] or 1.0)  # beside a KL of weight 1
    weight = weight or 10.0  # without one there is no decoder to speak of; take the default's
    measured = reconstructions.measure(run.model, parts, recon_weight=weight, seed=settings["seed"])
    print(reconstructions.table(measured, weight))
    active = reconstructions.active_dimensions(run.model, next(iter(parts.values())))
    shares = " ".join(f"{nats:.2f}" for nats in kl.tolist())
    print(f"Active latent dimensions: {len(active)} of {len(kl)}. KL of each in nats: {shares}\n")
    return {"measured": measured, "active_dimensions": active}


def measure_samples(run: TrainedRun, sprites: Sprites, kind: str, seed: int) -> tuple[dict, Figure]:
    """Return the figures of samples, and a picture of those that are most like a sprite.

    Samples of the prior and of the given sampler, as they are decoded and finished, are measured
    against the training sprites, beside the held-out sprites. Prints the table.
    """
    from utils.measures import samples  # only where it is used: scikit-learn takes a second

    indices = known_indices(run, sprites)
    real, *held_out = (sprites.pixels[index].numpy() for index in indices.values())
    groups = creatures([sprites.names[i] for i in next(iter(indices.values()))])
    sets = {"held-out sprites": held_out[0]} if held_out else {}
    raw = {}
    for name in dict.fromkeys(("prior", kind)):
        z = draw_latents(run_sampler(run, sprites, name), MEASURED, seed)
        raw[name] = decode(run.model, z)
        sets[name] = raw[name].numpy()
        sets[f"{name}, finished"] = finish(raw[name]).numpy()
    augmented = bool(run.settings.get("augment"))
    measured = samples.measure(sets, real, groups=groups, raw=tuple(raw), turned=augmented)
    print(samples.table(measured))

    pictures = sets[f"{kind}, finished"]
    variants = list(samples.variants(real, turned=augmented))
    nearest, ratio = samples.nearest_sprites(pictures, variants, groups)
    worst = np.argsort(ratio, kind="stable")[:COLUMNS]
    rows = [
        ("sample, finished", torch.from_numpy(pictures[worst])),
        ("nearest sprite", torch.from_numpy(real[nearest[worst]])),
    ]
    return measured, titled(
        "Nearest training sprites",
        labelled_rows(rows, 2),
        f"of the {COLUMNS} among {MEASURED} samples that are most like one; below a third, a copy: "
        + " ".join(f"{value:.2f}" for value in ratio[worst]),
    )


def overview(figures: dict[str, Figure]) -> Figure:
    """Return all figures on one page, in two columns."""
    right = ("traversal", "interpolation", "arithmetic", "nearest")
    columns = [
        join(column, down=True, gap=2 * MARGIN, align="start")
        for column in (
            [figure for name, figure in figures.items() if name not in right],
            [figures[name] for name in right if name in figures],
        )
    ]
    return join(columns, gap=3 * MARGIN, align="start")


if __name__ == "__main__":
    run_script(main, get_args_parser())
