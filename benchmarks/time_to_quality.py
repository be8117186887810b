"""Seconds from pixels in memory until sprites are sharp: a training PSNR of 27 dB, and of 37 dB.

    python benchmarks/time_to_quality.py --data_path figure

The start counts, and so do the evaluations on the way; decoding the sprites does not. PSNR is that
of the whole training set, reconstructed from mu in fp32. `--recipe fast` runs to its end. The plain
loop runs with three starts, so that the sources of speed can be told apart, until it has 37 dB or
its time is up.
"""

import argparse
import contextlib
import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from plain_loop import plain_epochs, png_files

import main as training
from model import VAE
from utils.cli import Parser, integer, number, run_script
from utils.data_utils import BUILT_IN, load_sprites, split
from utils.training.device import PRECISIONS, choose_device, choose_precision
from utils.training.engine import Parts, Progress, evaluate, new_optimizer, psnr, train

TARGETS = (27, 37)  # dB
FIRST_SEED = 41
OUR_PERIOD, PLAIN_PERIOD = 5, 10  # epochs between two evaluations
INITS = {"solve": "the solved start", "data": "the start from the data", "torch": "PyTorch's start"}


@dataclass
class Timing:
    """When a run reached which target, and what it had when it ended."""

    seconds: float = 0.0
    epochs: int = 0
    db: float = -math.inf
    reached: dict[int, float] = field(default_factory=dict)  # seconds by target

    def __str__(self):
        reached = "".join(f"{db} dB after {s:.2f} s, " for db, s in self.reached.items())
        return f"{reached}{self.db:.2f} dB at the end ({self.seconds:.1f} s, {self.epochs} epochs)"


def get_args_parser() -> argparse.ArgumentParser:
    """Return the parser of this program's arguments."""
    parser = Parser("Time training to 27 and 37 dB.")
    parser.add_argument("--data_path", default=BUILT_IN, help="folder of PNGs of 40x40")
    parser.add_argument("--seeds", type=integer(1), default=3, help="runs of fast, seeds from 41")
    parser.add_argument(
        "--most_seconds", type=number(0), default=600.0, help="after which a plain loop is cut off"
    )
    parser.add_argument("--precision", choices=("auto", *PRECISIONS), default="auto")
    parser.add_argument("--device", help="as main.py takes it")
    parser.add_argument("--json", action="store_true", help="print one JSON object alone")
    return parser


def main(args: argparse.Namespace) -> None:
    """Time all of them, and print a table."""
    device, line = choose_device(args.device)
    say = partial(print, file=sys.stderr if args.json else sys.stdout, flush=True)
    precision, precision_line = choose_precision(args.precision, device)
    say(line, precision_line, sep="\n")
    sprites = load_sprites(args.data_path)

    rows = {"`--recipe fast`": []}
    for seed in range(FIRST_SEED, FIRST_SEED + args.seeds):
        fast = recipe("--recipe", "fast", "--seed", str(seed))
        timing = our_run(fast, sprites.pixels, device, precision)
        say(f"fast, seed {seed}: {timing}")
        rows["`--recipe fast`"].append(timing)
    with tempfile.TemporaryDirectory() as folder:
        paths = png_files(sprites, Path(folder))
        for init, name in INITS.items():
            timing = plain_run(init, sprites.pixels, paths, device, args.most_seconds)
            say(f"plain loop, {name}: {timing}")
            rows[f"plain loop, {name}"] = [timing]
    result = {
        "rows": {name: [asdict(timing) for timing in timings] for name, timings in rows.items()},
        "device": str(device),
        "threads": torch.get_num_threads(),
        "torch": str(torch.__version__),
    }
    print(json.dumps(result) if args.json else table(rows))


def recipe(*arguments: str) -> argparse.Namespace:
    """Return the arguments of main.py."""
    return training.get_args_parser().parse_args(arguments)


