"""Memory and speed of runs with a thousand and with a million sprites.

    python benchmarks/many_sprites.py --sprites 1000 300000 999999 --place .

The sprites are the built-in monsters in other colours, because drawing a million takes twenty
minutes: they are put into a cache as if `monsters:N` had drawn them. A child runs `main.py` for an
epoch of a tiny model, for the memory; this process times steps of the default model, sizes in
turns. Needs Linux, and 5 KB of disk and of memory a sprite.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from train_speed import seconds, wait

from model import VAE, initialize_from_data
from utils.cli import InputError, Parser, integer, run_script
from utils.data_utils import BUILT_IN_SOURCE, divide, load_sprites, split
from utils.sprites.cache import cached, key_of
from utils.sprites.monsters import monster_name
from utils.training.device import choose_device, choose_precision
from utils.training.draws import epoch_draws
from utils.training.engine import Config, Parts, Progress, evaluate, new_optimizer, train

MAIN = Path(__file__).parents[1] / "main.py"
BLOCK = 10_000  # sprites recoloured at once
TINY = "--epoch 1 --hidden_size 8 --device cpu --precision fp32 --overwrite --output_dir tiny"


def get_args_parser() -> argparse.ArgumentParser:
    """Return the parser of this program's arguments."""
    parser = Parser("Measure memory and speed by the number of sprites.")
    add = parser.add_argument
    text = "numbers of sprites, the smallest first; at most 999999"
    add("--sprites", type=integer(100, 999_999), nargs="+", default=[1000, 300_000], help=text)
    add("--steps", type=integer(1), default=30, help="timed in each round")
    add("--rounds", type=integer(1), default=5, help="in which the sizes take turns")
    add("--batch_size", type=integer(1), default=256)
    add("--hidden_size", type=integer(1), default=1024, help="of the model that is timed")
    add("--device", help="as main.py takes it, for the times")
    add("--place", help="folder for the caches; that of temporary files if left out")
    add("--only_memory", action="store_true", help="leave the times out")
    return parser


def main(args: argparse.Namespace) -> None:
    """Measure, and print a line for the memory of each, and one for its speed."""
    if 0.9 * min(args.sprites) < 2 * args.batch_size:
        raise InputError(f"--sprites {min(args.sprites)}: steps are timed between two of an epoch")
    with tempfile.TemporaryDirectory(dir=args.place) as place:
        for count in args.sprites:
            keep_recoloured(count, Path(place))
        fixed = None
        for count in args.sprites:
            peak, seconds = memory_of_run(count, place)
            fixed = fixed or (count, peak)
            line = f"{count:,} sprites: {peak / 1e9:.2f} GB at most, {seconds:.0f} s in all"
            if count > fixed[0]:
                line += f", {(peak - fixed[1]) / (count - fixed[0]):,.0f} bytes a sprite more"
            print(line, flush=True)
        if not args.only_memory:
            print(*speeds(args, place), sep="\n")


def keep_recoloured(count: int, folder: Path) -> None:
    """Write a cache that holds recoloured monsters under the name of `monsters:count`."""
    names, source = [monster_name(index) for index in range(count)], f"{BUILT_IN_SOURCE}:{count}"
    rest = {"names": names, "source": source, "notes": [f"Sprites: {count} recoloured monsters."]}
    cached(folder, key_of(source, 40, None, "crop"), lambda: (recoloured(count), rest))


def recoloured(count: int) -> np.ndarray:
    """Return monsters whose three colours are darkened at random, uint8 (count, 3, 40, 40)."""
    rng = np.random.default_rng(0)
    monsters = load_sprites("monsters").pixels.numpy()
    pixels = np.empty((count, *monsters.shape[1:]), np.uint8)
    for start in range(0, count, BLOCK):
        stop = min(start + BLOCK, count)
        share = rng.integers(128, 257, (stop - start, 3, 1, 1), np.uint16)  # of 256
        pixels[start:stop] = monsters[np.arange(start, stop) % len(monsters)] * share >> 8
    return pixels


def memory_of_run(count: int, cache: str) -> tuple[int, float]:
    """Return the most bytes that a run held, and the seconds that it took."""
    command = [sys.executable, str(MAIN), "--data_path", f"monsters:{count}", "--cache", cache]
    started, peak = time.perf_counter(), 0
    process = subprocess.Popen([*command, *TINY.split()], cwd=cache, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        # Not from getrusage, which counts what this process held when it started the child.
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                peak = int(line.split()[1]) * 1024
        time.sleep(0.05)
    if process.returncode:
        raise ChildProcessError(f"a run of {count} sprites ended with code {process.returncode}")
    return peak, time.perf_counter() - started


def speeds(args: argparse.Namespace, cache: str) -> list[str]:
    """Return a line per number of sprites: how long an epoch takes, and what it is made of."""
    device, line = choose_device(args.device)
    precision, _ = choose_precision("auto", device)
    config = Config(epochs=10**6, batch_size=args.batch_size, precision=precision)
    runs = {}
    for count in args.sprites:
        pixels = load_sprites(f"monsters:{count}", cache=cache).pixels.to(device)
        parts = Parts(*divide(pixels, *split(count, 0.01, 41)))
        torch.manual_seed(0)
        model = VAE(40, args.hidden_size)
        initialize_from_data(model, parts.train)
        runs[count] = (model.to(device), parts)
    steps = {count: [] for count in runs}
    for _ in range(args.rounds):
        for count, (model, parts) in runs.items():
            steps[count] += step_seconds(model, parts, config, args.steps, device)
    lines = [line]
    for count, (model, parts) in runs.items():
        step = statistics.median(steps[count])
        draws = second_time(partial(draw, len(parts.train), config), device)
        held_out = second_time(partial(evaluate, model, parts.val), device)
        num_steps = max(1, len(parts.train) // args.batch_size)
        epoch = draws + num_steps * step + held_out
        rate = num_steps * min(args.batch_size, len(parts.train)) / epoch
        lines.append(
            f"{count:,} sprites: {1000 * step:.2f} ms a step, {1000 * draws:.1f} to draw an epoch, "
            f"{1000 * held_out:.1f} for held-out losses; {rate:,.0f} sprites/s"
        )
    return lines


def step_seconds(model, parts, config, count: int, device) -> list[float]:
    """Return how long steps take, but for the last of each epoch."""
    taken, before = [], None

    def should_stop() -> bool:
        nonlocal before
        wait(device)
        now = time.perf_counter()
        taken.extend([now - before] if before is not None else [])
        before = now
        return len(taken) == count

    for _ in train(model, new_optimizer(model), parts, config, Progress(), should_stop):
        before = None
    return taken


def draw(num_sprites: int, config: Config) -> None:
    """Draw all that is random in an epoch."""
    epoch_draws(0, 0, num_sprites=num_sprites, batch_size=config.batch_size, latent_size=16)


def second_time(work, device: torch.device) -> float:
    """Return how long a function takes when it is called again."""
    work()
    return seconds(work, device)


if __name__ == "__main__":
    run_script(main, get_args_parser())
