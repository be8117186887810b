import multiprocessing
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from utils.sprites import decode
from utils.sprites.source import sprite_files

ROOT = Path(__file__).parents[2]


@pytest.fixture
def many_files(sprite_folder):
    """A folder of 240 sprites, two of them broken."""
    data = [path.read_bytes() for path in sorted(sprite_folder.iterdir())]
    for index in range(12, 240):
        (sprite_folder / f"{index:03d}.png").write_bytes(data[index % 12])
    for name in ("013.png", "200.png"):
        (sprite_folder / name).write_bytes(b"no PNG")
    return sprite_folder


def decoded(source):
    return decode.decode_files(source, sprite_files(source).files, 40, "crop")


@pytest.mark.parametrize("as_zip", [False, True])
def test_processes_decode_as_one_core_does(many_files, tmp_path, monkeypatch, as_zip):
    source = many_files
    if as_zip:
        source = tmp_path / "sprites.zip"
        with zipfile.ZipFile(source, "w") as archive:
            for file in many_files.iterdir():
                archive.write(file, file.name)
    alone = decoded(source)
    monkeypatch.setattr(decode, "num_cores", lambda: 2)
    monkeypatch.setattr(decode, "MANY", 2)
    monkeypatch.setattr(decode, "CHUNK", 50)
    here = []
    monkeypatch.setattr(decode, "decode_chunk", lambda *args: here.append(args))
    together = decoded(source)
    assert not here and np.array_equal(alone.pixels, together.pixels)
    assert alone[1:] == together[1:]
    assert together.errors == ["013.png (not a PNG)", "200.png (not a PNG)"]
    assert (together.pixels[200] == 255).all()


SCRIPT = """
import sys
from utils.cli import Parser, run_script
from utils.sprites import decode, workers

def main(args):
    from pathlib import Path
    from utils.sprites.source import sprite_files
    decode.MANY, decode.CHUNK = 2, 5
    decode.num_cores = workers.num_cores = lambda: 2
    folder = Path(args.folder)
    files = {f"{name}{i}": path for name, path in sprite_files(folder).files.items()
             for i in range(4000)}
    print("begun", flush=True)
    decode.decode_files(folder, files, 40, "crop")

if __name__ == "__main__":
    parser = Parser("Decode many files.")
    parser.add_argument("folder")
    run_script(main, parser)
"""


@pytest.fixture
def parent(tmp_path, sprite_folder):
    """A program that decodes for a long time, its workers at work."""
    script = tmp_path / "parent.py"
    script.write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, script, sprite_folder],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )
    assert process.stdout.readline() == "begun\n"
    deadline = time.monotonic() + 60
    while len(children_of(process)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    yield process
    process.kill()
    process.communicate()


def children_of(process):
    """Return the ids of a process's workers."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(child) for child in children if "spawn_main" in command_line(child)]


def command_line(process):
    """Return the command line of a process, which is empty when it has ended."""
    try:
        return Path(f"/proc/{process}/cmdline").read_text()
    except FileNotFoundError:
        return ""


needs_proc = pytest.mark.skipif(not Path("/proc").is_dir(), reason="workers are found in /proc")


@needs_proc
@pytest.mark.parametrize("seconds", [0, 2])  # workers import numpy at first
def test_ctrl_c_ends_all_processes_with_one_line(parent, seconds):
    time.sleep(seconds)
    workers = children_of(parent)
    os.killpg(parent.pid, signal.SIGINT)
    _, err = parent.communicate(timeout=60)
    assert (parent.returncode, err) == (130, "stopped by SIGINT\n")
    assert not any(map(command_line, workers))


DYING = """
import os, signal
from utils.cli import Parser, run_script
from utils.sprites import workers

def work(number):
    if number == 30:
        os.kill(os.getpid(), signal.SIGKILL)  # as when memory is short, or a library crashes
    return number

def main(args):
    workers.num_cores = lambda: 2
    for _ in workers.in_workers(work, range(100), "decodes sprites"):
        pass

if __name__ == "__main__":
    run_script(main, Parser("Work until a worker dies."))
"""


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_a_worker_that_dies_ends_the_program_with_one_line(tmp_path):
    (tmp_path / "dying.py").write_text(DYING)
    done = subprocess.run(
        [sys.executable, tmp_path / "dying.py"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "a process that decodes sprites died" in done.stderr


@needs_proc
def test_workers_end_with_a_parent_that_is_killed(parent):
    workers = children_of(parent)
    time.sleep(1)
    parent.kill()
    deadline = time.monotonic() + 30
    while any(map(command_line, workers)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_workers_import_no_torch():
    loaded = "import sys, utils.sprites.decode; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", loaded], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "False\n"


def test_no_process_is_left(many_files, monkeypatch):
    monkeypatch.setattr(decode, "num_cores", lambda: 2)
    monkeypatch.setattr(decode, "MANY", 2)
    decoded(many_files)
    assert not multiprocessing.active_children()
