"""The folder of a run: its name, what is in it, and that no two runs mix in it."""

import json
import re
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from utils.files import write_json

# Every file that a run writes. --overwrite removes these and nothing else.
RUN_FILES = (
    "args.json",
    "history.csv",
    "reconstructions.png",
    "samples.png",
    "checkpoint_*.pt",
    "state_*.pt",
    "checkpoint_*_*.npz",
    "events.out.tfevents.*",
)
SUFFIXES = ("", ".sha256", ".tmp", ".sha256.tmp")  # sums, and what a killed run left unfinished
LOCK = ".lock"  # stays, but holds nobody up when its process is gone


def folder_name(args: Namespace) -> Path:
    """Return where a run of these arguments writes."""
    return Path(
        f"{args.output_dir}_lr{args.lr}_epoch{args.epoch}"
        f"_latent{args.latent_size}_hidden{args.hidden_size}"
    )


def own_files(folder: Path) -> list[Path]:
    """Return the files of a run that a folder holds."""
    patterns = [pattern + suffix for pattern in RUN_FILES for suffix in SUFFIXES]
    return sorted({path for pattern in patterns for path in folder.glob(pattern)})


def unfinished_files(folder: Path) -> list[Path]:
    """Return what a killed run was about to write."""
    return [path for path in own_files(folder) if path.suffix == ".tmp"]


def start(folder: Path, settings: dict, *, overwrite: bool) -> None:
    """Begin a run in a locked folder: remove the files of an older one, and write ``args.json``.

    Raises
    ------
    ValueError
        If there is an older one and `overwrite` is false.
    """
    if own_files(folder) and not overwrite:
        raise ValueError(
            f"{folder} holds a run already; go on with it by --resume, start anew by --overwrite, "
            "or name another --output_dir"
        )
    for path in own_files(folder):
        path.unlink()
    write_json(folder / "args.json", settings)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make the folder of a run, and hold it for this process until it ends in whatever way.

    Raises
    ------
    ValueError
        If another process holds it, or it cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = FileLock(folder / LOCK).acquire(blocking=False)
    except Timeout:
        raise ValueError(f"another process trains in {folder}; name another --output_dir") from None
    except OSError as error:
        raise ValueError(f"cannot write to the output folder {folder} ({error.strerror})") from None
    with held:
        yield


def checkpoint_path(folder: Path, epoch: int) -> Path:
    """Return where the weights of an epoch are kept."""
    return folder / f"checkpoint_{epoch}.pt"


# ---- reading a run


def newest_run() -> Path:
    """Return the folder of the run in this folder that was started last.

    Raises
    ------
    ValueError
        If there is none.
    """
    runs = [path.parent for path in Path().glob("output_dir_*/args.json")]
    if not runs:
        raise ValueError(
            "there is no run output_dir_* here; python main.py comes first, or name one by --run"
        )
    return max(runs, key=lambda run: (run / "args.json").stat().st_mtime_ns)


def runs_with_state() -> list[Path]:
    """Return the folders of all runs in this folder that can be gone on with."""
    return sorted({path.parent for path in Path().glob("output_dir_*/state_*.pt")})


def checkpoints(folder: Path) -> dict[int, Path]:
    """Return the checkpoints of a run by their epochs, first to last.

    Raises
    ------
    ValueError
        If there is none.
    """
    names = {path: re.fullmatch(r"checkpoint_(\d+)\.pt", path.name) for path in folder.glob("*")}
    found = sorted((int(match[1]), path) for path, match in names.items() if match)
    if not found:
        raise ValueError(f"there is no checkpoint_*.pt in {folder}; python main.py makes them")
    return dict(found)


def read_args(folder: Path) -> dict:
    """Return the arguments of a run, or nothing if the folder is not one of a run.

    Raises
    ------
    ValueError
        If ``args.json`` is damaged.
    """
    path = folder / "args.json"
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error})") from None


def state_paths(folder: Path) -> list[Path]:
    """Return the states of a run, the newest first."""
    found = {path: re.fullmatch(r"state_(\d+)_(\d+)\.pt", path.name) for path in folder.glob("*")}
    progress = {path: (int(m[1]), int(m[2])) for path, m in found.items() if m}
    return sorted(progress, key=progress.get, reverse=True)


def can_resume(folder: Path) -> bool:
    """Return whether a run has a state to go on from.

    Raises
    ------
    ValueError
        If it has none but is past its first epoch, after which there always is one: starting anew
        would lose its checkpoints.
    """
    if state_paths(folder):
        return True
    if [path for path in folder.glob("checkpoint_*.pt") if path.name != "checkpoint_0.pt"]:
        raise ValueError(
            f"--resume: {folder} has checkpoints but no training state; give --overwrite instead "
            "to delete them and start anew, or another --output_dir with --weights"
        )
    return False
