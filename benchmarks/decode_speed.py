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
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from PIL import Image

from utils.cli import Parser, integer, run_script
from utils.sprites import decode
from utils.sprites.monsters import NUM_MONSTERS, draw_monster

SIDE = 40  # pixels


def get_args_parser() -> argparse.ArgumentParser:
    """Return the parser of this program's arguments."""
    parser = Parser("Time the decoding of many PNGs.")
    parser.add_argument(
        "--files", type=integer(decode.MANY), default=100_000, help="number of PNGs"
    )
    parser.add_argument("--rounds", type=integer(1), default=4, help="of both, in turns")
    return parser


def main(args: argparse.Namespace) -> None:
    """Write the files, decode them in turns, and print each round."""
    cores = decode.num_cores()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        names = write_files(folder, args.files)
        print("| one core, a second | all cores, a second | ratio / cores |\n| --- | --- | --- |")
        for _ in range(args.rounds):
            one = args.files / seconds(folder, names, cores=1)
            together = args.files / seconds(folder, names, cores)
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


def seconds(folder: Path, names: list[str], cores: int) -> float:
    """Return how long it takes that many cores to decode the files."""
    with patch.object(decode, "num_cores", lambda: cores):
        start = time.perf_counter()
        decode.decode_files(folder, names, np.empty((len(names), 3, SIDE, SIDE), np.uint8))
        return time.perf_counter() - start


if __name__ == "__main__":
    run_script(main, get_args_parser())
