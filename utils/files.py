"""Files that are either complete or absent, and checksums that reveal damage."""

import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from utils.cli import InputError

BLOCK_BYTES = 2**20
# What file systems answer to what they do not know: shared folders of virtual machines, FUSE, CIFS.
UNKNOWN = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOTTY, errno.EBADF}


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a file to write, which takes its name only once all of it is on the disk.

    If writing is cut short (a kill, a power cut, a full disk), an older file of this name survives.
    """
    temporary = path.with_name(path.name + ".tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            sync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file; see `whole_file`."""
    with whole_file(path) as file:
        file.write(data)


def write_json(path: Path, content: dict) -> None:
    """Write a dictionary as JSON; see `write_whole`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        for piece in json.JSONEncoder(indent=2).iterencode(content):  # the text may be long
            file.write(piece.encode())
        file.write(b"\n")


def sync(handle: int) -> None:
    """Bring an open file or folder to the disk, where its file system knows how to."""
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in UNKNOWN:
            raise


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to the disk, where the system can."""
    if os.name == "nt":  # Windows opens no folders
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
    except (IsADirectoryError, PermissionError):  # of some network shares
        return
    try:
        sync(handle)
    finally:
        os.close(handle)


def sum_path(path: Path) -> Path:
    """Return the path of a file's checksum, in the format of the command sha256sum."""
    return path.with_name(path.name + ".sha256")


def write_with_sum(path: Path, write: Callable[["Summed"], None]) -> None:
    """Call `write` with a file, and write its SHA-256 beside it.

    The checksum appears first, so that a file never lacks one.
    """
    with whole_file(path) as file:
        summed = Summed(file)
        write(summed)
        if summed.error is not None:
            raise summed.error
        file.flush()
        sync(file.fileno())
        line = f"{summed.sum.hexdigest()}  {path.name}\n"
        write_whole(sum_path(path), line.encode())


class Summed:
    """A file for `torch.save` that hashes what it writes.

    It keeps the first error, because torch.save would replace it by another.
    """

    def __init__(self, file: BinaryIO):
        self.file = file
        self.sum = hashlib.sha256()
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        """Write and hash, unless an earlier write failed."""
        if self.error is None:
            try:
                self.file.write(data)
                self.sum.update(data)
            except OSError as error:
                self.error = error
        return len(data)

    def flush(self) -> None:
        """Do nothing: `write_with_sum` flushes the file at the end."""


def read_verified(path: Path) -> bytes:
    """Return the bytes of a file; raise ValueError if it has a checksum that does not match."""
    data = path.read_bytes()
    check_sum(path, hashlib.sha256(data))
    return data


def verify(path: Path) -> None:
    """Check a file as `read_verified` does, without holding it in memory."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            found.update(block)
    check_sum(path, found)


def check_sum(path: Path, found: "hashlib._Hash") -> None:
    """Raise ValueError if a file has a checksum and it is not the one found."""
    known = sum_path(path)
    if known.is_file() and known.read_bytes().split(b" ")[0] != found.hexdigest().encode():
        raise InputError(f"{path} is damaged: it does not have the SHA-256 of {known.name}")
