"""Sprites: a folder or a zip of PNGs becomes one uint8 tensor, each PNG decoded once.

sprites = load_sprites("figure", image_size=40)
sprites.pixels  # (N, 3, 40, 40), uint8, on white
"""

import hashlib
import re
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from utils.sprites.decode import MAX_FILE_BYTES, decode_files
from utils.sprites.png import DECODE_ERRORS, bombs_are_errors, decode_png, fit_to_square, reason

DEFAULT_PATH = "figure"
BUILT_IN = "monsters"  # the data path that stands for the sprites of utils/sprites/monsters.py

DIGEST_BYTES = 8  # of a sprite: enough to tell a change from none
NAMES_SHOWN = 5  # of changed sprites in a message
MOVED = 1000  # sprites that `divide` moves at once
MAX_ZIP_BYTES = 4 * 2**30  # of all PNGs of a zip, unpacked


class Sprites(NamedTuple):
    """A set of sprites in the order of their names."""

    pixels: Tensor  # (N, 3, S, S), uint8
    names: list[str]  # paths relative to the source, with forward slashes
    source: str  # the data path that gives these sprites again
    notes: list[str]  # lines for the console: what was found, and what was done to it


def load_sprites(path: str | Path, image_size: int = 40) -> Sprites:
    """Return every PNG of a folder or a zip, composited on white and fitted to a square.

    Parameters
    ----------
    path : str or Path
        A folder (sub-folders count) or a `.zip`. A folder without PNGs gives way to a zip of its
        name beside it. An empty `figure/` gives way to the built-in monsters, which "monsters"
        names as well.
    image_size : int
        Side of the square in pixels.

    Raises
    ------
    ValueError
        If there is nothing to read, or some PNG cannot be read; all of those are named.
    """
    if str(path) == BUILT_IN:
        return built_in_sprites(image_size)
    if not str(path):
        raise ValueError("--data_path is empty; name a folder or zip, or 'monsters'")
    path = find_source(Path(path))
    names, num_left_out = sprite_files(path)
    if not names and path == Path(DEFAULT_PATH):
        return built_in_sprites(image_size, num_left_out)
    if not names:
        raise ValueError(f"no PNG in {path} ({num_left_out} other files); name a folder or zip")
    pixels, how = decode_all(names, image_size, path)

    actions = ", ".join(f"{count} {action}" for action, count in how.most_common())
    notes = [f"Sprites: {len(names)} from {path} ({image_size}x{image_size}: {actions})."]
    return Sprites(pixels, names, str(path), notes + left_out_note(num_left_out))


def left_out_note(count: int) -> list[str]:
    """Return a line for the console if files were left out."""
    return [f"Left out: {count} hidden files or files of other types."] if count else []


def built_in_sprites(image_size: int, num_left_out: int = 0) -> Sprites:
    """Return the monsters that the repository draws by code."""
    from utils.sprites.monsters import NUM_MONSTERS, draw_monster, monster_name

    pixels = np.empty((NUM_MONSTERS, 3, image_size, image_size), np.uint8)
    for index in range(NUM_MONSTERS):
        monster, _ = fit_to_square(Image.fromarray(draw_monster(index)), image_size)
        pixels[index] = monster.transpose(2, 0, 1)
    note = (
        f"Sprites: {NUM_MONSTERS} built-in monsters. To train on your own, put PNGs into "
        f"{DEFAULT_PATH}/ or name a folder or zip with --data_path."
    )
    names = [monster_name(index) for index in range(NUM_MONSTERS)]
    return Sprites(torch.from_numpy(pixels), names, BUILT_IN, [note, *left_out_note(num_left_out)])


def load_sprite(path: str | Path, image_size: int = 40) -> Tensor:
    """Return one PNG, composited on white and fitted to a square, uint8 (3, S, S).

    Raises
    ------
    ValueError
        If the file cannot be read as a PNG.
    """
    try:
        with bombs_are_errors():
            pixels, _ = fit_to_square(decode_png(Path(path).read_bytes()), image_size)
    except DECODE_ERRORS as error:
        raise ValueError(f"{path} cannot be read as a PNG ({reason(error)})") from None
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())


