"""Sprites: a folder or a zip of PNGs becomes one uint8 tensor, each PNG decoded once.

sprites = load_sprites("figure", image_size=40)
sprites.pixels  # (N, 3, 40, 40), uint8, on white
"""

import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from utils.png import DECODE_ERRORS, bombs_are_errors, decode_png, fit_to_square, reason

DEFAULT_PATH = "figure"
BUILT_IN = "monsters"  # the data path that stands for the sprites of utils/monsters.py

MAX_FILE_BYTES = 64 * 2**20  # of one PNG on disk, or unpacked from a zip
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
    with open_source(path) as (names, num_left_out, read):
        if not names and path == Path(DEFAULT_PATH):
            return built_in_sprites(image_size, num_left_out)
        if not names:
            raise ValueError(f"no PNG in {path} ({num_left_out} other files); name a folder or zip")
        pixels, how = decode_all(names, read, image_size, path)

    actions = ", ".join(f"{count} {action}" for action, count in how.most_common())
    notes = [f"Sprites: {len(names)} from {path} ({image_size}x{image_size}: {actions})."]
    return Sprites(pixels, names, str(path), notes + left_out_note(num_left_out))


def left_out_note(count: int) -> list[str]:
    """Return a line for the console if files were left out."""
    return [f"Left out: {count} hidden files or files of other types."] if count else []


def built_in_sprites(image_size: int, num_left_out: int = 0) -> Sprites:
    """Return the monsters that the repository draws by code."""
    from utils.monsters import NUM_MONSTERS, draw_monster, monster_name

    pixels = np.empty((NUM_MONSTERS, image_size, image_size, 3), np.uint8)
    for index in range(NUM_MONSTERS):
        pixels[index], _ = fit_to_square(Image.fromarray(draw_monster(index)), image_size)
    note = (
        f"Sprites: {NUM_MONSTERS} built-in monsters. To train on your own, put PNGs into "
        f"{DEFAULT_PATH}/ or name a folder or zip with --data_path."
    )
    names = [monster_name(index) for index in range(NUM_MONSTERS)]
    return Sprites(to_tensor(pixels), names, BUILT_IN, [note, *left_out_note(num_left_out)])


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
    return to_tensor(np.array(pixels[None]))[0]


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


@contextmanager
def open_source(path: Path) -> Iterator[tuple[list[str], int, Callable[[str], bytes]]]:
    """Yield the sorted names of the PNGs, the number of other files, and a reader of bytes."""
    if path.is_dir():
        names, num_left_out = png_files(path)
        yield names, num_left_out, lambda name: read_limited(path / name)
        return
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise ValueError(f"{path} is neither a folder nor a readable zip ({error})") from None
    with archive:
        names, num_left_out = zip_files(archive)
        yield names, num_left_out, archive.read


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


def read_limited(path: Path) -> bytes:
    """Return a file's bytes unless it is far larger than any sprite."""
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise ValueError(f"{size / 2**20:,.0f} MiB, at most {MAX_FILE_BYTES / 2**20:,.0f}")
    return path.read_bytes()


# ---- from files to pixels


def decode_all(
    names: list[str], read: Callable[[str], bytes], image_size: int, source: Path
) -> tuple[Tensor, Counter]:
    """Return all sprites, uint8 (N, 3, S, S), and how many were fitted in which way."""
    pixels = np.empty((len(names), image_size, image_size, 3), np.uint8)
    how, broken = Counter(), []
    with bombs_are_errors():
        for index, name in enumerate(names):
            try:
                pixels[index], action = fit_to_square(decode_png(read(name)), image_size)
                how[action] += 1
            except DECODE_ERRORS as error:
                broken.append(f"{name} ({reason(error)})")
    if broken:
        raise ValueError(
            f"{len(broken)} of {len(names)} PNGs in {source} cannot be read; "
            f"mend or remove them: {', '.join(broken)}"
        )
    return to_tensor(pixels), how


def to_tensor(pixels: np.ndarray) -> Tensor:
    """Return (N, S, S, 3) as a contiguous tensor (N, 3, S, S)."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()
