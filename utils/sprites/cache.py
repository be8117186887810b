"""Sprites that were decoded or drawn before: one memory-mapped file a set, made once. No torch.

pixels, rest = cached(Path("cache"), key_of("figure", 40, None, "crop"), make)

The file is a ``.npy`` of the pixels, for `np.load(..., mmap_mode="r")`, with the names of the
sprites and the rest as JSON behind them. It is whole or absent, and has its checksum beside it.
Files are told by their paths, sizes and times: the time of the last change of a file's status
cannot be set back, so only a change within one tick of the file system's clock could be missed.
"""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL
from filelock import FileLock, Timeout

from utils.cli import InputError
from utils.files import sum_path, verify, write_with_sum
from utils.sprites.source import folder_paths

Kept = tuple[np.ndarray, dict[str, object]]  # pixels (N, 3, S, S), uint8, and what belongs to them


def cached(folder: Path, key: str, make: Callable[[], Kept]) -> Kept:
    """Return what is kept under a key; where there is nothing, or damage, make it and keep it.

    One process makes it, others that want the same wait. The pixels are mapped: pages of the file
    that are changed are copied for this process alone.

    Raises
    ------
    ValueError
        If the folder cannot be made.
    """
    path = folder / f"sprites_{key}.npy"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"--cache {folder} cannot be made ({error.strerror}); name another folder"
        ) from None
    if kept := read(path):
        return kept
    lock = FileLock(path.with_suffix(".lock"))
    try:
        lock.acquire(blocking=False)
    except Timeout:
        print(f"Waiting for another process, which makes {path}.", flush=True)
        lock.acquire()
    except (NotImplementedError, OSError) as error:  # no locks here, or no right to write
        print(f"{path} is not kept ({error}).", flush=True)
        return make()
    try:
        return read(path) or make_file(path, make)
    finally:
        lock.release()


def make_file(path: Path, make: Callable[[], Kept]) -> Kept:
    """Write what is made, and return it as it is read."""
    if path.exists():
        print(f"{path} is damaged, and is made anew.", flush=True)
    pixels, rest = make()

    def write(file) -> None:
        np.lib.format.write_array(file, pixels, allow_pickle=False)
        file.write(json.dumps(rest).encode())

    write_with_sum(path, write)
    return read(path) or (pixels, rest)


def read(path: Path) -> Kept | None:
    """Return what a file holds, or None if it is absent or damaged."""
    if not (path.is_file() and sum_path(path).is_file()):
        return None
    try:
        verify(path)
        pixels = np.load(path, mmap_mode="c", allow_pickle=False)
        with path.open("rb") as file:
            file.seek(pixels.offset + pixels.nbytes)
            return pixels, json.loads(file.read())
    except (ValueError, OSError):
        return None


def key_of(*settings: object) -> str:
    """Return a short name for the sprites of a data path, the first of the settings."""
    path = str(settings[0])
    places = [path, f"{path}.zip", f"{os.path.splitext(path)[0]}.json"]  # see `load_sprites`
    found = filter(os.path.exists, places)
    stamps = [(os.path.abspath(place), stamps_of(Path(place))) for place in found]
    content = json.dumps([stamps, settings, version()], default=str)
    return hashlib.blake2b(content.encode(), digest_size=12).hexdigest()


def stamps_of(path: Path) -> list[tuple[str, int, int, int]]:
    """Return path, size and times of a file, or of all files below a folder."""
    paths = sorted(folder_paths(path)) if path.is_dir() else [""] * path.is_file()
    stats = [(name, os.stat(path / name, follow_symlinks=name[-1:] != "/")) for name in paths]
    return [(name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns) for name, stat in stats]


def version() -> str:
    """Return a digest of the code that makes sprites: a changed decoder makes all of them anew."""
    digest = hashlib.blake2b(PIL.__version__.encode(), digest_size=8)
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