# ---- where the files are


def find_source(path: Path) -> Path:
    """Return the path, or the zip of its name where there is no folder or it holds no PNG."""
    archive = Path(f"{path}.zip")
    if path.is_dir():
        return archive if archive.is_file() and not png_files(path)[0] else path
    if path.exists():
        return path
    if archive.is_file():
        return archive
    raise ValueError(
        f"there is no folder or zip {path}; name one with --data_path (or --data_path monsters)"
    )


def sprite_files(path: Path) -> tuple[list[str], int]:
    """Return the sorted names of the PNGs in a folder or zip, and the number of other files."""
    if path.is_dir():
        return png_files(path)
    try:
        with zipfile.ZipFile(path) as archive:
            return zip_files(archive)
    except (zipfile.BadZipFile, OSError) as error:
        raise ValueError(f"{path} is neither a folder nor a readable zip ({error})") from None


def png_files(folder: Path) -> tuple[list[str], int]:
    """Return the sorted names of all PNGs below a folder, and the number of other files.

    Hidden folders and links to folders (which may run in circles) count as one file, left out.
    """
    names, num_left_out, pending = [], 0, [folder]
    while pending:
        for entry in pending.pop().iterdir():
            if entry.is_dir() and not entry.is_symlink() and not entry.name.startswith("."):
                pending.append(entry)
            elif is_sprite_name(entry.name) and entry.is_file():
                names.append(entry.relative_to(folder).as_posix())
            elif entry.name != ".gitkeep":
                num_left_out += 1
    return sorted(names), num_left_out


def zip_files(archive: zipfile.ZipFile) -> tuple[list[str], int]:
    """Return the same as `png_files` for a zip; nothing is ever unpacked to disk.

    Raises
    ------
    ValueError
        If the zip would unpack to something monstrous, or has paths that climb out of it.
    """
    files = {info.filename: info for info in archive.infolist() if not info.is_dir()}
    climbing = [name for name in files if name.startswith("/") or ".." in name.split("/")]
    if climbing:
        raise ValueError(f"{archive.filename} has paths that climb out of it: {climbing[0]!r}")
    names = sorted(
        name
        for name in files
        if is_sprite_name(name) and not any(re.match(r"\.[^/]", p) for p in name.split("/"))
    )
    sizes = [files[name].file_size for name in names]
    if sum(sizes) > MAX_ZIP_BYTES or max(sizes, default=0) > MAX_FILE_BYTES:
        raise ValueError(
            f"{archive.filename} unpacks to {sum(sizes) / 2**20:,.0f} MiB, its largest file to "
            f"{max(sizes) / 2**20:,.0f}; at most {MAX_ZIP_BYTES / 2**20:,.0f} and "
            f"{MAX_FILE_BYTES / 2**20:,.0f} are read"
        )
    return names, len(files) - len(names)


def is_sprite_name(name: str) -> bool:
    """Return whether a file is taken for a sprite by its name."""
    return name.lower().endswith(".png") and not name.rpartition("/")[2].startswith(".")


# ---- from files to pixels


def decode_all(names: list[str], image_size: int, source: Path) -> tuple[Tensor, Counter]:
    """Return all sprites, uint8 (N, 3, S, S), and how many were fitted in which way."""
    pixels = np.empty((len(names), 3, image_size, image_size), np.uint8)
    actions, broken = decode_files(source, names, pixels)
    if broken:
        raise ValueError(
            f"{len(broken)} of {len(names)} PNGs in {source} cannot be read; "
            f"mend or remove them: {', '.join(broken)}"
        )
    return torch.from_numpy(pixels), actions


