"""From the arguments of a script to a trained run: its model, its sprites and their latents.

run = open_run(args.run, args.checkpoint)
sprites = run_sprites(run, args.data_path)
chosen = choose_sprites(sprites, args.sprites)
mu = encode(run.model, chosen.pixels)
"""

import difflib
import re
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from model import VAE
from utils.cli import InputError
from utils.data_utils import (
    Sprites,
    changes,
    digests_by_name,
    fingerprint,
    fingerprints,
    load_sprite,
    load_sprites,
    split,
)
from utils.pictures.fonts import caption_of
from utils.run.checkpoint import load_model
from utils.run.folder import checkpoint_path, checkpoints, newest_run, read_args, read_sprites
from utils.sprites.names import creatures
from utils.sprites.near import nearest_others
from utils.training import engine
from utils.training.hybrids import digest_of, hybrid_pairs

NO_PAIRS = np.empty((0, 2), int)


class TrainedRun(NamedTuple):
    """A trained model, and where it comes from."""

    model: VAE
    checkpoint: Path
    folder: Path  # of the checkpoint
    settings: dict  # args.json; empty for weights from elsewhere


class Chosen(NamedTuple):
    """Some sprites, in the order in which they were named."""

    pixels: Tensor  # (K, 3, S, S), uint8
    names: list[str]
    places: list[int]  # in the set; its length for a file from elsewhere


def open_run(folder: str | None, checkpoint: str | None) -> TrainedRun:
    """Return a run's model; prints a line if its last epoch is not there yet.

    Parameters
    ----------
    folder : str, optional
        The newest run in this folder if left out.
    checkpoint : str, optional
        An epoch, a file name in the folder, or a file anywhere; the last epoch if left out.

    Raises
    ------
    ValueError
        If there is no such run or checkpoint, or it cannot be read.
    """
    if checkpoint is not None and folder is None and Path(checkpoint).is_file():
        path = Path(checkpoint)
    else:
        run = Path(folder) if folder is not None else newest_run()
        if not run.is_dir():
            raise InputError(f"there is no run {run}; python main.py makes one")
        path = find_checkpoint(run, checkpoint)
    settings = read_args(path.parent)
    epochs = settings.get("epoch")
    if (
        checkpoint is None
        and isinstance(epochs, int)
        and path != checkpoint_path(path.parent, epochs - 1)
    ):
        print(f"{path.parent}, of {epochs} epochs, ends at {path.name}.", file=sys.stderr)
    return TrainedRun(load_model(path, settings).eval(), path, path.parent, settings)


def find_checkpoint(folder: Path, checkpoint: str | None) -> Path:
    """Return the path of a run's checkpoint; see `open_run`."""
    if checkpoint is not None:
        for path in (folder / checkpoint, Path(checkpoint)):
            if path.is_file():
                return path
    found = checkpoints(folder)
    if checkpoint is None:
        return found[max(found)]
    if not (checkpoint.isdecimal() and int(checkpoint) in found):
        epochs = ", ".join(map(str, found))
        raise InputError(f"--checkpoint {checkpoint}: {folder} has those of epochs {epochs}")
    return found[int(checkpoint)]


def run_sprites(run: TrainedRun, data_path: str | None = None) -> Sprites:
    """Return the sprites of a run, or those of another path, fitted to the size of its model.

    Prints a line if they are not those that the run was trained on.

    Raises
    ------
    ValueError
        If the run does not say where its sprites are, or they cannot be read.
    """
    path = data_path or run.settings.get("data_path")
    if path is None:
        raise InputError(f"{run.folder} has no args.json; say with --data_path where sprites are")
    tile = run.settings.get("tile") if path.lower().endswith(".png") else None
    cache = run.settings.get("cache")
    kept = cache if cache and Path(cache).is_dir() else None  # a script that looks makes none
    sprites = load_sprites(path, run.model.input_size, tile, background_of(run), kept)
    known = run.settings.get("sprites_sha256")
    now = fingerprints(sprites)
    if known and known != fingerprint(now):
        different = changes(read_sprites(run.folder), digests_by_name(now))
        print(f"These are not the sprites of {run.folder} ({different}).", file=sys.stderr)
    return sprites


def background_of(run: TrainedRun) -> str:
    """Return what a run did about opaque backgrounds; runs older than the question kept them."""
    return run.settings.get("background", "keep") if run.settings else "crop"


def known_split(run: TrainedRun, sprites: Sprites) -> dict[str, Tensor]:
    """Return the pixels of the parts that `known_indices` names."""
    return {part: sprites.pixels[index] for part, index in known_indices(run, sprites).items()}


def known_indices(run: TrainedRun, sprites: Sprites) -> dict[str, Tensor]:
    """Return the indices of the "training" and the "held out" sprites.

    If these are not the sprites that the run was trained on, of "all sprites" instead.
    """
    known = {"sprites_sha256", "val_ratio", "seed"} <= run.settings.keys()
    if not known or run.settings["sprites_sha256"] != fingerprint(fingerprints(sprites)):
        return {"all sprites": torch.arange(len(sprites.names))}
    names = sprites.names if run.settings.get("split_by") == "number" else None
    train, val = split(len(sprites.names), run.settings["val_ratio"], run.settings["seed"], names)
    return {"training": train, "held out": val}


