"""Kill runs, fill disks, flip bits and feed garbage; count what survives.

    python benchmarks/torture.py --kills 100
    python benchmarks/torture.py --signals 20 --full_disk 40 --damage 250 --fuzz 10000

Each run is a small one with short periods, in a child process, and is resumed until it is done. It
must end with the bytes of the unbroken run. Needs a system with fork (Linux, macOS).
"""

import argparse
import contextlib
import errno
import io
import logging
import multiprocessing
import os
import random
import resource
import shutil
import signal
import struct
import sys
import tempfile
import time
import zipfile
import zlib
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import main
from model import VAE
from utils import files
from utils.cli import Parser, integer, run_script
from utils.data_utils import load_sprite, load_sprites
from utils.run.checkpoint import load_vae, save_weights

EPOCHS = 30
ARGUMENTS = f"--epoch {EPOCHS} --hidden_size 48 --batch_size 8 --device cpu --data_path figure"
ARGUMENTS += " --save_period 5 --state_period 2"
FOLDER = Path(f"output_dir_lr0.0005_epoch{EPOCHS}_latent16_hidden48")
RESULTS = ("history.csv", "samples.png", "reconstructions.png", f"checkpoint_{EPOCHS - 1}.pt")
MAX_TRIES = 20  # to end a run that is broken a few times
MAX_SECONDS = 1.0  # for one broken file


def get_args_parser() -> argparse.ArgumentParser:
    """Return the parser of this program's arguments."""
    parser = Parser("Torture training runs and readers of files.")
    for name, what in (
        ("kills", "runs killed with SIGKILL at random moments, some several times"),
        ("signals", "runs stopped with SIGTERM at random moments"),
        ("full_disk", "runs whose disk is full at one write, each write in turn"),
        ("damage", "files of a run that are truncated or get one bit flipped"),
        ("fuzz", "mutated PNGs; a tenth as many checkpoints and zips"),
    ):
        parser.add_argument(f"--{name}", type=integer(0), default=0, metavar="N", help=what)
    parser.add_argument("--seed", type=integer(0), default=0, help="of all that is random")
    return parser


def main_torture(args: argparse.Namespace) -> None:
    """Run the tortures that were asked for, and print a line for each."""
    rng = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        write_sprites(Path("figure"))
        reference = Path("reference")
        process, started = start(), time.perf_counter()
        process.join()
        seconds = time.perf_counter() - started
        FOLDER.rename(reference)
        print(f"unbroken run: {seconds:.1f} s")
        if args.kills:
            break_runs("SIGKILL", signal.SIGKILL, args.kills, seconds, reference, rng)
        if args.signals:
            break_runs("SIGTERM", signal.SIGTERM, args.signals, seconds, reference, rng)
        if args.full_disk:
            fill_disks(args.full_disk, reference)
        if args.damage:
            damage_files(args.damage, reference, rng)
        if args.fuzz:
            fuzz(args.fuzz, rng)


# ---- runs


def start(*, full_at: int = 0) -> multiprocessing.Process:
    """Start or resume the run in a child; its disk is full at the write number `full_at`."""

    def child():
        log = open("log.txt", "a")
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        if full_at:
            files.os.fsync = full_disk(full_at)
        sys.argv = ["main.py", *ARGUMENTS.split(), "--resume"]
        run_script(main.main, main.get_args_parser())

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    return process


def full_disk(at: int):
    """Return an fsync that finds the disk full at its call number `at`."""
    sync, count = os.fsync, 0

    def fsync(handle):
        nonlocal count
        count += 1
        if count == at:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(handle)

    return fsync


def break_runs(name, number, count, seconds, reference, rng) -> None:
    """Break `count` runs at random moments, resume each until it is done, and compare."""
    same, breaks = 0, 0
    for _ in range(count):
        shutil.rmtree(FOLDER, ignore_errors=True)
        times = rng.choice((1, 1, 1, 2, 4))
        for _ in range(MAX_TRIES):
            process = start()
            if times:
                process.join(rng.uniform(0, seconds))
            if times and process.is_alive():
                os.kill(process.pid, number)
                breaks += 1
            times = max(0, times - 1)
            process.join()
            if process.exitcode == 0:
                break
        same += is_same(reference)
    print(f"{name}: {same} of {count} runs ended as the unbroken one ({breaks} breaks)")


def fill_disks(count: int, reference: Path) -> None:
    """Let the disk be full at each of the first `count` writes in turn, then resume."""
    same = 0
    for at in range(1, count + 1):
        shutil.rmtree(FOLDER, ignore_errors=True)
        process = start(full_at=at)
        process.join()
        broken = process.exitcode == 1
        process = start()
        process.join()
        same += broken and process.exitcode == 0 and is_same(reference)
    print(f"full disk: {same} of {count} runs said so with exit code 1, and ended alike")


def is_same(reference: Path) -> bool:
    """Return whether the run ended as the reference, with each epoch once in TensorBoard."""
    equal = all((FOLDER / name).read_bytes() == (reference / name).read_bytes() for name in RESULTS)
    events = EventAccumulator(str(FOLDER), size_guidance={"scalars": 0}).Reload()
    steps = [point.step for point in events.Scalars("train/epoch_loss")]
    return equal and steps == list(range(EPOCHS)) and not list(FOLDER.glob("*.tmp"))


