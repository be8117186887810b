"""Files that are whole or not there, and sums by which damage is noticed."""

import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

BLOCK_BYTES = 2**20
# What file systems answer to what they do not know: shared folders of virtual machines, FUSE, CIFS.
UNKNOWN = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOTTY}


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a file to write, which gets its name when the context ends and all is on the disk.

    Whatever happens on the way (a kill, a power cut, a full disk), an older file of this name stays
    as it was.
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
    write_whole(path, f"{json.dumps(content, indent=2)}\n".encode())


def sync(handle: int) -> None:
    """Bring an open file or folder to the disk, where its file system knows how to."""
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in UNKNOWN:
            raise


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk, where the system knows how to."""
    if os.name == "nt":  # Windows opens no folders
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        sync(handle)
    finally:
        os.close(handle)


def sum_path(path: Path) -> Path:
    """Return where the sum of a file is kept, in the format of the command sha256sum."""
    return path.with_name(path.name + ".sha256")


def write_with_sum(path: Path, write: Callable[["Summed"], None]) -> None:
    """Write a file by a function that takes a file, and its SHA-256.

    The sum gets its name first: a file never lacks one.
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
    """What `torch.save` writes to: passes all on to a file, and sums it up.

    An error is kept, for torch.save would make another one of it.
    """

    def __init__(self, file: BinaryIO):
        self.file = file
        self.sum = hashlib.sha256()
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        """Write and sum up, unless an earlier piece could not be written."""
        if self.error is None:
            try:
                self.file.write(data)
                self.sum.update(data)
            except OSError as error:
                self.error = error
        return len(data)

    def flush(self) -> None:
        """Do nothing: the file is flushed when all is written."""


def read_verified(path: Path) -> bytes:
    """Return the bytes of a file, if they are those of its sum; a file without a sum is taken.

    Raises
    ------
    ValueError
        If they are not.
    """
    data = path.read_bytes()
    check_sum(path, hashlib.sha256(data))
    return data


def verify(path: Path) -> None:
    """Raise ValueError as `read_verified` does, without holding the file in memory."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            found.update(block)
    check_sum(path, found)


def check_sum(path: Path, found: "hashlib._Hash") -> None:
    """Raise ValueError if the sum of a file, where there is one, is not the one that was found."""
    known = sum_path(path)
    if known.is_file() and known.read_bytes().split(b" ")[0] != found.hexdigest().encode():
        raise ValueError(f"{path} is damaged: it does not have the SHA-256 of {known.name}")
