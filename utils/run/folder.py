"""The folder of a run: its name, what is in it, that no two runs mix, and how one is resumed.

Imports no torch, so that wrong arguments are answered at once.
"""

import errno
import json
import re
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from utils.cli import InputError
from utils.files import UNKNOWN, write_json

# The names of all files that a run writes. --overwrite removes these and nothing else.
RUN_FILES = re.compile(
    r"(args\.json|sprites\.json|history\.csv|reconstructions\.png|samples\.png"
    r"|checkpoint_\d+\.pt|checkpoint_\d+_[a-z]+\.npz|state_\d+_\d+\.pt"
    r"|events\.out\.tfevents\..+|projector_(means\.tsv|names\.tsv|sprites\.png|config\.pbtxt))"
    r"(\.sha256)?(\.tmp)?"  # checksums, and what a killed run left behind
)
PROBE = ".probe"
LOCK = ".lock"  # stays, but blocks nobody once its process is gone


def folder_name(args: Namespace) -> Path:
    """Return where a run of these arguments writes."""
    return Path(
        f"{args.output_dir}_lr{args.lr}_epoch{args.epoch}"
        f"_latent{args.latent_size}_hidden{args.hidden_size}"
    )


def matching(folder: Path, pattern: str | re.Pattern) -> dict[Path, re.Match]:
    """Return the files in a folder whose whole names match a pattern, with the matches."""
    matches = {path: re.fullmatch(pattern, path.name) for path in folder.glob("*")}
    return {path: match for path, match in matches.items() if match}


def own_files(folder: Path) -> list[Path]:
    """Return the files of a run that a folder holds."""
    return sorted(matching(folder, RUN_FILES))


def unfinished_files(folder: Path) -> list[Path]:
    """Return what a killed run was about to write."""
    return [path for path in own_files(folder) if path.suffix == ".tmp"]


def start(folder: Path, settings: dict, sprites: dict[str, str], *, overwrite: bool) -> None:
    """Begin a run in a locked folder: remove the files of an older one, and write the first two.

    They are ``args.json`` and ``sprites.json``, the names of the sprites with their digests.

    Raises
    ------
    ValueError
        If there is an older one and `overwrite` is false.
    """
    if own_files(folder) and not overwrite:
        raise InputError(
            f"{folder} already holds a run; resume it with --resume, replace it with --overwrite, "
            "or name another --output_dir"
        )
    for path in own_files(folder):
        path.unlink()
    write_json(folder / "sprites.json", sprites)
    write_json(folder / "args.json", settings)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make the folder of a run, and hold it for this process until it ends in whatever way.

    Where the file system has no locks, a line says so, and nothing is held.

    Raises
    ------
    ValueError
        If another process holds it, or it cannot be written to.
    """
    lock = FileLock(folder / LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Tells a folder that cannot be written from a lock that cannot be had. Not by the name of
        # the lock: where there is no flock, newer filelocks take a file of that name for one.
        (folder / PROBE).touch()
        (folder / PROBE).unlink()
        lock.acquire(blocking=False)
    except Timeout:
        raise InputError(f"another process trains in {folder}; name another --output_dir") from None
    except (NotImplementedError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in UNKNOWN | {errno.ENOLCK}:
            raise InputError(
                f"cannot write to the output folder {folder} ({error.strerror})"
            ) from None
        print(f"{folder} is on a file system without locks: start no second run in it.")
    try:
        yield
    finally:
        lock.release()


def checkpoint_path(folder: Path, epoch: int) -> Path:
    """Return where the weights of an epoch are kept."""
    return folder / f"checkpoint_{epoch}.pt"


# ---- reading a run


def newest_run() -> Path:
    """Return the folder of the newest run in this folder that has a checkpoint, and say which.

    Raises
    ------
    ValueError
        If there is none.
    """
    runs = [path.parent for path in Path().glob("*/args.json")]
    runs = [run for run in runs if any(run.glob("checkpoint_*.pt"))]
    if not runs:
        raise InputError(
            "there is no run with a checkpoint in this folder; run python main.py first, or name "
            "one with --run"
        )
    newest = max(runs, key=lambda run: (run / "args.json").stat().st_mtime_ns)
    if len(runs) > 1:
        print(f"The newest of {len(runs)} runs here: {newest}.", file=sys.stderr)
    return newest


def runs_with_state() -> list[Path]:
    """Return the folders of all runs here that can be resumed."""
    return sorted({path.parent for path in Path().glob("*/state_*.pt")})


def checkpoints(folder: Path) -> dict[int, Path]:
    """Return the checkpoints of a run by their epochs, first to last.

    Raises
    ------
    ValueError
        If there is none.
    """
    names = matching(folder, r"checkpoint_(\d+)\.pt")
    found = sorted((int(match[1]), path) for path, match in names.items())
    if not found:
        raise InputError(f"there is no checkpoint_*.pt in {folder}; python main.py makes them")
    return dict(found)


def read_args(folder: Path) -> dict:
    """Return the arguments of a run, or nothing if the folder is not one of a run."""
    return read_dictionary(folder / "args.json")


def read_sprites(folder: Path) -> dict[str, str]:
    """Return the names and digests of a run's sprites, or nothing if it does not say."""
    return read_dictionary(folder / "sprites.json")


