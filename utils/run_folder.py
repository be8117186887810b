"""The folder of a run: its name, what is in it, and that no two runs mix in it."""

import json
from argparse import Namespace
from pathlib import Path

# Every file that a run writes. --overwrite removes these and nothing else.
RUN_FILES = (
    "args.json",
    "history.csv",
    "reconstructions.png",
    "samples.png",
    "checkpoint_*.pt",
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
