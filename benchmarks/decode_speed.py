"""How fast PNGs become pixels at the start: by one core, and by all.

    python benchmarks/decode_speed.py

The files are copies of the built-in monsters, written to a temporary folder (100,000 take 400 MB
of it), so that what is read comes from memory. Rounds of both alternate.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from PIL import Image

from utils import decode
from utils.cli import Parser, integer, run
from utils.monsters import NUM_MONSTERS, draw_monster

SIDE = 40  # pixels


def get_args_parser() -> argparse.ArgumentParser:
    """Return the parser of this program's arguments."""
    parser = Parser("Time the decoding of many PNGs.")
    parser.add_argument("--files", type=integer(decode.MANY), default=100_000)
    parser.add_argument("--rounds", type=integer(1), default=4)
    return parser


def main(args: argparse.Namespace) -> None:
    """Write the files, decode them in turns, and print each round."""
    cores = decode.num_cores()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        names = write_files(folder, args.files)
        print("| one core, a second | all cores, a second | ratio / cores |\n| --- | --- | --- |")
        for _ in range(args.rounds):
            with decode.open_reader(folder) as read:
                decode_block = partial(decode.decode_block, read, SIDE)
                one = args.files / seconds(map(decode_block, decode.in_blocks(names, SIDE)))
            together = args.files / seconds(decode.decode_blocks(folder, names, SIDE))
            share = together / one / cores
            print(f"| {one:,.0f} | {together:,.0f} | {share:.2f} |", flush=True)


def write_files(folder: Path, count: int) -> list[str]:
    """Write as many PNGs to a folder, and return their names."""
    names = [f"{index:06d}.png" for index in range(count)]
    for index, name in enumerate(names):
        if index < NUM_MONSTERS:
            Image.fromarray(draw_monster(index)).save(folder / name)
        else:
            shutil.copyfile(folder / names[index - NUM_MONSTERS], folder / name)
    return names


def seconds(blocks: Iterable) -> float:
    """Return how long it takes until the last block has come."""
    start = time.perf_counter()
    for _ in blocks:
        pass
    return time.perf_counter() - start


if __name__ == "__main__":
    run(main, get_args_parser())