def read_dictionary(path: Path) -> dict:
    """Return the dictionary in a JSON file, or an empty one if there is no such file.

    Raises
    ------
    ValueError
        If it is damaged.
    """
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise InputError(f"{path} is damaged ({error})") from None


def state_paths(folder: Path) -> list[Path]:
    """Return the states of a run, newest first."""
    found = matching(folder, r"state_(\d+)_(\d+)\.pt")
    progress = {path: (int(match[1]), int(match[2])) for path, match in found.items()}
    return sorted(progress, key=progress.get, reverse=True)


# ---- resuming a run

# Typed beside --resume, these may differ from the run's. The sprites are compared one by one.
FREE = {"resume", "device", "data_path", "state_period", "cache"}
# Arguments that older runs have not got, as they were then.
BEFORE = {
    "background": "keep",
    "encoder_lr": None,
    "fix_encoder": False,
    "huber": 1.0,
    "hybrids": 0,
    "mirror": False,
}


def resumed_args(args: Namespace, parser: ArgumentParser) -> tuple[Namespace, Path]:
    """Return the arguments of the run to resume, and its folder.

    Parameters
    ----------
    args : Namespace
        With ``resume``: a folder, or "" for the one that the arguments name; and ``typed``, the
        names of the arguments that must agree with those of the run.
    parser : ArgumentParser
        Of main.py; checks what the run has saved.

    Raises
    ------
    ValueError
        If a typed argument differs from the run's, or a folder that was named holds no run.
    """
    typed = args.typed
    if "overwrite" in typed:
        raise InputError("--resume and --overwrite: one continues a run, the other deletes it")
    folder = Path(args.resume) if args.resume else folder_name(args)
    saved = read_args(folder)
    if not saved:
        if folder != folder_name(args):
            raise InputError(f"--resume {folder}: there is no run (no args.json) in it")
        return args, folder
    if args.precision == "auto":  # which is what the run chose
        typed = typed - {"precision"}
    saved = BEFORE | saved
    different = [
        f"--{name} {getattr(args, name)} (the run has {saved[name]})"
        for name in sorted(typed - FREE)
        if name in saved and getattr(args, name) != saved[name]
    ]
    if different:
        raise InputError(
            f"{', '.join(different)}: {folder} is resumed with its own arguments; leave these out"
        )
    check_saved(saved, args, parser, folder / "args.json")
    kept = {name: saved[name] for name in vars(args) if name in saved and name not in typed & FREE}
    return Namespace(**vars(args) | kept | {"resume": args.resume}), folder


def check_saved(saved: dict, args: Namespace, parser: ArgumentParser, path: Path) -> None:
    """Parse the saved arguments as if they were typed: a damaged one ends the program in a line."""
    line = []
    for name in vars(args).keys() & saved.keys():
        value = saved[name]
        if isinstance(value, bool):
            line.append(f"--{name}" if value else f"--no-{name}")
        elif name == "tile" and isinstance(value, list):
            line.append(f"--tile={'x'.join(map(str, value))}")
        elif isinstance(value, list) and value:
            line += [f"--{name}", *map(str, value)]
        elif value not in (None, []):
            line.append(f"--{name}={value}")
    parser.prog = str(path)
    parser.parse_args(line)


def can_resume(folder: Path) -> bool:
    """Return whether a run has a state to resume from.

    Raises
    ------
    ValueError
        If it has none although it is past its first epoch, after which there always is one:
        starting again would lose its checkpoints.
    """
    if state_paths(folder):
        return True
    if matching(folder, r"checkpoint_[1-9]\d*\.pt"):
        raise InputError(
            f"--resume: {folder} has checkpoints but no training state; give --overwrite instead "
            "to delete them and start again, or another --output_dir with --weights"
        )
    return False
