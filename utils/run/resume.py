"""Going on with a run: whose settings count, and whether it is still the same run. No torch."""

import argparse
from pathlib import Path

from utils.run.folder import folder_name, read_args

# Typed beside --resume, these may differ from the run's. The sprites are compared one by one.
FREE = {"resume", "device", "data_path", "state_period", "cuda_graph"}


def typed_arguments(parser: argparse.ArgumentParser, argv: list[str] | None = None) -> set[str]:
    """Return the names of the arguments that were typed, default or not."""
    untouched = object()
    names = vars(parser.parse_args([]))
    filled = argparse.Namespace(**dict.fromkeys(names, untouched))
    parser.parse_args(argv, filled)
    return {name for name, value in vars(filled).items() if value is not untouched}


def resumed_args(args: argparse.Namespace, typed: set[str]) -> tuple[argparse.Namespace, Path]:
    """Return the arguments of the run to go on with, and its folder.

    Parameters
    ----------
    args : Namespace
        With ``resume``: a folder, or "" for the one that the arguments name.
    typed : set of str
        The arguments that count against those of the run.

    Raises
    ------
    ValueError
        If a typed argument differs from the run's, or a folder that was named holds no run.
    """
    if "overwrite" in typed:
        raise ValueError("--resume and --overwrite: one goes on with a run, the other deletes it")
    folder = Path(args.resume) if args.resume else folder_name(args)
    saved = read_args(folder)
    if not saved:
        if folder != folder_name(args):
            raise ValueError(f"--resume {folder}: there is no run (no args.json) in it")
        return args, folder
    if args.precision == "auto":  # which is what the run chose
        typed = typed - {"precision"}
    different = [
        f"--{name} {getattr(args, name)} (the run has {saved[name]})"
        for name in sorted(typed - FREE)
        if name in saved and getattr(args, name) != saved[name]
    ]
    if different:
        raise ValueError(
            f"{', '.join(different)}: {folder} goes on with its own arguments; leave these out"
        )
    kept = {name: saved[name] for name in vars(args) if name in saved and name not in typed & FREE}
    for name, value in kept.items():
        default = getattr(args, name)
        if default is not None and not isinstance(value, (type(default), int)):
            raise ValueError(f"{folder / 'args.json'} is damaged: {name} is {value!r}")
    return argparse.Namespace(**vars(args) | kept | {"resume": args.resume}), folder


def changed_conditions(known: dict[str, object], now: dict[str, object]) -> list[str]:
    """Return a line if what the bits depend on has changed since the state was written."""
    changes = [
        f"{name} was {known[name]} and is {now[name]}" for name in now if known[name] != now[name]
    ]
    return [f"Bits may differ from an unbroken run: {', '.join(changes)}."] if changes else []
