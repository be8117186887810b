"""Sprites: a folder, a zip, a sheet or the built-in monsters become one uint8 tensor.

sprites = load_sprites("figure", image_size=40)
sprites.pixels  # (N, 3, 40, 40), uint8, on white

`utils/sprites/` turns files into pixels. This file decides which sprites are held out, and checks
whether they are the ones that a run was trained on.
"""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from utils.cli import InputError
from utils.sprites import notes
from utils.sprites.cache import cached, key_of
from utils.sprites.decode import decode_files, to_square
from utils.sprites.many_monsters import draw_monsters
from utils.sprites.monsters import MAX_MONSTERS, NUM_MONSTERS, monster_name
from utils.sprites.names import number_of
from utils.sprites.png import DECODE_ERRORS, decode_png, reason
from utils.sprites.sheet import cut_sheet
from utils.sprites.source import CONVERTIBLE, find_source, read_limited, sprite_files

DEFAULT_PATH = "figure"
BUILT_IN = "monsters"  # the data path of the built-in sprites, where no folder has this name
BUILT_IN_SOURCE = "built-in:monsters"  # what a run writes down for them: no folder's name
COUNTED = f"{BUILT_IN}:"  # before a number: so many of them

DIGEST_BYTES = 8  # per sprite: enough to tell a change from none
MOVED = 1000  # sprites that `divide` moves at once


class Sprites(NamedTuple):
    """A set of sprites in the order of their names."""

    pixels: Tensor  # (N, 3, S, S), uint8
    names: list[str]  # paths relative to the source, with forward slashes
    source: str  # the data path that gives these sprites again
    notes: list[str]  # lines for the console: what was found, and what was done to it


def load_sprites(
    path: str | Path,
    image_size: int = 40,
    tile: Sequence[int] | None = None,
    background: str = "crop",
    cache: str | None = None,
) -> Sprites:
    """Return all sprites at a path, composited on white and fitted to a square.

    Parameters
    ----------
    path : str or Path
        A folder (searched with its sub-folders), a `.zip`, or a sheet: one PNG with many sprites.
        For a folder without PNGs, the zip of its name beside it is read. "monsters" means the
        built-in sprites, unless there is a folder or zip of that name; so does an empty `figure/`.
        "monsters:20000" is as many of them as that.
    image_size : int
        Side of the square in pixels.
    tile : (width, height), optional
        Size of a sheet's tiles in pixels; if None, Aseprite's JSON beside the sheet is read.
    background : {"crop", "keep"}
        Whether to treat one opaque colour all along a sprite's border as transparent; see
        `utils/sprites/background.py`.
    cache : str, optional
        Folder in which the sprites are kept for the next time; see `utils/sprites/cache.py`.

    Raises
    ------
    ValueError
        If there is nothing to read, or some PNG cannot be read; the first few are named.
    """
    if not str(path):
        raise InputError("--data_path is empty; name a folder or zip, or 'monsters'")
    if cache is not None:
        check_cache(cache, path)
        count = num_built_in(str(path))  # which a run writes down in another way than users do
        path = f"{BUILT_IN_SOURCE}:{count}" if count else path
        settings = (path, image_size, tile, background)
        pixels, rest = cached(Path(cache), key_of(*settings), lambda: as_kept(*settings))
        return Sprites(torch.from_numpy(pixels), **rest)
    if background not in ("crop", "keep"):
        raise InputError(f"background {background!r}: 'crop' or 'keep'")
    if count := num_built_in(str(path)):
        if tile is not None:
            raise InputError("--tile cuts a sheet, not the built-in monsters; name one PNG")
        return built_in_sprites(image_size, count)
    source = find_source(Path(path))
    if source.is_file() and source.suffix.lower() == ".png":
        return sheet_sprites(source, image_size, tile, background)
    if source.is_file() and source.suffix.lower() in CONVERTIBLE:
        raise InputError(notes.other_picture(source))
    if tile is not None:
        raise InputError(f"--tile cuts a sheet, but {source} is no PNG; name one, or drop --tile")
    return folder_sprites(source, image_size, background)


def check_cache(cache: str, path: str | Path) -> None:
    """Raise ValueError if a cache has no name, or lies among the sprites that it keeps."""
    if not cache or Path(path).resolve() in (Path(cache).resolve(), *Path(cache).resolve().parents):
        raise InputError(f"--cache {cache!r}: name a folder of its own, outside --data_path {path}")


def as_kept(*settings: object) -> tuple[np.ndarray, dict[str, object]]:
    """Return sprites as the cache keeps them; see `load_sprites`."""
    rest = load_sprites(*settings)._asdict()
    return rest.pop("pixels").numpy(), rest


