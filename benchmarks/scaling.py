"""How much faster two processes are than one, each with one thread, and what the exchange costs.

    python benchmarks/scaling.py
    python benchmarks/scaling.py --step_ms 1.2 --link 300 --batch_size 2048

One and two processes take steps of the same global batch, in turns. With --step_ms and --link no
step is taken: a projection to eight GPUs from a step of an eighth of the batch that was measured on
one (`benchmarks/train_speed.py --batch_size 256`), and from a link's bandwidth.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
import torch.distributed as dist

from model import VAE
from utils.cli import Parser, integer, number, run_script
from utils.training import processes
from utils.training.engine import Config, Parts, Progress, new_optimizer, train

PROJECTED = 8  # processes


def get_args_parser() -> argparse.ArgumentParser:
    """Return the parser of this program's arguments."""
    parser = Parser("Measure one and two processes.")
    add = parser.add_argument
    add("--batch_size", type=integer(2), nargs="+", default=[2048, 256], help="global batches")
    add("--hidden_size", type=integer(1), default=1024)
    add("--processes", type=integer(2), default=2, help="compared with one")
    add("--steps", type=integer(1), default=10, help="in a round")
    add("--rounds", type=integer(1), default=5, help="in which both take turns")
    text = "milliseconds of a step of an eighth of the batch on one GPU: project, measure nothing"
    add("--step_ms", type=number(0, above=True), help=text)
    add("--link", type=number(0, above=True), help="GB/s that a GPU sends, for the projection")
    return parser


def main(args: argparse.Namespace) -> None:
    """Measure in turns and print the medians; or, as one of the processes, take the steps."""
    gradient = 4 * sum(weight.numel() for weight in VAE(40, args.hidden_size).parameters())
    if args.step_ms and args.link:
        for batch_size in args.batch_size:
            print(projection(args.step_ms / 1000, batch_size, gradient, args.link * 1e9))
    elif "SCALING" in os.environ:
        take_part(args, gradient)
    else:
        for batch_size in args.batch_size:
            print(compared(args, batch_size, gradient), flush=True)


def compared(args: argparse.Namespace, batch_size: int, gradient: int) -> str:
    """Return how one and several processes compare, in lines."""
    rounds = [
        [measured(args, batch_size, count) for count in (1, args.processes)]
        for _ in range(args.rounds)
    ]
    one, many = (
        {name: statistics.median(result[name] for result in results) for name in results[0]}
        for results in zip(*rounds, strict=True)
    )
    ratios = [alone["step"] / together["step"] for alone, together in rounds]
    sent = exchanged_bytes(gradient, args.processes)
    # What the arithmetic says: all but Adam is divided, and the exchange is added.
    expected = (one["step"] - one["adam"]) / args.processes + many["adam"] + many["exchange"]
    return (
        f"batch {batch_size}, one thread each: {1000 * one['step']:.0f} ms a step of 1 process, "
        f"{1000 * many['step']:.0f} of {args.processes}: "
        f"{statistics.median(ratios):.2f} times the sprites a second "
        f"({min(ratios):.2f} to {max(ratios):.2f})\n"
        f"  Adam alone: {1000 * one['adam']:.0f} ms, with {args.processes} at once "
        f"{1000 * many['adam']:.0f}; exchange alone: {1000 * many['exchange']:.0f} ms for "
        f"{gradient / 1e6:.1f} MB of gradients, of which each sends {sent / 1e6:.1f}\n"
        f"  by these: ({1000 * one['step']:.0f} - {1000 * one['adam']:.0f}) / {args.processes} + "
        f"{1000 * many['adam']:.0f} + {1000 * many['exchange']:.0f} = {1000 * expected:.0f} ms, "
        f"{one['step'] / expected:.2f} times, if nothing overlaps"
    )


def measured(args: argparse.Namespace, batch_size: int, count: int) -> dict[str, float]:
    """Return the seconds that processes of their own measure."""
    command = [sys.executable, __file__]
    if count > 1:
        launcher = ("-m", "torch.distributed.run", f"--nproc_per_node={count}")
        command = [sys.executable, *launcher, __file__]
    command += ["--batch_size", str(batch_size), "--steps", str(args.steps)]
    command += ["--hidden_size", str(args.hidden_size)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "SCALING": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ChildProcessError(f"{count} processes ended with {done.returncode}: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


@processes.joined()
def take_part(args: argparse.Namespace, gradient: int) -> None:
    """Take steps on random pixels, and print how long one takes, Adam alone, and an exchange."""
    (batch_size,) = args.batch_size
    torch.manual_seed(0)
    pixels = torch.randint(0, 256, (batch_size, 3, 40, 40), dtype=torch.uint8)
    model = VAE(40, args.hidden_size)
    optimizer = new_optimizer(model)
    config = Config(epochs=10**6, batch_size=batch_size)
    epochs = train(model, optimizer, Parts(pixels, pixels[:8]), config, Progress())
    next(epochs), next(epochs)  # sets up
    steps = median_seconds(lambda: next(epochs), args.steps)  # an epoch is one step here
    adam = median_seconds(optimizer.step, args.steps)
    exchange = 0.0
    if processes.count() > 1:
        flat = torch.zeros(gradient // 4)
        exchange = median_seconds(lambda: dist.all_reduce(flat), args.steps)
    print(json.dumps({"step": steps, "adam": adam, "exchange": exchange}))


def median_seconds(work, count: int) -> float:
    """Return how long a function takes."""
    taken = []
    for _ in range(count):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def exchanged_bytes(gradient: int, count: int) -> float:
    """Return the bytes that each process sends in a ring: all but one part, twice."""
    return 2 * (count - 1) / count * gradient


def projection(step: float, batch_size: int, gradient: int, bandwidth: float) -> str:
    """Return what eight GPUs would do, between an exchange that hides and one that does not.

    Parameters
    ----------
    step : float
        Seconds of a step of an eighth of the batch on one of them.
    batch_size : int
        Of all.
    gradient : int
        Bytes of all gradients.
    bandwidth : float
        Bytes a second that a GPU sends.
    """
    exchange = exchanged_bytes(gradient, PROJECTED) / bandwidth
    most, least = batch_size / step, batch_size / (step + exchange)
    return (
        f"PROJECTION, not measured: batch {batch_size} on {PROJECTED} GPUs, {1000 * step:.2f} ms a "
        f"step and {1000 * exchange:.2f} to exchange: {least:,.0f} to {most:,.0f} sprites/s, "
        f"{PROJECTED * least / most:.1f} to {PROJECTED} times a GPU with its share"
    )


if __name__ == "__main__":
    run_script(main, get_args_parser())
