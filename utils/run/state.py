"""The state of a training run on disk: enough to continue as if nothing had happened.

A state holds the state dicts of what is trained, the progress, and what a resumed run is checked
against. It holds no generator state, because everything random comes from (seed, epoch). Two states
are kept, ``state_{epoch}_{step}.pt``; an older one goes only when a newer one has been read back.
"""

import io
import pickle
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from model import VAE
from utils.cli import InputError
from utils.data_utils import check_sprites
from utils.files import read_verified, sum_path, verify
from utils.run.checkpoint import first_line, write_tensors
from utils.run.folder import FREE, state_paths, unfinished_files
from utils.training import draws, processes
from utils.training.engine import Config, Progress

KEPT = 2
TIME_SHARE = 0.02  # of a run that writing its states may take


@dataclass(frozen=True)
class Training:
    """Everything that training changes."""

    model: VAE
    optimizer: torch.optim.Optimizer
    progress: Progress


@dataclass(frozen=True)
class Identity:
    """What makes a run the same run when it is resumed."""

    settings: dict[str, object]  # of args.json
    sprites: dict[str, str | Tensor]  # their `fingerprints`
    conditions: dict[str, object]  # what the bits depend on besides


def conditions(device: torch.device, config: Config) -> dict[str, object]:
    """Return what the bits of a run depend on, besides its arguments and sprites."""
    augmentation = config.augmentation
    strengths = None if augmentation is None else [*augmentation, augmentation.num_uniforms]
    return {
        "torch": str(torch.__version__),
        "device": str(device),
        "threads": torch.get_num_threads(),
        "processes": processes.count(),
        "augmentation": strengths,
        "hybrids": [*draws.PARENTS, draws.PARTS, draws.EQUAL] if config.hybrids else None,
    }


def copy_of(training: Training, identity: Identity) -> dict:
    """Return all that a state holds as it is now; training does not change it any more."""
    trained = {
        "model": training.model.state_dict(),
        "optimizer": training.optimizer.state_dict(),
    }
    return deepcopy({"trained": trained, **vars(training.progress)}) | {
        "args": identity.settings,
        "sprites": identity.sprites,
        "conditions": identity.conditions,
    }


def save(folder: Path, state: dict) -> None:
    """Write a state (see `copy_of`), read it back, and only then remove all but the newest two.

    Raises
    ------
    FloatingPointError
        If a tensor is not finite; nothing is written then.
    """
    path = folder / f"state_{state['epoch']}_{state['step']}.pt"
    write_tensors(
        path,
        state,
        refusal=f"weights are not finite numbers in epoch {state['epoch']}; what was written "
        "before is whole. Try a lower --lr, a longer --warmup_epochs or other weights of the loss",
    )
    verify(path)
    for old in state_paths(folder)[KEPT:]:
        remove_state(old)


def remove_state(path: Path) -> None:
    """Remove a file and its checksum."""
    path.unlink()
    sum_path(path).unlink(missing_ok=True)


def restore(folder: Path, training: Training, identity: Identity) -> list[str]:
    """Bring all that is trained and the progress to the newest whole state.

    Also removes what a killed process left unfinished, and states that are damaged.

    Returns
    -------
    list of str
        Lines for the console.

    Raises
    ------
    ValueError
        If no state is whole, or the sprites are others.
    """
    state, path, lines = load(folder)
    check_sprites(state["sprites"], identity.sprites)
    check_settings(state["args"], identity.settings, folder)
    training.model.load_state_dict(state["trained"]["model"])
    training.optimizer.load_state_dict(state["trained"]["optimizer"])
    progress = training.progress
    progress.epoch, progress.step, progress.totals = state["epoch"], state["step"], state["totals"]
    newest = state_paths(folder).index(path)
    for useless in [*unfinished_files(folder), *state_paths(folder)[:newest]]:
        remove_state(useless)
    lines += changed_conditions(state["conditions"], identity.conditions)
    if progress.epoch < identity.settings["epoch"]:
        lines.append(f"Resuming in epoch {progress.epoch}, at step {progress.step}.")
    return lines


def spread(training: Training) -> None:
    """Bring the optimiser and the progress of all processes to those of the first.

    The weights follow, when `train` begins.
    """
    optimizer, progress = training.optimizer, training.progress
    if processes.count() > 1:
        state = processes.from_first(on_cpu, [optimizer.state_dict(), vars(progress)])
        optimizer.load_state_dict(state[0])
        vars(progress).update(state[1])


def on_cpu(state: object) -> object:
    """Return a copy of a state, its tensors on the CPU: on a GPU, theirs is another one."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer, map_location="cpu", weights_only=True)


def check_settings(known: dict[str, object], now: dict[str, object], folder: Path) -> None:
    """Raise ValueError if the arguments of a run are not those that its state was written with."""
    both = sorted(known.keys() & now.keys() - FREE)
    changed = [name for name in both if known[name] != now[name]]
    if changed == ["pairs_sha256"]:  # nobody changed it, for the sprites are the same
        raise InputError(
            f"{folder} was taught other hybrids, by another version of the code; start it again "
            "with --overwrite, or resume it with that version"
        )
    if changed:
        listed = ", ".join(f"{name} was {known[name]} and is {now[name]}" for name in changed)
        raise InputError(f"{folder / 'args.json'} was changed ({listed}); undo that")


def changed_conditions(known: dict[str, object], now: dict[str, object]) -> list[str]:
    """Return a line if what the bits depend on has changed since the state was written."""
    changes = [
        f"{name} was {known[name]} and is {now[name]}"
        for name in known.keys() & now.keys()
        if known[name] != now[name]
    ]
    return [f"Bits may differ from an unbroken run: {', '.join(sorted(changes))}."] * bool(changes)


def load(folder: Path) -> tuple[dict, Path, list[str]]:
    """Return the newest whole state, its path, and a line for each newer one that is not whole.

    Raises
    ------
    ValueError
        If none is.
    """
    lines = []
    for path in state_paths(folder):
        try:
            data = read_verified(path)
            if not sum_path(path).is_file():
                raise InputError(f"{path} has lost its {sum_path(path).name}")
            state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
            return state, path, lines
        except (OSError, ValueError) as error:
            lines.append(f"Left out: {error}.")
        except (RuntimeError, pickle.UnpicklingError) as error:  # of another version of torch, say
            lines.append(f"Left out: {path} ({first_line(error)}).")
    raise InputError(f"no training state in {folder} is whole; start again with --overwrite")


class Clock:
    """Says when the next state is due.

    Parameters
    ----------
    period : int or None
        Epochs between two states; None for as often as two percent of the time allow.
    """

    def __init__(self, period: int | None):
        self.period = period
        self.counted_from = time.perf_counter()
        self.cost = 0.0  # seconds of the last writing

    def is_due(self, epochs_done: int) -> bool:
        """Return whether a state is due after so many epochs; after the first, one always is.

        When one is due by time, the timer restarts.
        """
        now, wait = time.perf_counter(), max(self.cost, 0.1) / TIME_SHARE
        if self.period is not None and epochs_done > 1:
            return epochs_done % self.period == 0
        due = epochs_done == 1 or now - self.counted_from > wait
        if due:
            self.counted_from = now
        return due

    def time(self, write: Callable, *arguments: object) -> None:
        """Write a state by calling a function, and note what it costs."""
        started = time.perf_counter()
        write(*arguments)
        self.cost = time.perf_counter() - started
