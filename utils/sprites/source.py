"""Where sprites lie: the PNGs of a folder or a zip, under one form of names.

found = sprite_files(path)
data = open_reader(path)(found.files["shiny/003.png"])
"""

import re
import unicodedata
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from utils.cli import InputError

MAX_FILE_BYTES = 64 * 2**20  # of one PNG on disk, or unpacked from a zip
MAX_ZIP_BYTES = 4 * 2**30  # of all PNGs of a zip, unpacked

# Suffixes of other pictures that Pillow can turn into PNGs.
CONVERTIBLE = (".bmp", ".gif", ".jpeg", ".jpg", ".tga", ".tif", ".tiff", ".webp")


class Found(NamedTuple):
    """The files of a folder or zip."""

    files: dict[str, str]  # names of PNGs, sorted, and the path of each as the source spells it
    num_left_out: int  # hidden files and files of other types
    suffixes: set[str]  # of those among them that can become PNGs


def find_source(path: Path) -> Path:
    """Return the path, or the zip of its name where there is no folder or it holds no PNG."""
    archive = Path(f"{path}.zip")
    if path.is_dir():
        return archive if archive.is_file() and not sprite_files(path).files else path
    if path.exists():
        return path
    if archive.is_file():
        return archive
    raise InputError(
        f"there is no folder or zip {path}; name one with --data_path (or --data_path monsters)"
    )


def sprite_files(path: Path) -> Found:
    """Return the PNGs of a folder or zip, in the order of their names.

    Raises
    ------
    ValueError
        If the path is neither, or the zip unpacks to something monstrous or climbs out of itself.
    """
    if path.is_dir():
        return sort_out(folder_paths(path))
    try:
        with zipfile.ZipFile(path) as archive:
            return zip_files(archive)
    except (zipfile.BadZipFile, OSError) as error:
        raise InputError(
            f"{path} is neither a folder nor a readable zip ({error}); name one, or a sheet's PNG"
        ) from None


def folder_paths(folder: Path) -> list[str]:
    """Return the paths of all files below a folder, relative to it.

    Hidden folders and links to folders (which may run in circles) count as one file.
    """
    paths, pending = [], [folder]
    while pending:
        for entry in pending.pop().iterdir():
            if entry.is_dir() and not entry.is_symlink() and not is_hidden(entry.name):
                pending.append(entry)
            elif entry.name != ".gitkeep":
                # A name that is no file must not pass for a sprite: a pipe would never end.
                suffix = "" if entry.is_file() else "/"
                paths.append(entry.relative_to(folder).as_posix() + suffix)
    return paths


def zip_files(archive: zipfile.ZipFile) -> Found:
    """Return the PNGs of a zip; nothing is ever unpacked to disk."""
    infos = {info.filename: info for info in archive.infolist()}
    paths = [path for path in infos if not path.endswith(("/", "\\"))]
    for path in paths:
        slashed = path.replace("\\", "/")
        if slashed.startswith("/") or re.match("[A-Za-z]:", path) or ".." in slashed.split("/"):
            raise InputError(
                f"{archive.filename} has paths that climb out of it: {path!r}; pack it anew with "
                "paths that are relative to its sprites"
            )
    found = sort_out(paths)
    sizes = [infos[path].file_size for path in found.files.values()]
    if sum(sizes) > MAX_ZIP_BYTES or max(sizes, default=0) > MAX_FILE_BYTES:
        raise InputError(
            f"{archive.filename} unpacks to {sum(sizes) / 2**20:,.0f} MiB, its largest file to "
            f"{max(sizes) / 2**20:,.0f}; at most {MAX_ZIP_BYTES / 2**20:,.0f} and "
            f"{MAX_FILE_BYTES / 2**20:,.0f} are read"
        )
    return found


def sort_out(paths: Iterable[str]) -> Found:
    """Tell sprites from other files; of paths that become one name, the last one counts."""
    files, num_paths, suffixes = {}, 0, set()
    for path in paths:
        num_paths += 1
        name = plain_name(path)
        suffix = PurePosixPath(name).suffix.lower()
        if path.endswith("/") or any(map(is_hidden, name.split("/"))):
            continue
        if suffix == ".png":
            files[name] = path
        elif suffix in CONVERTIBLE:
            suffixes.add(suffix)
    return Found(dict(sorted(files.items())), num_paths - len(files), suffixes)


def plain_name(path: str) -> str:
    """Return a path with forward slashes, without "./", and its accents composed.

    Zips of older Windows tools have backslashes, and what unpacks them elsewhere may keep these
    in file names; Macs decompose accents.
    """
    return unicodedata.normalize("NFC", PurePosixPath(path.replace("\\", "/")).as_posix())


def is_hidden(part: str) -> bool:
    """Return whether a part of a path is hidden, or made by a Mac beside the files of a zip."""
    return part.startswith(".") or part == "__MACOSX"


def open_reader(source: Path) -> Callable[[str], bytes]:
    """Return a function from a path in a folder or zip to the bytes of the file."""
    if source.is_dir():
        return lambda path: read_limited(source / path)
    return zipfile.ZipFile(source).read  # closed with the last reference to it


def read_limited(path: Path) -> bytes:
    """Return a file's bytes unless it is far larger than any sprite."""
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise InputError(f"{size / 2**20:,.0f} MiB, at most {MAX_FILE_BYTES / 2**20:,.0f}")
    return path.read_bytes()
