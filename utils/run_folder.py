"""The folder of a run: its name, what is in it, and that no two runs mix in it."""

import json
import re
from argparse import Namespace
from pathlib import Path

# Every file that a run writes. --overwrite removes these and nothing else.
RUN_FILES = (
    "args.json",
    "history.csv",
    "reconstructions.png",
    "samples.png",
    "checkpoint_*.pt",
    "checkpoint_*_*.npz",
    "events.out.tfevents.*",
    "*.tmp",
)


def folder_name(args: Namespace) -> Path:
    """Return where a run of these arguments writes."""
    return Path(
        f"{args.output_dir}_lr{args.lr}_epoch{args.epoch}"
        f"_latent{args.latent_size}_hidden{args.hidden_size}"
    )


def own_files(folder: Path) -> list[Path]:
    """Return the files of a run that a folder holds."""
    return [path for pattern in RUN_FILES for path in sorted(folder.glob(pattern))]


def claim_folder(folder: Path, overwrite: bool) -> None:
    """Make the folder of a new run, free of the files of another.

    Raises
    ------
    ValueError
        If the folder holds a run and `overwrite` is false, or it cannot be written to.
    """
    if own_files(folder) and not overwrite:
        raise ValueError(
            f"{folder} holds a run already; name another --output_dir, "
            "or give --overwrite to delete that run and start anew"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "args.json.tmp").write_text("")  # before anything is deleted: can we write?
        for path in own_files(folder):
            path.unlink()
    except OSError as error:
        raise ValueError(f"cannot write to the output folder {folder} ({error.strerror})") from None


def checkpoint_path(folder: Path, epoch: int) -> Path:
    """Return where the weights of an epoch are kept."""
    return folder / f"checkpoint_{epoch}.pt"


def save_args(folder: Path, args: Namespace, **found: object) -> None:
    """Write the arguments of a run, and what was found out for it, to ``args.json``."""
    text = json.dumps(vars(args) | found, indent=2, default=str)
    (folder / "args.json").write_text(text + "\n", encoding="utf-8")


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
        raise ValueError("there is no run output_dir_* here; python main.py comes first")
    return max(runs, key=lambda run: (run / "args.json").stat().st_mtime_ns)


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
