"""How fast a training step is, beside the plain loop and beside what the machine could do at most.

    python benchmarks/train_speed.py --data_path figure

Everything is measured in one process, in turns, so that a machine that is slow for a while is slow
for all. The floor of a step is its floating-point operations at the rate of the fastest matrix
product, plus the bytes that must go through memory at the rate of a copy.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from plain_loop import plain_epochs, png_files
from torch import nn

from model import VAE, initialize_from_data
from utils.cli import Parser, integer, run_script
from utils.data_utils import BUILT_IN, load_sprites
from utils.training.cuda_graph import GraphedStep
from utils.training.device import PRECISIONS, choose_device, choose_precision, products_in
from utils.training.engine import new_optimizer, train, train_step

EPOCHS = 10_000  # of the default run
LR = 5e-4
SHAPES = ((256, 4800, 1024), (256, 1024, 1024), (2048, 2048, 2048), (4096, 4096, 4096))
COPY_BYTES = 400 * 2**20


def get_args_parser() -> argparse.ArgumentParser:
    """Return the parser of this program's arguments."""
    parser = Parser("Time the training step.")
    parser.add_argument("--data_path", default=BUILT_IN, help="folder of PNGs of 40x40")
    parser.add_argument("--precision", choices=("auto", *PRECISIONS), default="auto")
    parser.add_argument("--device", help="as main.py takes it")
    parser.add_argument("--cuda_graph", action="store_true", help="time the graph")
    parser.add_argument("--batch_size", type=integer(1), default=256)
    parser.add_argument("--rounds", type=integer(1), default=10, help="in which all takes turns")
    parser.add_argument("--json", action="store_true", help="print one JSON object alone")
    return parser


def main(args: argparse.Namespace) -> None:
    """Measure in turns, and print the medians."""
    device, line = choose_device(args.device)
    say = partial(print, file=sys.stderr if args.json else sys.stdout)
    say(line)
    sprites = load_sprites(args.data_path)
    pixels = sprites.pixels.to(device)
    batch_size = min(args.batch_size, len(pixels))
    steps = len(pixels) // batch_size
    model = new_model(pixels, device)
    precision, line = choose_precision(args.precision, device)
    say(line)

    with tempfile.TemporaryDirectory() as folder:
        paths = png_files(sprites, Path(folder))
        take_step = GraphedStep(say=say) if args.cuda_graph else train_step
        ours = our_epochs(model, pixels, batch_size, precision, take_step)
        plain = plain_epochs(new_model(pixels, device), paths, device, batch_size=batch_size, lr=LR)
        num_epochs = 1 if device.type == "cpu" else 50  # a GPU would wait at the end of each

        def some_epochs() -> None:
            for _ in range(num_epochs):
                next(ours)

        measured = {
            "seconds_a_step": lambda: seconds(some_epochs, device) / (num_epochs * steps),
            "seconds_plain": lambda: seconds(plain.__next__, device) / steps,
            "flop_rate": lambda: max(flop_rate(s, precision, device) for s in SHAPES),
            "copy_rate": lambda: copy_rate(device),
        }
        for measure in measured.values():
            measure()  # the first time sets up
        rounds = [
            {name: measure() for name, measure in measured.items()} for _ in range(args.rounds)
        ]
    median = {name: statistics.median(r[name] for r in rounds) for name in measured}
    result = summary(median, model, batch_size, steps) | {
        "precision": precision,
        "device": describe(device),
        "torch": str(torch.__version__),
        "rounds": args.rounds,
        "cuda_graph": args.cuda_graph and not take_step.is_eager,
    }
    print(json.dumps(result) if args.json else table(result))


# ---- what is measured


def new_model(pixels: torch.Tensor, device: torch.device) -> VAE:
    """Return the default model, at its start."""
    torch.manual_seed(0)
    model = VAE()
    initialize_from_data(model, pixels)
    return model.to(device)


def our_epochs(model: VAE, pixels, batch_size: int, precision: str, take_step):
    """Return the loop of main.py."""
    return train(
        model,
        new_optimizer(model, LR),
        pixels,
        pixels[:8],
        epochs=10**9,
        batch_size=batch_size,
        schedule=lambda epoch: LR,
        seed=41,
        recon_weight=10.0,
        kl_weight=1.0,
        precision=precision,
        take_step=take_step,
    )


def flop_rate(shape: tuple[int, int, int], precision: str, device: torch.device) -> float:
    """Return floating-point operations a second of a matrix product."""
    rows, inner, columns = shape
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    a = torch.randn(rows, inner, device=device).to(dtype)
    b = torch.randn(inner, columns, device=device).to(dtype)
    with products_in(precision, device.type):
        a @ b
        return 2 * rows * inner * columns / seconds(lambda: a @ b, device)


def copy_rate(device: torch.device) -> float:
    """Return bytes a second of a copy, read and written ones."""
    source = torch.ones(COPY_BYTES // 4, device=device)
    target = torch.empty_like(source)
    target.copy_(source)
    return 2 * COPY_BYTES / seconds(lambda: target.copy_(source), device)


def seconds(work, device: torch.device) -> float:
    """Return how long a function takes, until the device has done it."""
    wait(device)
    started = time.perf_counter()
    work()
    wait(device)
    return time.perf_counter() - started


def wait(device: torch.device) -> None:
    """Wait until the device has done all that it was given."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


# ---- what follows from it


def step_flops(model: VAE, batch_size: int) -> int:
    """Return the floating-point operations of a step's matrix products.

    Each weight takes a product and a sum a sprite forward, the same for its own gradient, and,
    but for the first layer, for the gradient of its input.
    """
    sizes = [layer.weight.numel() for layer in model.modules() if isinstance(layer, nn.Linear)]
    return 2 * batch_size * (3 * sum(sizes) - sizes[0])


def step_bytes(model: VAE) -> int:
    """Return the bytes that a step must move: weights forward and backward, gradients, Adam."""
    total = sum(weight.numel() for weight in model.parameters())
    first = next(model.parameters()).numel()
    return 4 * total + 4 * (total - first) + 4 * total + 28 * total


def summary(median: dict[str, float], model: VAE, batch_size: int, steps: int) -> dict:
    """Return the figures that are printed."""
    ours, plain = median["seconds_a_step"], median["seconds_plain"]
    floor = step_flops(model, batch_size) / median["flop_rate"]
    floor += step_bytes(model) / median["copy_rate"]
    return {
        "ms_a_step": round(1000 * ours, 3),
        "ms_a_step_plain_loop": round(1000 * plain, 3),
        "ms_a_step_floor": round(1000 * floor, 3),
        "ratio_to_floor": round(ours / floor, 3),
        "ratio_to_plain_loop": round(plain / ours, 2),
        "sprites_a_second": round(batch_size / ours),
        "gflop_a_second": round(median["flop_rate"] / 1e9),
        "gb_a_second": round(median["copy_rate"] / 1e9, 1),
        "minutes_of_default_run": round(EPOCHS * steps * ours / 60, 2),
        "batch_size": batch_size,
    }


def describe(device: torch.device) -> str:
    """Return the device in words."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device}, {torch.get_num_threads()} threads"


def table(result: dict) -> str:
    """Return the figures as lines."""
    return "\n".join(f"{name.replace('_', ' '):24}{value}" for name, value in result.items())


if __name__ == "__main__":
    run_script(main, get_args_parser())
