"""Experiment 2: bilinear interpolation between four sprites.

    python vis2.py
    python vis2.py --sprites 001MON.png 004MON.png 7 8 --steps 12

The grid is decoded from bilinear mixtures of the four latent means; its corners are the
reconstructions. The four originals stand beside the corners.
"""

import argparse
from pathlib import Path

from utils.cli import add_corners, announce, looking_parser, run_script
from utils.latents.interpolation import surface
from utils.latents.runs import choose_sprites, encode, open_run, run_sprites
from utils.pictures.finish import finisher, noted
from utils.pictures.plot import beside_corners, grid, save_figure, save_gif
from utils.training.engine import decode

FOLDER = "exp2-PrarmsInterpolation"  # spelled so: it is the name that users' paths have
DEFAULT_SPRITES = (9, 10, 12, 11)  # top left, top right, bottom left, bottom right


def get_args_parser() -> argparse.ArgumentParser:
    """Return the parser of this script's arguments."""
    parser = looking_parser("Draw bilinear mixtures of four sprites.")
    group = parser.add_argument_group("experiment")
    add_corners(group)
    group.add_argument("--gif", action="store_true", help="write a walk around the edge as well")
    return parser


def main(args: argparse.Namespace) -> None:
    """Draw the grid with its four originals."""
    trained = open_run(args.run, args.checkpoint)
    corners = choose_sprites(run_sprites(trained, args.data_path), args.sprites, DEFAULT_SPRITES)
    z = surface(encode(trained.model, corners.pixels), args.steps)
    mixtures = finisher(args.finish)(decode(trained.model, z.flatten(0, 1)))

    folder = Path(args.vis_dir) / FOLDER
    written = [folder / f"bilinear.{args.format}"]
    figure = grid(mixtures, args.steps, args.scale)
    figure = beside_corners(figure, corners.pixels, corners.names, args.scale)
    save_figure(written[0], noted(figure, args.finish))

    if args.gif:
        written.append(folder / "bilinear.gif")
        save_gif(
            written[-1],
            [grid(mixtures[index, None], 1, 2 * args.scale) for index in edge_walk(args.steps)],
        )
    announce(written, args.show)


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