def load_sprite(path: str | Path, image_size: int = 40, background: str = "crop") -> Tensor:
    """Return one PNG, composited on white and fitted to a square, uint8 (3, S, S).

    Raises
    ------
    ValueError
        If the file cannot be read as a PNG.
    """
    try:
        pixels, *_ = to_square(decode_png(read_limited(Path(path))), image_size, background)
    except DECODE_ERRORS as error:
        raise InputError(f"{path} cannot be read as a PNG ({reason(error)})") from None
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())


def num_built_in(path: str) -> int:
    """Return how many built-in sprites a data path stands for; 0 if it is the user's own.

    Raises
    ------
    ValueError
        If it asks for no possible number of them, or a folder has that very name.
    """
    own = Path(BUILT_IN).is_dir() or Path(f"{BUILT_IN}.zip").is_file()
    if path == BUILT_IN_SOURCE or (path == BUILT_IN and not own):
        return NUM_MONSTERS
    if not path.startswith((COUNTED, f"{BUILT_IN_SOURCE}:")):
        return 0
    if Path(path).exists():
        raise InputError(f"--data_path {path} is a folder or file here; call it ./{path}")
    number = path.rpartition(":")[2]
    if not (re.fullmatch("[0-9]{1,9}", number) and 1 <= int(number) <= MAX_MONSTERS):
        raise InputError(
            f"--data_path {path}: the number of monsters is a whole one from 1 to {MAX_MONSTERS}"
        )
    return int(number)


def unmistakable(source: Path) -> str:
    """Return a data path that never stands for the built-in sprites, wherever it is read."""
    mistakable = str(source) == BUILT_IN or str(source).startswith(COUNTED)
    return os.path.join(".", source) if mistakable else str(source)


def built_in_sprites(image_size: int, count: int = NUM_MONSTERS) -> Sprites:
    """Return the first monsters that the repository draws by code."""
    pixels = torch.from_numpy(draw_monsters(count, image_size))
    note = f"Sprites: {count:,} built-in monsters."
    names = [monster_name(index) for index in range(count)]
    source = BUILT_IN_SOURCE if count == NUM_MONSTERS else f"{BUILT_IN_SOURCE}:{count}"
    return Sprites(pixels, names, source, [note])


def folder_sprites(source: Path, image_size: int, background: str) -> Sprites:
    """Return the sprites of a folder or zip; see `load_sprites`."""
    found = sprite_files(source)
    left_out = notes.left_out(source, found)
    if not found.files and source == Path(DEFAULT_PATH) and not found.suffixes:
        sprites = built_in_sprites(image_size)
        hint = (
            f"To train on your own sprites, put PNGs into {DEFAULT_PATH}/ or name a folder or "
            "zip with --data_path."
        )
        return sprites._replace(notes=[*sprites.notes, hint, *left_out])
    if not found.files:
        raise InputError(notes.nothing_found(source, found))
    decoded = decode_files(source, found.files, image_size, background)
    if decoded.errors:
        raise InputError(notes.broken(source, decoded.errors, len(found.files)))
    lines = [
        notes.fitted(len(found.files), source, image_size, decoded.actions),
        *notes.backgrounds(decoded.colours),
        *left_out,
    ]
    pixels = torch.from_numpy(decoded.pixels)
    return Sprites(pixels, list(found.files), unmistakable(source), lines)


def sheet_sprites(
    path: Path, image_size: int, tile: Sequence[int] | None, background: str
) -> Sprites:
    """Return the sprites of a sheet; see `load_sprites`."""
    sheet = cut_sheet(path, tile)
    fitted = [
        to_square(image, image_size, background, sheet.background)
        for image in sheet.sprites.values()
    ]
    pixels = np.stack([square for square, _, _ in fitted]).transpose(0, 3, 1, 2)  # (N, 3, S, S)
    lines = [
        notes.fitted(len(fitted), path, image_size, Counter(action for _, action, _ in fitted)),
        *notes.backgrounds(Counter(colour for _, _, colour in fitted if colour)),
    ]
    if sheet.num_empty:
        lines.append(f"Left out: {sheet.num_empty} empty tiles.")
    pixels = torch.from_numpy(pixels).contiguous()
    return Sprites(pixels, list(sheet.sprites), str(path), lines)


# ---- the split


