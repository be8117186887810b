"""Kill or stop any one of several processes of a run; count the runs that end as an unbroken one.

    python benchmarks/torture_processes.py --kills 10
    python benchmarks/torture_processes.py --signals 10 --processes 2

Each run is a small one, started by torchrun with restarts; victim and moment are random. A run that
was stopped is started again with the same line. Reads /proc, so it needs Linux.
"""

import argparse
import csv
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from utils.cli import Parser, integer, run_script

MAIN = Path(__file__).parents[1] / "main.py"
EPOCHS = 60
ARGUMENTS = f"--epoch {EPOCHS} --hidden_size 48 --batch_size 10 --data_path monsters:60 --resume"
ARGUMENTS += " --device cpu --precision fp32 --save_period 20 --state_period 2"
FOLDER = Path(f"output_dir_lr0.0005_epoch{EPOCHS}_latent16_hidden48")
MAX_TRIES = 5  # to end a run that was broken once
TORCHRUN = (sys.executable, "-m", "torch.distributed.run")


def get_args_parser() -> argparse.ArgumentParser:
    """Return the parser of this program's arguments."""
    parser = Parser("Torture runs of several processes.")
    add = parser.add_argument
    add("--kills", type=integer(0), default=0, metavar="N", help="runs with one process killed")
    add("--signals", type=integer(0), default=0, metavar="N", help="runs with one sent SIGTERM")
    add("--processes", type=integer(2), default=4, help="of each run")
    add("--seed", type=integer(0), default=0, help="of all that is random")
    return parser


def main(args: argparse.Namespace) -> None:
    """Run the tortures that were asked for, and print a line for each."""
    rng = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        started = time.perf_counter()
        start(args.processes).wait()
        seconds = time.perf_counter() - started
        reference = FOLDER.rename("reference")
        print(f"unbroken run of {args.processes} processes: {seconds:.1f} s", flush=True)
        for name, number, count in (
            ("SIGKILL", signal.SIGKILL, args.kills),
            ("SIGTERM", signal.SIGTERM, args.signals),
        ):
            if count:
                break_runs(name, number, count, args.processes, seconds, reference, rng)


def break_runs(name, number, count, processes, seconds, reference, rng) -> None:
    """Break `count` runs, each once, at random moments, and compare how they end."""
    equal, ended, worst = 0, 0, 0.0
    for _ in range(count):
        shutil.rmtree(FOLDER, ignore_errors=True)
        victim = rng.randrange(processes)
        process = start(processes)
        time.sleep(rng.uniform(0.2, 0.95) * seconds)  # importing takes the first fifth
        found = workers(process.pid)
        if victim in found:
            os.kill(found[victim], number)
        for _ in range(MAX_TRIES):
            if process.wait() == 0:
                break
            process = start(processes)
        ended += process.returncode == 0
        equal += is_equal(reference)
        worst = max(worst, difference(losses(FOLDER), losses(reference)))
        what = f"process {victim} {'hit' if victim in found else 'was gone'}"
        print(f"  {what}, exit code {process.returncode}, equal bytes: {is_equal(reference)}")
    print(
        f"{name}: {ended} of {count} runs ended, {equal} with the bytes of the unbroken one; "
        f"losses of all epochs differ by {worst:.1e} at most, relatively"
    )


def start(processes: int) -> subprocess.Popen:
    """Start or resume the run."""
    options = (f"--nproc_per_node={processes}", "--max_restarts=3", str(MAIN))
    with open("log.txt", "a") as log:
        return subprocess.Popen(
            [*TORCHRUN, *options, *ARGUMENTS.split()],
            stdout=log,
            stderr=log,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )


def workers(parent: int) -> dict[int, int]:
    """Return the processes that torchrun has started, by their ranks."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            is_child = path.joinpath("stat").read_text().rpartition(")")[2].split()[1] == str(
                parent
            )
            lines = path.joinpath("environ").read_text().split("\0") if is_child else []
        except OSError:
            continue  # it has ended meanwhile
        found |= {int(line[5:]): int(path.name) for line in lines if line.startswith("RANK=")}
    return found


def losses(folder: Path) -> list[float]:
    """Return the loss of each epoch of a run."""
    with (folder / "history.csv").open(newline="") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def difference(some: list[float], others: list[float]) -> float:
    """Return the largest relative difference of losses; infinite if epochs are missing."""
    if len(some) != len(others):
        return math.inf
    return max(abs(a - b) / b for a, b in zip(some, others, strict=True))


def is_equal(reference: Path) -> bool:
    """Return whether the last weights and all losses of the run are those of the reference."""
    names = ("history.csv", f"checkpoint_{EPOCHS - 1}.pt")
    return all((FOLDER / name).read_bytes() == (reference / name).read_bytes() for name in names)


if __name__ == "__main__":
    run_script(main, get_args_parser())