def divide(pixels: Tensor, train_index: Tensor, val_index: Tensor) -> tuple[Tensor, Tensor]:
    """Bring the training sprites to the front, in place, and return both parts.

    A large set stays one tensor, of which the parts are views.

    Parameters
    ----------
    pixels : Tensor, shape (N, 3, S, S)
        Changed.
    train_index, val_index : Tensor, int64
        Of all sprites between them, each in rising order.
    """
    held_out = pixels[val_index]
    done = 0
    for index in train_index.split(MOVED):  # each comes from where it goes to, or from behind
        pixels[done : done + len(index)] = pixels[index]
        done += len(index)
    pixels[done:] = held_out
    return pixels[:done], pixels[done:]


# ---- the split


def split(
    num_sprites: int, val_ratio: float, seed: int, names: Sequence[str] | None = None
) -> tuple[Tensor, Tensor]:
    """Return the indices of the training and of the held-out sprites, each in rising order.

    Parameters
    ----------
    num_sprites : int
        At least 2.
    val_ratio : float
        Share that is held out, in [0, 1); at least one sprite is, and at least one is not.
    seed : int
        The split depends on nothing else.
    names : sequence of str, optional
        File names of the sprites. With them, sprites of one number (see `number_of`) stay on one
        side, and the share is one of numbers, not of sprites.

    Raises
    ------
    ValueError
        If there are fewer than two sprites, or all have one number.
    """
    if num_sprites < 2:
        raise ValueError(
            f"{num_sprites} sprite: at least 2 are needed, one to train on and one to hold out"
        )
    groups = range(num_sprites)
    if names is not None:
        index_of = {}
        groups = [index_of.setdefault(number_of(name), len(index_of)) for name in names]
    num_groups = max(groups) + 1
    if num_groups < 2:
        raise ValueError(f"--split_by number: all {num_sprites} sprites have one number; use file")
    num_val = min(max(1, round(num_groups * val_ratio)), num_groups - 1)
    order = np.random.default_rng(seed).permutation(num_groups)
    held_out = torch.from_numpy(np.isin(list(groups), order[:num_val]))
    return torch.nonzero(~held_out).flatten(), torch.nonzero(held_out).flatten()


def number_of(name: str) -> str:
    """Return the number that a file name begins with, or the whole name if it does not.

    Forms of one creature share a number: "003MS.png" and "003MMS.png" are both "3".
    """
    match = re.match(r"\d+", PurePosixPath(name).name)
    return str(int(match[0])) if match else name


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
    """Return the names and a digest of the pixels of each sprite, by which a run knows its own.

    Returns
    -------
    dict
        ``names``, joined by NUL characters, and ``digests``, uint8 (N, 8): two things that are
        quick to write, also for a million sprites.
    """
    digests = [
        hashlib.blake2b(pixels, digest_size=DIGEST_BYTES).digest()
        for pixels in sprites.pixels.numpy()
    ]
    return {
        "names": "\0".join(sprites.names),
        "digests": torch.frombuffer(bytearray(b"".join(digests)), dtype=torch.uint8),
    }


def fingerprint(prints: dict[str, str | Tensor]) -> str:
    """Return one digest of the `fingerprints` of a set."""
    digest = hashlib.sha256(prints["names"].encode())
    digest.update(prints["digests"].numpy().tobytes())
    return digest.hexdigest()


def check_sprites(known: dict[str, str | Tensor], now: dict[str, str | Tensor]) -> None:
    """Compare the `fingerprints` of two sets.

    Raises
    ------
    ValueError
        If they differ, with the names that do.
    """
    if fingerprint(known) == fingerprint(now):
        return
    known, now = (
        dict(
            zip(
                prints["names"].split("\0"),
                prints["digests"].view(-1, DIGEST_BYTES).tolist(),
                strict=True,
            )
        )
        for prints in (known, now)
    )
    problems = [
        f"{what}: {', '.join(names[:NAMES_SHOWN])}{', ...' if len(names) > NAMES_SHOWN else ''}"
        for what, names in (
            ("missing", [name for name in known if name not in now]),
            ("new", [name for name in now if name not in known]),
            ("changed", [name for name in known if now.get(name, known[name]) != known[name]]),
        )
        if names
    ]
    raise ValueError(
        f"the sprites are not those that the run trained on ({'; '.join(problems)}); "
        "put them back, or start a new run"
    )
