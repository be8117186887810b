"""Experiment 3: spherical against linear interpolation, in pictures and in numbers.

    python vis3.py
    python vis3.py --sprites 001MON.png 004MON.png 7 8

"In the Euclidean latent space of a VAE the two look alike": here is what to judge it by. The same
four corners are mixed by LERP (bilinear) and by SLERP (along the edges, then between them), and
the difference of the two grids is drawn. For each edge the table gives the angle between its ends,
the smallest norm of z on the way (draws from the prior lie near the shell of radius sqrt(d)), the
difference of the pictures, and how long both paths are in the space of pixels.
"""

import argparse
import math
from pathlib import Path

from torch import Tensor

from utils.cli import add_corners, announce, looking_parser, run_script
from utils.files import write_json
from utils.latents.interpolation import angle, lerp, path, slerp, surface
from utils.latents.runs import choose_sprites, encode, open_run, run_sprites
from utils.pictures.curves import save_norm_curves
from utils.pictures.finish import finisher, noted
from utils.pictures.plot import (
    MARGIN,
    Figure,
    captioned,
    columns,
    grid,
    join,
    save_figure,
    titled,
)
from utils.training.engine import decode

FOLDER = "exp3-SlerpInterpolation"
DEFAULT_SPRITES = (9, 10, 12, 11)  # top left, top right, bottom left, bottom right
EDGES = {"top": (0, 1), "bottom": (2, 3), "left": (0, 2), "right": (1, 3)}
PATH_STEPS = 201  # latents along an edge, for its norms and lengths
COLUMNS = {  # of the table: heading, format
    "angle": ("angle between\nits ends", "{:.0f} degrees"),
    "lerp_min_norm": ("least norm of z,\nLERP", "{:.2f}"),
    "slerp_min_norm": ("least norm of z,\nSLERP", "{:.2f}"),
    "mean_difference": ("pixels differ by\n(mean)", "{:.4f}"),
    "max_difference": ("pixels differ by\n(most)", "{:.3f}"),
    "lerp_length": ("length in pixel\nspace, LERP", "{:.1f}"),
    "slerp_length": ("length in pixel\nspace, SLERP", "{:.1f}"),
}


def get_args_parser() -> argparse.ArgumentParser:
    """Return the parser of this script's arguments."""
    parser = looking_parser("Compare spherical with linear interpolation between four sprites.")
    parser.set_defaults(scale=2)
    group = parser.add_argument_group("experiment")
    add_corners(group)
    return parser


def main(args: argparse.Namespace) -> None:
    """Draw both grids, their difference and the norms; write the numbers."""
    trained = open_run(args.run, args.checkpoint)
    model = trained.model
    corners = choose_sprites(run_sprites(trained, args.data_path), args.sprites, DEFAULT_SPRITES)
    mu = encode(model, corners.pixels)

    # Both grids, and where they differ.
    linear, spherical = (
        decode(model, surface(mu, args.steps, mix).flatten(0, 1)) for mix in (lerp, slerp)
    )
    difference = (linear - spherical).abs()

    # Each edge as a path of many steps.
    edges, norms = {}, {}
    for edge, (start, end) in EDGES.items():
        z = [path(mu[start], mu[end], PATH_STEPS, mix) for mix in (lerp, slerp)]
        edges[edge] = compare_paths(z, [decode(model, latents) for latents in z])
        norms[f"{edge} edge"] = [latents.norm(dim=1).tolist() for latents in z]
    shell = model.latent_size**0.5
    numbers = {
        "shell": shell,
        "grid_mean_difference": difference.mean().item(),
        "grid_max_difference": difference.max().item(),
        "edges": edges,
    }

    # One picture: the two grids, their difference (of what the model decodes), and the table.
    linear, spherical = (finisher(args.finish)(images) for images in (linear, spherical))
    most = difference.max().clamp(min=1e-6)
    panels = [
        titled(title, grid(images, args.steps, args.scale), subtitle)
        for title, images, subtitle in (
            ("LERP", linear, "bilinear mixtures of the latent means"),
            ("SLERP", spherical, "along the left and right edge, then across"),
            (
                "Difference",
                1 - difference / most,
                f"black: the largest, {most:.2f} of 1; white: none; mean {difference.mean():.4f}",
            ),
        )
    ]
    originals = captioned(corners.pixels, corners.names, 2, args.scale)
    rows = titled(
        "Along the edges",
        join(
            [table(edges), titled("", originals, "the originals at the corners")],
            down=True,
            align="start",
        ),
        f"draws from the prior have a norm near sqrt({model.latent_size}) = {shell:.2f}",
    )
    folder = Path(args.vis_dir) / FOLDER
    written = [
        folder / f"slerp_against_lerp.{args.format}",
        folder / f"norms.{args.format}",
        folder / "slerp_against_lerp.json",
    ]
    pairs = [join(pair, gap=4 * MARGIN, align="start") for pair in (panels[:2], [panels[2], rows])]
    picture = join(pairs, down=True, gap=3 * MARGIN, align="start")
    save_figure(written[0], noted(picture, args.finish))
    save_norm_curves(written[1], norms, shell)
    write_json(written[2], numbers)
    announce(written, args.show)


def compare_paths(z: list[Tensor], images: list[Tensor]) -> dict[str, float]:
    """Return the numbers of `COLUMNS` for an edge.

    Parameters
    ----------
    z : two Tensors, shape (steps, latent_size)
        The edge by LERP and by SLERP.
    images : two Tensors, shape (steps, 3, S, S), in [0, 1]
        The same, decoded.
    """

    lengths = [x.diff(dim=0).flatten(1).norm(dim=1).sum().item() for x in images]
    difference = (images[0] - images[1]).abs()
    return {
        "angle": math.degrees(angle(z[0][0], z[0][-1]).item()),
        "lerp_min_norm": z[0].norm(dim=1).min().item(),
        "slerp_min_norm": z[1].norm(dim=1).min().item(),
        "mean_difference": difference.mean().item(),
        "max_difference": difference.max().item(),
        "lerp_length": lengths[0],
        "slerp_length": lengths[1],
    }


def table(edges: dict[str, dict[str, float]]) -> Figure:
    """Return the numbers of the edges as a figure."""

    headings = ["edge\n "] + [heading for heading, _ in COLUMNS.values()]
    cells = [list(edges)] + [
        [form.format(numbers[name]) for numbers in edges.values()]
        for name, (_, form) in COLUMNS.items()
    ]
    return columns(headings, cells)


if __name__ == "__main__":
    run_script(main, get_args_parser())