def trained_on(run: TrainedRun, sprites: Sprites) -> Tensor:
    """Return the indices of the sprites that a run trained on, or of all if it is not known."""
    return next(iter(known_indices(run, sprites).values()))


def choose_sprites(
    sprites: Sprites,
    wanted: list[str] | None,
    default: tuple[int, ...],
    count: int | None = None,
    option: str = "--sprites",
) -> Chosen:
    """Return sprites by index, by name, or by path to any PNG.

    Parameters
    ----------
    sprites : Sprites
    wanted : list of str, optional
    default : tuple of int
        Indices to use otherwise, modulo the number of sprites.
    count : int, optional
        How many are required.
    option : str
        What names them, for messages.

    Raises
    ------
    ValueError
        If an index is out of range, a name is unknown or ambiguous, or the count is wrong.
    """
    if wanted is None:
        wanted = [str(index % len(sprites.names)) for index in default]
    if count is not None and len(wanted) != count:
        raise InputError(f"{option} needs {count} sprites, not {len(wanted)}")
    return chosen(sprites, [find_sprite(sprites, text, option) for text in wanted])


def choose_corners(
    run: TrainedRun,
    sprites: Sprites,
    wanted: list[str] | None,
    near: str | None,
    default: tuple[int, ...],
) -> Chosen:
    """Return four sprites: `choose_sprites`, or one and its three nearest other creatures.

    These are of those that the run trained on, where they are known.

    Raises
    ------
    ValueError
        As in `choose_sprites`, or if there are fewer other creatures.
    """
    if near is None:
        return choose_sprites(sprites, wanted, default)
    found = find_sprite(sprites, near, "--near")
    pixels, name, _ = found
    known = trained_on(run, sprites)
    # It is compared as one more sprite, for it may be a file of its own; the nearest then is not
    # the sprite itself, because it shows the same creature.
    everyone = torch.cat([sprites.pixels[known], pixels[None]]).numpy()
    groups = creatures([*(sprites.names[i] for i in known), name])
    (indices,) = nearest_others(everyone, groups, 3, of=[len(everyone) - 1])
    if len(indices) < 3:
        raise InputError(f"--near {near}: of 3 other creatures there are {len(indices)}")
    places = (int(known[index]) for index in indices)
    others = ((sprites.pixels[place], sprites.names[place], place) for place in places)
    return chosen(sprites, [found, *others])


def taught_pairs(run: TrainedRun, sprites: Sprites) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs of sprites whose hybrids a run was taught, and those that were left out.

    Two arrays (P, 2) of indices, int: empty if the run was taught none, or not of these sprites, or
    by a version of the code that chose other pairs.
    """
    index = known_indices(run, sprites).get("training")
    if index is not None and "pairs_sha256" in run.settings:
        groups = creatures([sprites.names[i] for i in index])
        pairs = hybrid_pairs(sprites.pixels[index].numpy(), groups)
        if digest_of(pairs[0]) == run.settings.get("pairs_sha256"):
            return tuple(index.numpy()[part] for part in pairs)
    return NO_PAIRS, NO_PAIRS


def chosen(sprites: Sprites, found: list[tuple[Tensor, str, int]]) -> Chosen:
    """Return sprites, as `find_sprite` finds them, with the captions that pictures show."""
    pixels, names, places = zip(*found, strict=True)
    numbers = [place if place < len(sprites.names) else None for place in places]
    captions = [caption_of(name, number) for name, number in zip(names, numbers, strict=True)]
    return Chosen(torch.stack(pixels), captions, list(places))


def find_sprite(sprites: Sprites, wanted: str, option: str) -> tuple[Tensor, str, int]:
    """Return the pixels, the name and the place of one sprite; see `choose_sprites`, `Chosen`."""
    names = sprites.names
    if re.fullmatch(r"-?\d+", wanted):
        if not 0 <= int(wanted) < len(names):
            raise InputError(
                f"{option} {wanted}: there are {len(names)} sprites, 0 to {len(names) - 1}"
            )
        return sprites.pixels[int(wanted)], names[int(wanted)], int(wanted)
    matches = [wanted] if wanted in names else [n for n in names if Path(n).name == wanted]
    if len(matches) > 1:
        raise InputError(f"{option} {wanted}: which one of {', '.join(matches)}?")
    if matches:
        place = names.index(matches[0])
        return sprites.pixels[place], matches[0], place
    if Path(wanted).is_file():
        size = sprites.pixels.shape[-1]
        return load_sprite(wanted, size), Path(wanted).name, len(names)
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.5)
    hint = f"near it are {', '.join(near)}" if near else f"names run {names[0]} to {names[-1]}"
    raise InputError(f"{option} {wanted}: no sprite of this name among {len(names)}; {hint}")


def encode(model: VAE, pixels: Tensor) -> Tensor:
    """Return the latent means of uint8 sprites, shape (N, latent_size)."""
    return engine.encode(model, pixels)[0]