def divide(pixels: Tensor, train_index: Tensor, val_index: Tensor) -> tuple[Tensor, Tensor]:
    """Move the training sprites to the front, in place, and return both parts.

    The parts are views of one tensor, so that a large set is never held twice.

    Parameters
    ----------
    pixels : Tensor, shape (N, 3, S, S)
        Changed.
    train_index, val_index : Tensor, int64
        Together all sprites, each in ascending order.
    """
    held_out = pixels[val_index]
    done = 0
    for index in train_index.split(MOVED):  # each comes from where it goes to, or from behind
        pixels[done : done + len(index)] = pixels[index]
        done += len(index)
    pixels[done:] = held_out
    return pixels[:done], pixels[done:]


def split(
    num_sprites: int, val_ratio: float, seed: int, names: Sequence[str] | None = None
) -> tuple[Tensor, Tensor]:
    """Return the indices of the training and of the held-out sprites, each in ascending order.

    Parameters
    ----------
    num_sprites : int
        At least 2.
    val_ratio : float
        Share that is held out, in [0, 1); at least one sprite is, and at least one is not.
    seed : int
    names : sequence of str, optional
        File names of the sprites. With them, sprites of one number (see `number_of`) stay on one
        side, and `val_ratio` is a share of the numbers.

    Raises
    ------
    ValueError
        If there are fewer than two sprites, or all have one number.
    """
    if num_sprites < 2:
        raise InputError(
            f"{num_sprites} sprite: at least 2 are needed, one to train on and one to hold out"
        )
    groups = np.arange(num_sprites)
    if names is not None:
        index_of = {}
        groups = [index_of.setdefault(number_of(name), len(index_of)) for name in names]
    num_groups = int(np.max(groups)) + 1
    if num_groups < 2:
        raise InputError(f"--split_by number: all {num_sprites} sprites have one number; use file")
    num_val = min(max(1, round(num_groups * val_ratio)), num_groups - 1)
    order = np.random.default_rng(seed).permutation(num_groups)
    held_out = torch.from_numpy(np.isin(groups, order[:num_val]))
    return torch.nonzero(~held_out).flatten(), torch.nonzero(held_out).flatten()


# ---- values


def to_float(sprites: Tensor) -> Tensor:
    """Return uint8 sprites as float32 in [0, 1]."""
    return sprites.float() / 255


def to_uint8(images: Tensor) -> Tensor:
    """Return images, uint8 or float in [0, 1], as uint8 on the CPU."""
    images = images.detach().cpu()
    if images.dtype != torch.uint8:
        images = (images.float().clamp(0, 1) * 255).round().to(torch.uint8)
    return images


# ---- which sprites these are


def fingerprints(sprites: Sprites) -> dict[str, str | Tensor]:
    """Identify a training set by the names and the digests of its sprites.

    Returns
    -------
    dict
        ``names``, joined by NUL characters, and ``digests``, uint8 (N, 8): two values that are
        quick to write even for a million sprites.
    """
    digests = [digest_of(pixels) for pixels in sprites.pixels.numpy()]
    return {
        "names": "\0".join(sprites.names),
        "digests": torch.frombuffer(bytearray(b"".join(digests)), dtype=torch.uint8),
    }


def digest_of(pixels: np.ndarray) -> bytes:
    """Return a short digest of the pixels of a sprite, uint8 (3, S, S)."""
    return hashlib.blake2b(pixels, digest_size=DIGEST_BYTES).digest()


def fingerprint(prints: dict[str, str | Tensor]) -> str:
    """Return one digest of the `fingerprints` of a set."""
    # Names that are not UTF-8 reach Python as lone surrogates.
    digest = hashlib.sha256(prints["names"].encode(errors="surrogateescape"))
    digest.update(prints["digests"].numpy().tobytes())
    return digest.hexdigest()


def digests_by_name(prints: dict[str, str | Tensor]) -> dict[str, str]:
    """Return the `fingerprints` of a set as a dictionary from names to hexadecimal digests."""
    digests = prints["digests"].numpy().tobytes().hex(":", DIGEST_BYTES).split(":")
    return dict(zip(prints["names"].split("\0"), digests, strict=True))


def changes(known: dict[str, str], now: dict[str, str]) -> str:
    """Return in words which sprites differ between two sets of `digests_by_name`."""
    parts = {
        "missing": [name for name in known if name not in now],
        "new": [name for name in now if name not in known],
        "changed": [name for name in known if now.get(name, known[name]) != known[name]],
    }
    return "; ".join(f"{what}: {notes.first_few(names)}" for what, names in parts.items() if names)


def check_sprites(known: dict[str, str | Tensor], now: dict[str, str | Tensor]) -> None:
    """Raise ValueError, with the names that differ, if two sets of `fingerprints` do."""
    if fingerprint(known) != fingerprint(now):
        different = changes(digests_by_name(known), digests_by_name(now))
        raise InputError(
            f"the sprites are not those that the run was trained on ({different}); "
            "put them back, or start a new run"
        )
