"""Experiment 3: spherical against linear interpolation, in pictures and in numbers.

    python vis3.py
    python vis3.py --sprites 001MON.png 004MON.png 7 8
    python vis3.py --near 001MON.png

"In the Euclidean latent space of a VAE the two look alike": judge for yourself. The same four
corners are mixed by LERP (bilinear) and by SLERP (along the edges, then between them), and the
difference of the two grids is shown. For each edge the table gives the angle between its ends, the
smallest norm of z on the way (draws from the prior lie near the shell of radius sqrt(d)), how much
the pictures differ, and how long both paths are in pixel space.
"""

import argparse
import math
from pathlib import Path

from torch import Tensor

from utils.cli import add_corners, looking_parser, run_script
from utils.latents.interpolation import angle, lerp, path, slerp, surface
from utils.latents.runs import Chosen, choose_corners, encode, open_run, run_sprites
from utils.pictures.album import Album
from utils.pictures.finish import finisher
from utils.pictures.plot import (
    MARGIN,
    SMALL,
    Figure,
    captioned,
    grid,
    join,
    norm_curves,
    note,
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
    """Plot both grids, their difference and the norms; write the numbers."""
    run = open_run(args.run, args.checkpoint)
    sprites = run_sprites(run, args.data_path)
    corners = choose_corners(run, sprites, args.sprites, args.near, DEFAULT_SPRITES)
    mu = encode(run.model, corners.pixels)

    # Both grids, and where they differ.
    grids = [decode(run.model, surface(mu, args.steps, mix).flatten(0, 1)) for mix in (lerp, slerp)]
    difference = (grids[0] - grids[1]).abs()

    # Each edge as a path of many steps.
    edges, norms = {}, {}
    for edge, (start, end) in EDGES.items():
        z = [path(mu[start], mu[end], PATH_STEPS, mix) for mix in (lerp, slerp)]
        edges[edge] = compare_paths(z, [decode(run.model, latents) for latents in z])
        norms[f"{edge} edge"] = [latents.norm(dim=1).tolist() for latents in z]
    shell = run.model.latent_size**0.5

    album = Album(Path(args.vis_dir) / FOLDER, args.format, args.finish)
    grids = map(finisher(args.finish), grids)  # the difference is that of what the model decodes
    panels = plot_grids(*grids, difference, args.steps, args.scale)
    panels.append(plot_edges(edges, corners, run.model.latent_size, args.scale))
    pairs = [join(pair, gap=4 * MARGIN, align="start") for pair in (panels[:2], panels[2:])]
    figure = join(pairs, down=True, gap=3 * MARGIN, align="start")
    album.add_figure("slerp_against_lerp", figure)
    album.add_chart("norms", norm_curves(norms, shell))
    numbers = {
        "shell": shell,
        "grid_mean_difference": difference.mean().item(),
        "grid_max_difference": difference.max().item(),
        "edges": edges,
    }
    album.add_numbers("slerp_against_lerp", numbers)
    album.announce(args.show)


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


def plot_grids(
    linear: Tensor, spherical: Tensor, difference: Tensor, steps: int, scale: int
) -> list[Figure]:
    """Return both grids and their difference, each with a title."""
    most = difference.max().clamp(min=1e-6)
    legend = f"black: the largest, {most:.2f} of 1; white: none; mean {difference.mean():.4f}"
    return [
        titled(title, grid(images, steps, scale), subtitle)
        for title, images, subtitle in (
            ("LERP", linear, "bilinear mixtures of the latent means"),
            ("SLERP", spherical, "along the left and right edge, then across"),
            ("Difference", 1 - difference / most, legend),
        )
    ]


def plot_edges(
    edges: dict[str, dict[str, float]], corners: Chosen, latent_size: int, scale: int
) -> Figure:
    """Return the table of the edges over the originals."""
    originals = captioned(corners.pixels, corners.names, 2, scale)
    return titled(
        "Along the edges",
        join(
            [table(edges), titled("", originals, "the originals at the corners")],
            down=True,
            align="start",
        ),
        f"draws from the prior have a norm near sqrt({latent_size}) = {latent_size**0.5:.2f}",
    )


def table(edges: dict[str, dict[str, float]]) -> Figure:
    """Return the numbers of the edges; the first column is aligned left, the others right."""
    columns = [["edge\n ", *edges]] + [
        [heading, *(form.format(numbers[name]) for numbers in edges.values())]
        for name, (heading, form) in COLUMNS.items()
    ]
    notes = [
        note("\n".join(column), SMALL, "rm" if index else "lm")
        for index, column in enumerate(columns)
    ]
    return join(notes, gap=2 * MARGIN)


if __name__ == "__main__":
    run_script(main, get_args_parser())
