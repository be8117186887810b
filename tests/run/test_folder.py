import errno
import json
import os
from pathlib import Path

import pytest
from filelock import FileLock

from utils.run.folder import locked, newest_run


@pytest.mark.parametrize(
    "error", [NotImplementedError("flock"), OSError(errno.ENOSYS, "?"), OSError(errno.ENOLCK, "?")]
)
def test_a_file_system_without_locks_is_a_line(tmp_path, monkeypatch, capsys, error):
    def acquire(*_, **__):
        raise error

    monkeypatch.setattr(FileLock, "acquire", acquire)
    with locked(tmp_path / "run"):
        (tmp_path / "run" / "file").touch()
    assert capsys.readouterr().out.count("\n") == 1


def test_another_error_of_a_lock_ends_in_one_line(tmp_path, monkeypatch):
    def acquire(*_, **__):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(FileLock, "acquire", acquire)
    with pytest.raises(ValueError, match="cannot write to the output folder"), locked(tmp_path):
        pass


def test_the_newest_run_is_one_that_has_a_checkpoint(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for index, name in enumerate(("old", "good", "failed")):
        folder = Path(f"output_dir_{name}")
        folder.mkdir()
        (folder / "args.json").write_text(json.dumps({}))
        os.utime(folder / "args.json", (index, index))
        if name != "failed":
            (folder / "checkpoint_0.pt").touch()
    assert newest_run() == Path("output_dir_good")


@pytest.mark.skipif(os.name == "nt", reason="no flock")
def test_a_file_system_without_flock_is_no_obstacle(tmp_path, monkeypatch):
    import fcntl

    def flock(*_):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", flock)
    for _ in range(2):
        with locked(tmp_path / "run"):
            (tmp_path / "run" / "file").touch()
