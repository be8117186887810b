"""Seconds of training until sprites are sharp: a training PSNR of 27 dB.

    python benchmarks/time_to_quality.py --data_path figure

Three ways to get there: `--recipe fast`; the plain loop with PyTorch's initialisation; and the
plain loop with ours, so that the two sources of speed can be told apart. The PSNR is that of the
whole training set, in fp32, by evaluations as a run goes on; their time counts, start-up does not.
(The PCA of the sprites is start-up: it takes 0.2 s.) A plain loop ends at its first evaluation past
thirty times our own time.
"""

import argparse
import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from plain_loop import plain_epochs, png_files

import main as training
from model import VAE
from utils.cli import Parser, integer, run_script
from utils.data_utils import BUILT_IN, load_sprites, split
from utils.training.device import PRECISIONS, choose_device, choose_precision
from utils.training.engine import evaluate, new_optimizer, psnr, train

TARGET = 27.0  # dB
CUT_OFF = 30  # times our time
OUR_PERIOD, PLAIN_PERIOD = 5, 10  # epochs between two evaluations


def get_args_parser() -> argparse.ArgumentParser:
    """Return the parser of this program's arguments."""
    parser = Parser("Time training to 27 dB.")
    parser.add_argument("--data_path", default=BUILT_IN, help="folder of PNGs of 40x40")
    parser.add_argument("--seeds", type=integer(1), default=3, help="runs of ours, seeds from 41")
    parser.add_argument("--precision", choices=("auto", *PRECISIONS), default="auto")
    parser.add_argument("--device", help="as main.py takes it")
    parser.add_argument("--json", action="store_true", help="print one JSON object alone")
    return parser


def main(args: argparse.Namespace) -> None:
    """Time all three, and print a table."""
    device, line = choose_device(args.device)
    say = partial(print, file=sys.stderr if args.json else sys.stdout, flush=True)
    precision, precision_line = choose_precision(args.precision, device)
    say(line, precision_line, sep="\n")
    sprites = load_sprites(args.data_path)
    recipe = training.get_args_parser().parse_args(["--recipe", "fast"])

    ours = []
    for seed in range(41, 41 + args.seeds):
        recipe.seed = seed
        seconds, epochs, reached = our_run(recipe, sprites.pixels, device, precision)
        say(f"fast, seed {seed}: {seconds:.2f} s, {epochs} epochs, {reached:.2f} dB")
        if reached < TARGET:
            raise ValueError(f"--recipe fast ended at {reached:.2f} dB, below {TARGET} dB")
        ours.append(seconds)
    result = {
        "seconds": statistics.mean(ours),
        "deviation": statistics.stdev(ours) if len(ours) > 1 else 0.0,
        "target_db": TARGET,
        "device": str(device),
        "threads": torch.get_num_threads(),
        "torch": str(torch.__version__),
    }
    limit = CUT_OFF * result["seconds"]
    with tempfile.TemporaryDirectory() as folder:
        paths = png_files(sprites, Path(folder))
        for init, key in (("data", "plain_loop_our_init"), ("torch", "plain_loop")):
            plain = plain_run(init, sprites.pixels, paths, device, limit)
            seconds, epochs, reached = plain
            say(f"plain loop, {init} init: {seconds:.1f} s, {epochs} epochs, {reached:.2f} dB")
            result[f"seconds_{key}"] = seconds
            result[f"db_{key}"] = reached
    result["ratio"] = result["seconds_plain_loop"] / result["seconds"]
    result["ratio_our_init"] = result["seconds_plain_loop_our_init"] / result["seconds"]
    print(json.dumps(result) if args.json else table(result))


def our_run(recipe, pixels, device, precision: str) -> tuple[float, int, float]:
    """Train by the recipe; return the seconds and epochs to the target, and the PSNR there."""
    train_index, val_index = split(len(pixels), recipe.val_ratio, recipe.seed)
    sprites, held_out = pixels[train_index].to(device), pixels[val_index].to(device)
    model = start(recipe, sprites).to(device)
    epochs = train(
        model,
        new_optimizer(model, recipe.lr),
        sprites,
        held_out,
        epochs=recipe.epoch,
        batch_size=recipe.batch_size,
        schedule=training.schedule_of(recipe),
        seed=recipe.seed,
        recon_weight=recipe.recon_weight,
        kl_weight=recipe.kl_weight,
        precision=precision,
    )
    return until_sharp(epochs, model, sprites, OUR_PERIOD, math.inf)


def plain_run(init: str, pixels, paths, device, limit: float) -> tuple[float, int, float]:
    """Train by the plain loop on the split of seed 41; return the same as `our_run`."""
    train_index, _ = split(len(pixels), 0.01, 41)
    sprites = pixels[train_index].to(device)
    recipe = training.get_args_parser().parse_args(["--init", init])
    model = start(recipe, sprites).to(device)
    epochs = plain_epochs(model, [paths[index] for index in train_index.tolist()], device)
    return until_sharp(epochs, model, sprites, PLAIN_PERIOD, limit)


def start(recipe, sprites) -> VAE:
    """Return the model of a recipe at its start."""
    torch.manual_seed(recipe.seed)
    return training.new_model(recipe, sprites)


def until_sharp(
    epochs: Iterator, model: VAE, sprites, period: int, limit: float
) -> tuple[float, int, float]:
    """Train until an evaluation shows the target or is past the limit in seconds."""
    started = time.perf_counter()
    reached = -math.inf
    for epoch, _ in enumerate(epochs, 1):
        if epoch % period == 0:
            reached = psnr(evaluate(model, sprites)[1].item() / sprites[0].numel())
            if reached >= TARGET or time.perf_counter() - started > limit:
                break
    return time.perf_counter() - started, epoch, reached


def table(result: dict) -> str:
    """Return the figures as a Markdown table."""
    rows = ["| | seconds to 27 dB | times ours |", "| --- | --- | --- |"]
    deviation = f" ± {result['deviation']:.1f}" if result["deviation"] else ""
    rows.append(f"| `--recipe fast` | {result['seconds']:.1f}{deviation} | 1 |")
    for name, key, ratio in (
        ("plain loop, our initialisation", "plain_loop_our_init", "ratio_our_init"),
        ("plain loop, PyTorch's initialisation", "plain_loop", "ratio"),
    ):
        is_cut = result[f"db_{key}"] < TARGET
        least = "at least " if is_cut else ""
        end = f" (stopped at {result[f'db_{key}']:.1f} dB)" if is_cut else ""
        rows.append(
            f"| {name} | {least}{result[f'seconds_{key}']:.1f}{end} | {least}{result[ratio]:.1f} |"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    run_script(main, get_args_parser())