def our_run(args: argparse.Namespace, pixels, device, precision: str) -> Timing:
    """Train as main.py does, to the end."""
    with contextlib.redirect_stdout(sys.stderr):  # which it may explain itself on
        args = training.resolved(args, precision=precision, data_path="")
    parts = [pixels[part] for part in split(len(pixels), args.val_ratio, args.seed)]

    def begin() -> tuple[VAE, Iterator]:
        sprites = Parts(*(part.to(device) for part in parts))
        model = start(args, sprites.train).to(device)
        optimizer = new_optimizer(model, args.lr)
        return model, train(model, optimizer, sprites, training.config_of(args), Progress())

    return timed(begin, parts[0].to(device), OUR_PERIOD, last=args.epoch)


def plain_run(init: str, pixels, paths, device, most_seconds: float) -> Timing:
    """Train by the plain loop on the split of the first seed, until it is sharp or cut off."""
    train_index, _ = split(len(pixels), 0.01, FIRST_SEED)
    sprites, paths = pixels[train_index], [paths[index] for index in train_index.tolist()]

    def begin() -> tuple[VAE, Iterator]:
        model = start(recipe("--init", init, "--seed", str(FIRST_SEED)), sprites).to(device)
        return model, plain_epochs(model, paths, device)

    return timed(begin, sprites.to(device), PLAIN_PERIOD, most_seconds=most_seconds)


def start(args: argparse.Namespace, sprites) -> VAE:
    """Return the model of a run at its start."""
    torch.manual_seed(args.seed)
    return training.start_model(args, sprites, is_resumed=False)


def timed(
    begin: Callable[[], tuple[VAE, Iterator]],
    sprites,
    period: int,
    *,
    last: int | None = None,
    most_seconds: float = math.inf,
) -> Timing:
    """Start and train; the clock runs from before the start.

    Parameters
    ----------
    begin : callable
        Returns a model at its start, and an iterator that trains it by an epoch each time.
    sprites : Tensor, shape (N, 3, S, S), uint8
        What PSNR is of, on the device of the model.
    period : int
        Epochs between two evaluations; there is one of the start as well.
    last : int, optional
        Epochs to train for; left out, it ends with the last target.
    most_seconds : float
        It ends at the first evaluation past them.
    """
    began = time.perf_counter()
    model, epochs = begin()
    timing = Timing()
    while True:
        if timing.epochs % period == 0 or timing.epochs == last:
            timing.db = psnr(evaluate(model, sprites)[1].item() / sprites[0].numel())
            timing.seconds = time.perf_counter() - began
            for target in TARGETS:
                if timing.db >= target:
                    timing.reached.setdefault(target, timing.seconds)
            is_done = timing.db >= TARGETS[-1] if last is None else timing.epochs == last
            if is_done or timing.seconds > most_seconds:
                return timing
        next(epochs)
        timing.epochs += 1


def seconds_to(target: int, timings: list[Timing]) -> tuple[float, str]:
    """Return the mean of the seconds to a target, and the same in words."""
    least = "" if all(target in timing.reached for timing in timings) else "at least "
    seconds = [timing.reached.get(target, timing.seconds) for timing in timings]
    deviation = f" ± {statistics.stdev(seconds):.2f}" if len(seconds) > 1 else ""
    return statistics.mean(seconds), f"{least}{statistics.mean(seconds):.2f}{deviation}"


def table(rows: dict[str, list[Timing]]) -> str:
    """Return all timings as a Markdown table; "ours" is the first row."""
    low, high = TARGETS
    head = ("", f"seconds to {low} dB", "times ours", f"seconds to {high} dB", "at the end")
    lines = [head, ["---"] * len(head)]
    ours, _ = seconds_to(low, next(iter(rows.values())))
    for name, timings in rows.items():
        seconds, text = seconds_to(low, timings)
        ratio = f"{'at least ' * text.startswith('at least')}{seconds / ours:.3g}"
        db, end = (statistics.mean(getattr(t, key) for t in timings) for key in ("db", "seconds"))
        last = f"{db:.1f} dB after {end:.1f} s, {timings[0].epochs} epochs"
        lines.append((name, text, ratio, seconds_to(high, timings)[1], last))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    run_script(main, get_args_parser())
