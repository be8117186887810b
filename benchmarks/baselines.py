"""Squared errors of the mean sprite, PCA and the nearest training sprite on a split.

    python benchmarks/baselines.py --data_path figure --val_ratio 0.1 --split_by number --seed 1

The same arguments give main.py the same split. Prints a Markdown table for benchmarks/quality.md.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from utils.cli import Parser, integer, number, run_script


def get_args_parser() -> Parser:
    """Return the parser of this script's arguments."""
    parser = Parser("Squared errors of the mean sprite, PCA and the nearest training sprite.")
    parser.add_argument("--data_path", default="figure", help="folder or zip of PNGs")
    parser.add_argument("--image_size", type=integer(1, 512), default=40, help="side in pixels")
    parser.add_argument("--val_ratio", type=number(0, 0.99), default=0.1, help="held-out share")
    parser.add_argument(
        "--split_by", choices=("file", "number"), default="number", help="as main.py knows it"
    )
    parser.add_argument("--seed", type=integer(0), default=41, help="of the split")
    return parser


def main(args) -> None:
    """Print the table."""
    from utils.data_utils import load_sprites, split
    from utils.measures.reconstructions import baseline_errors

    sprites = load_sprites(args.data_path, args.image_size)
    names = sprites.names if args.split_by == "number" else None
    train, val = split(len(sprites.names), args.val_ratio, args.seed, names)
    print(f"| seed {args.seed} | {len(train)} training sprites | {len(val)} held out |")
    print("| --- | --- | --- |")
    errors = baseline_errors(sprites.pixels[train], sprites.pixels[val])
    for name, (train_error, val_error) in errors.items():
        print(f"| {name} | {train_error.mean():.1f} | {val_error.mean():.1f} |")


if __name__ == "__main__":
    run_script(main, get_args_parser())
