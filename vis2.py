"""Experiment 2: bilinear interpolation between four sprites.

    python vis2.py
    python vis2.py --sprites 001MON.png 004MON.png 7 8 --steps 12
    python vis2.py --near 001MON.png

The grid is decoded from bilinear mixtures of the four latent means, so its corners are
reconstructions. The four originals stand next to them.
"""

import argparse
from pathlib import Path

from torch import Tensor

from utils.cli import add_corners, looking_parser, run_script
from utils.latents.interpolation import surface
from utils.latents.runs import choose_corners, encode, open_run, run_sprites
from utils.pictures.album import Album
from utils.pictures.finish import finisher
from utils.pictures.plot import MARGIN, Figure, captioned, grid, join, shorten
from utils.training.engine import decode

FOLDER = "exp2-PrarmsInterpolation"  # spelled this way in users' paths
DEFAULT_SPRITES = (9, 10, 12, 11)  # top left, top right, bottom left, bottom right


def get_args_parser() -> argparse.ArgumentParser:
    """Return the parser of this script's arguments."""
    parser = looking_parser("Show bilinear mixtures of four sprites.")
    group = parser.add_argument_group("experiment")
    add_corners(group)
    group.add_argument("--gif", action="store_true", help="animate a walk around the edge as well")
    return parser


def main(args: argparse.Namespace) -> None:
    """Plot the grid with its four originals."""
    run = open_run(args.run, args.checkpoint)
    sprites = run_sprites(run, args.data_path)
    corners = choose_corners(run, sprites, args.sprites, args.near, DEFAULT_SPRITES)
    z = surface(encode(run.model, corners.pixels), args.steps)
    mixtures = finisher(args.finish)(decode(run.model, z.flatten(0, 1)))

    album = Album(Path(args.vis_dir) / FOLDER, args.format, args.finish)
    center = grid(mixtures, args.steps, args.scale)
    album.add_figure("bilinear", beside_corners(center, corners.pixels, corners.names, args.scale))
    if args.gif:
        walk = edge_walk(args.steps)
        frames = [grid(mixtures[index, None], 1, 2 * args.scale) for index in walk]
        album.add_gif("bilinear", frames)
    album.announce(args.show)


def beside_corners(center: Figure, images: Tensor, names: list[str], scale: int) -> Figure:
    """Return a figure with four originals outside it, each at its corner."""
    cells = [
        captioned(image[None], [f"original\n{shorten(name)}"], 1, scale)
        for image, name in zip(images, names, strict=True)
    ]
    height = center.pixels.shape[0]
    sides = []
    for top, bottom in (cells[0::2], cells[1::2]):
        space = height - top.pixels.shape[0] - bottom.pixels.shape[0]
        sides.append(join([top, bottom], down=True, gap=max(MARGIN, space)))
    return join([sides[0], center, sides[1]], gap=2 * MARGIN)


def edge_walk(steps: int) -> list[int]:
    """Return the indices of a grid's edge, clockwise from the top left corner back to it."""
    last = steps - 1
    top = list(range(last))
    right = [row * steps + last for row in range(last)]
    bottom = [last * steps + column for column in range(last, 0, -1)]
    left = [row * steps for row in range(last, -1, -1)]
    return top + right + bottom + left


if __name__ == "__main__":
    run_script(main, get_args_parser())
