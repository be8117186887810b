import errno
import os

import pytest
import torch

from utils import files
from utils.files import read_verified, sum_path, write_whole, write_with_sum


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_whole_file_replaces_the_old_one(tmp_path):
    write_whole(tmp_path / "a", b"one")
    write_whole(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"two" and names(tmp_path) == ["a"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, call):
    write_whole(tmp_path / "a", b"one")

    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, call, fail)
    with pytest.raises(OSError, match="No space left"):
        write_whole(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"one" and names(tmp_path) == ["a"]


def test_a_sum_is_that_of_sha256sum(tmp_path):
    write_with_sum(tmp_path / "a", lambda file: file.write(b"abc"))
    assert sum_path(tmp_path / "a").read_text() == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a\n"
    )
    assert read_verified(tmp_path / "a") == b"abc"


def test_every_damage_is_noticed(tmp_path):
    data = os.urandom(50)
    path = tmp_path / "a"
    write_with_sum(path, lambda file: file.write(data))
    damaged = [data[:size] for size in range(50)]
    for bit in range(400):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        damaged.append(bytes(flipped))
    for bad in damaged:
        path.write_bytes(bad)
        with pytest.raises(ValueError, match="is damaged"):
            read_verified(path)


def test_a_damaged_sum_is_noticed_too(tmp_path):
    path = tmp_path / "a"
    for bad in (b"", b"ba78", b"0" * 64 + b"  a\n"):
        write_with_sum(path, lambda file: file.write(b"abc"))
        sum_path(path).write_bytes(bad)
        with pytest.raises(ValueError, match="is damaged"):
            read_verified(path)


def test_a_file_from_elsewhere_is_taken_as_it_is(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert read_verified(tmp_path / "a") == b"abc"


def test_a_disk_that_fills_up_during_torch_save_is_an_error_of_the_disk(tmp_path, monkeypatch):
    class Full:
        """A file on a disk with room for a thousand bytes."""

        def __init__(self, file):
            self.file, self.room = file, 1000

        def write(self, data):
            self.room -= len(data)
            if self.room < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            self.file.write(data)

    real = files.Summed
    monkeypatch.setattr(files, "Summed", lambda file: real(Full(file)))
    with pytest.raises(OSError, match="No space left"):
        write_with_sum(tmp_path / "a", lambda file: torch.save([torch.zeros(1000)] * 3, file))
    assert names(tmp_path) == []


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF])
def test_a_file_system_that_knows_no_sync_is_no_obstacle(tmp_path, monkeypatch, code):
    def fsync(handle):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(files.os, "fsync", fsync)
    files.write_whole(tmp_path / "a", b"whole")
    assert (tmp_path / "a").read_bytes() == b"whole"


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_a_sync_that_fails_is_an_error(tmp_path, monkeypatch, code):
    def fsync(handle):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(files.os, "fsync", fsync)
    with pytest.raises(OSError):
        files.write_whole(tmp_path / "a", b"whole")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", [errno.EISDIR, errno.EACCES])
def test_a_folder_that_cannot_be_opened_is_no_obstacle(tmp_path, monkeypatch, code):
    real = os.open

    def open_file(path, *arguments, **options):
        if os.path.isdir(path):
            raise OSError(code, os.strerror(code), path)
        return real(path, *arguments, **options)

    monkeypatch.setattr(files.os, "open", open_file)
    files.write_whole(tmp_path / "a", b"whole")
    assert (tmp_path / "a").read_bytes() == b"whole"