def damage_files(count: int, reference: Path, rng: random.Random) -> None:
    """Truncate (a fifth) or flip one bit of a state or checkpoint, and see that it is noticed."""
    paths = [*reference.glob("checkpoint_*.pt"), *reference.glob("state_*.pt")]
    noticed = 0
    for index in range(count):
        path = rng.choice(paths)
        whole = path.read_bytes()
        if index % 5 == 0:
            path.write_bytes(whole[: rng.randrange(len(whole))])
        else:
            path.write_bytes(flip(whole, rng))
        try:
            load_vae(path) if path.name.startswith("checkpoint") else files.read_verified(path)
        except ValueError as error:
            noticed += "is damaged" in str(error)
        path.write_bytes(whole)
    print(f"damage: {noticed} of {count} noticed")


# ---- readers


def flip(data: bytes, rng: random.Random) -> bytes:
    """Return data with one bit flipped."""
    changed = bytearray(data)
    changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Return data after one to eight random edits: bits, bytes, cuts, copies, large numbers."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        at, length = rng.randrange(len(changed) + 1), rng.randint(1, 32)
        kind = rng.randrange(6)
        if kind == 0:
            changed[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 1:
            del changed[at : at + length]
        elif kind == 2:
            changed[at:at] = rng.randbytes(length)
        elif kind == 3:
            changed[at : at + 4] = rng.choice((b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff"))
        elif kind == 4:
            other = rng.randrange(len(changed) + 1)
            changed[at:at] = changed[other : other + length]
        else:
            changed = changed[: max(1, at)] if rng.random() < 0.1 else changed
        changed = changed or bytearray(b"\0")
    return bytes(changed)


def mutate_png(data: bytes, rng: random.Random) -> bytes:
    """Return a PNG with one chunk mutated, its check sum made to fit so that decoders go deeper."""
    chunks, at = [], 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    index = rng.randrange(len(chunks) - 1)
    kind, content = chunks[index]
    if kind == b"IDAT" and rng.random() < 0.5:
        content = zlib.compress(mutate(zlib.decompress(content), rng))
    else:
        content = mutate(content, rng) if content else rng.randbytes(4)
    chunks[index] = (kind, content)
    if rng.random() < 0.3:
        chunks.insert(rng.randrange(1, len(chunks)), rng.choice(chunks))
    parts = [
        struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in chunks
    ]
    return data[:8] + b"".join(parts)


def fuzz(count: int, rng: random.Random) -> None:
    """Read mutated PNGs, checkpoints and zips; anything but a result or ValueError is a crash."""
    seeds = png_seeds()
    torture("PNGs", count // 2, seeds, mutate, "a.png", load_sprite, rng)
    torture("PNGs with sums", count - count // 2, seeds, mutate_png, "a.png", load_sprite, rng)
    save_weights(Path("seed.pt"), VAE(8, 16, 3))
    seed = Path("seed.pt").read_bytes()
    torture("checkpoints", count // 10, [seed], mutate, "b.pt", load_vae, rng)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for index, data in enumerate(seeds):
            archive.writestr(f"{index}.png", data)
    torture("zips", count // 10, [buffer.getvalue()], mutate, "c.zip", load_sprites, rng)


def torture(name, count, seeds, change, file, read, rng) -> None:
    """Read `count` mutations of the seeds, and print what came of them."""
    path = Path(file)
    refused = crashes = slow = 0
    longest = 0.0
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(count):
        path.write_bytes(change(rng.choice(seeds), rng))
        started = time.perf_counter()
        try:
            read(path)
        except ValueError as error:
            refused += 1
            crashes += "\n" in str(error)
        except Exception as error:
            crashes += 1
            path.replace(f"crash_{name}_{crashes}")
            print(f"  {name}: {type(error).__name__}: {error}")
        seconds = time.perf_counter() - started
        longest = max(longest, seconds)
        slow += seconds > MAX_SECONDS
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024
    print(
        f"{name}: {count} mutated, {refused} refused in a line, {crashes} crashes, {slow} over "
        f"{MAX_SECONDS:.0f} s (longest {longest:.2f} s), {memory:.0f} MB more memory"
    )


def png_seeds() -> list[bytes]:
    """Return one small PNG of each colour type."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 4), np.uint8)
    images = [Image.fromarray(noise).convert(mode) for mode in ("1", "L", "LA", "RGB", "RGBA", "P")]
    images.append(Image.fromarray(noise.view(np.uint16)[..., 0].copy()))
    data = []
    for image in images:
        buffer = io.BytesIO()
        image.save(buffer, format="PNG")
        data.append(buffer.getvalue())
    return data


def write_sprites(folder: Path) -> None:
    """Write a few built-in monsters as PNGs."""
    from utils.sprites.monsters import draw_monster, monster_name

    folder.mkdir()
    for index in range(24):
        Image.fromarray(draw_monster(index)).save(folder / monster_name(index))


if __name__ == "__main__":
    torch.set_num_threads(1)
    logging.getLogger("tensorboard").setLevel(logging.ERROR)  # it tells of each break
    with contextlib.suppress(BrokenPipeError):
        run_script(main_torture, get_args_parser())
