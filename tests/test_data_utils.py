import multiprocessing
import os
import signal
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from utils import data_utils
from utils.data_utils import divide, load_sprite, load_sprites, split
from utils.sprites import decode


def zip_folder(folder, path):
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.rglob("*"):
            archive.write(file, file.relative_to(folder).as_posix())
    return path


def test_sprites_come_in_sorted_order_on_white(sprite_folder):
    sprites = load_sprites(sprite_folder)
    assert sprites.pixels.shape == (12, 3, 40, 40) and sprites.pixels.dtype == torch.uint8
    assert sprites.names == [f"{index:03d}.png" for index in range(12)]
    assert sprites.pixels.is_contiguous()
    for name, pixels in zip(sprites.names, sprites.pixels, strict=True):
        rgba = np.asarray(Image.open(sprite_folder / name))
        expected = np.where(rgba[..., 3:] == 255, rgba[..., :3], 255)
        assert np.array_equal(pixels.permute(1, 2, 0).numpy(), expected)
        assert torch.equal(load_sprite(sprite_folder / name), pixels)


def test_subfolders_count_and_other_files_are_counted(sprite_folder):
    (sprite_folder / "shiny" / "old").mkdir(parents=True)
    (sprite_folder / "000.png").rename(sprite_folder / "shiny" / "old" / "000.PNG")
    (sprite_folder / ".gitkeep").touch()
    for name in (".hidden.png", "notes.txt", "shiny/photo.jpg"):
        (sprite_folder / name).write_text("x")
    sprites = load_sprites(sprite_folder)
    assert sprites.names[-1] == "shiny/old/000.PNG" and len(sprites.names) == 12
    assert "Left out: 3 " in sprites.notes[1]


def test_links_that_run_in_circles_end(sprite_folder):
    try:
        (sprite_folder / "again").symlink_to(sprite_folder, target_is_directory=True)
    except OSError:
        pytest.skip("no right to make links here")
    assert len(load_sprites(sprite_folder).names) == 12


def test_a_zip_holds_the_same_sprites(sprite_folder, tmp_path):
    (sprite_folder / "b").mkdir()
    (sprite_folder / "003.png").rename(sprite_folder / "b" / "003.png")
    (sprite_folder / ".hidden").mkdir()
    (sprite_folder / ".hidden" / "x.png").write_text("x")
    folder = load_sprites(sprite_folder)
    archive = load_sprites(zip_folder(sprite_folder, tmp_path / "a.zip"))
    assert torch.equal(folder.pixels, archive.pixels) and folder.names == archive.names


def test_a_zip_beside_an_empty_folder_is_taken(sprite_folder, tmp_path):
    (tmp_path / "figure").mkdir()
    zip_folder(sprite_folder, tmp_path / "figure.zip")
    assert load_sprites(tmp_path / "figure").source == str(tmp_path / "figure.zip")


def test_an_empty_figure_gives_way_to_the_monsters(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "figure").mkdir()
    (tmp_path / "figure" / ".gitkeep").touch()
    sprites = load_sprites("figure")
    assert sprites.source == "monsters" and sprites.pixels.shape == (792, 3, 40, 40)
    assert "--data_path" in sprites.notes[0]
    assert torch.equal(load_sprites("monsters").pixels, sprites.pixels)


def test_monsters_fit_any_square():
    assert load_sprites("monsters", 64).pixels.shape == (792, 3, 64, 64)


def test_notes_say_what_was_done(sprite_folder):
    Image.new("RGB", (30, 40)).save(sprite_folder / "wide.png")
    assert "12 as they are, 1 padded" in load_sprites(sprite_folder).notes[0]


def test_real_sprites(real_sprites):
    sprites = load_sprites(real_sprites)
    assert sprites.pixels.shape == (792, 3, 40, 40)
    assert "792 as they are" in sprites.notes[0]


# ---- bad input


def bomb(width, height):
    """A PNG of a few bytes that claims to be large."""

    def chunk(kind, data):
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


def test_all_broken_files_are_named_in_one_line(sprite_folder):
    whole = (sprite_folder / "000.png").read_bytes()
    (sprite_folder / "empty.png").write_bytes(b"")
    (sprite_folder / "short.png").write_bytes(whole[: len(whole) // 2])
    (sprite_folder / "text.png").write_text("not a picture")
    Image.new("RGB", (40, 40)).save(sprite_folder / "jpeg.png", format="JPEG")
    (sprite_folder / "bomb.png").write_bytes(bomb(12000, 12000))
    (sprite_folder / "large.png").write_bytes(bomb(6000, 6000))
    with pytest.raises(ValueError) as error:
        load_sprites(sprite_folder)
    text = str(error.value)
    assert "6 of 18" in text and "\n" not in text
    for name in ("empty", "short", "text", "jpeg", "bomb", "large"):
        assert f"{name}.png (" in text


def test_missing_folder(tmp_path):
    with pytest.raises(ValueError, match="there is no folder or zip"):
        load_sprites(tmp_path / "nowhere")


def test_folder_without_pngs_other_than_figure(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ValueError, match="no PNG in"):
        load_sprites(tmp_path)


def test_a_file_that_is_no_zip(tmp_path):
    (tmp_path / "a.zip").write_text("x")
    with pytest.raises(ValueError, match="neither a folder nor a readable zip"):
        load_sprites(tmp_path / "a.zip")


def test_a_zip_that_unpacks_to_something_monstrous(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(3000))
    monkeypatch.setattr(data_utils, "MAX_FILE_BYTES", 2000)
    with pytest.raises(ValueError, match="unpacks to"):
        load_sprites(tmp_path / "a.zip")


@pytest.mark.parametrize("name", ["../a.png", "/a.png", "b/../../a.png"])
def test_a_zip_with_paths_that_climb_out_of_it(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(name, b"x")
    with pytest.raises(ValueError, match="climb out"):
        load_sprites(tmp_path / "a.zip")


def test_a_zip_whose_paths_begin_with_a_dot(sprite_folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("./000.png", "./.hidden.png"):
            archive.writestr(name, (sprite_folder / "000.png").read_bytes())
    assert load_sprites(tmp_path / "a.zip").names == ["./000.png"]


def test_the_current_folder_and_no_folder(sprite_folder, monkeypatch):
    monkeypatch.chdir(sprite_folder)
    assert len(load_sprites(".").names) == 12
    with pytest.raises(ValueError, match="is empty"):
        load_sprites("")


def test_one_bad_sprite(tmp_path):
    (tmp_path / "a.png").write_text("x")
    for path in (tmp_path / "a.png", tmp_path / "none.png"):
        with pytest.raises(ValueError, match="cannot be read as a PNG"):
            load_sprite(path)


@pytest.mark.parametrize("num_held_out", [1, 5, 11])
def test_the_parts_of_a_split_are_views_of_one_tensor(num_held_out, monkeypatch):
    monkeypatch.setattr(data_utils, "MOVED", 3)
    pixels = torch.randint(0, 256, (12, 3, 4, 4), dtype=torch.uint8)
    train_index, val_index = split(12, num_held_out / 12, seed=5)
    expected = pixels[train_index].clone(), pixels[val_index].clone()
    parts = divide(pixels, train_index, val_index)
    assert all(map(torch.equal, parts, expected))
    assert {part.untyped_storage().data_ptr() for part in parts} == {pixels.data_ptr()}


def decoded(source, names):
    """Return the pixels of a folder or zip, the number of actions and the errors."""
    pixels = np.zeros((len(names), 3, 40, 40), np.uint8)
    return pixels, *decode.decode_files(source, names, pixels)


@pytest.fixture
def in_small_blocks(monkeypatch):
    monkeypatch.setattr(decode, "num_cores", lambda: 1)
    monkeypatch.setattr(decode, "MANY", 2)
    monkeypatch.setattr(decode, "BLOCK_BYTES", 2 * 4800)


@pytest.mark.parametrize("as_zip", [False, True])
def test_processes_decode_as_one_core_does(
    tmp_path, sprite_folder, monkeypatch, in_small_blocks, as_zip
):
    for name in ("003a.png", "bad.png"):
        (sprite_folder / name).write_bytes(b"no PNG")
    source = sprite_folder
    if as_zip:
        source = zip_folder(sprite_folder, tmp_path / "sprites.zip")
    names = sorted(path.name for path in sprite_folder.iterdir()) * 20
    alone = decoded(source, names)
    by_parent = []
    decode_block = decode.decode_block
    monkeypatch.setattr(
        decode, "decode_block", lambda *args: by_parent.append(1) or decode_block(*args)
    )
    monkeypatch.setattr(decode, "num_cores", lambda: 3)
    together = decoded(source, names)
    assert np.array_equal(alone[0], together[0])
    assert alone[1:] == together[1:]
    assert (together[0][names.index("bad.png")] == 255).all()
    assert together[2] == ["003a.png (not a PNG)", "bad.png (not a PNG)"] * 20
    num_blocks = len(names) // 2
    assert 0 < len(by_parent) < num_blocks  # the others are the workers'


def test_one_core_goes_on_where_workers_are_killed(sprite_folder, monkeypatch, in_small_blocks):
    names = sorted(path.name for path in sprite_folder.iterdir()) * 20
    alone = decoded(sprite_folder, names)
    killed = []
    decode_block = decode.decode_block

    def kill(*args):
        for worker in multiprocessing.active_children():
            worker.kill()
            killed.append(worker.pid)
        return decode_block(*args)

    monkeypatch.setattr(decode, "decode_block", kill)  # of the parent, which is at work at once
    monkeypatch.setattr(decode, "num_cores", lambda: 3)
    together = decoded(sprite_folder, names)
    assert np.array_equal(alone[0], together[0]) and alone[1:] == together[1:]
    assert killed


@pytest.mark.skipif(os.name == "nt", reason="Windows does not delete a file that is open")
def test_one_core_goes_on_where_workers_cannot_open_the_zip(
    sprite_folder, tmp_path, monkeypatch, in_small_blocks, capfd
):
    source = zip_folder(sprite_folder, tmp_path / "sprites.zip")
    names = sorted(path.name for path in sprite_folder.iterdir())
    alone = decoded(source, names)

    @contextmanager
    def deleted():
        source.unlink(missing_ok=True)
        yield

    monkeypatch.setattr(decode, "script_hidden", deleted)  # entered before a worker starts
    monkeypatch.setattr(decode, "num_cores", lambda: 2)
    together = decoded(source, names)
    assert np.array_equal(alone[0], together[0]) and alone[1:] == together[1:]
    assert capfd.readouterr().err == ""


UNGUARDED = """
import os
import sys
from pathlib import Path
import numpy as np
from utils.sprites import decode

print("begun")
decode.MANY, decode.BLOCK_BYTES, decode.num_cores = 2, 4800, lambda: 3
folder = Path(sys.argv[1])
names = os.listdir(folder)
actions, _ = decode.decode_files(folder, names, np.empty((len(names), 3, 40, 40), np.uint8))
print(actions.total(), Path(__file__).name)
"""


def test_workers_do_not_import_the_script(tmp_path, sprite_folder):
    script = tmp_path / "no_guard.py"
    script.write_text(UNGUARDED)
    done = subprocess.run(
        [sys.executable, script, sprite_folder],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
    )
    count = len(list(sprite_folder.iterdir()))
    assert done.stdout.splitlines() == ["begun", f"{count} no_guard.py"]
    assert done.stderr == ""


MANY_FILES = """
import os
import sys
from pathlib import Path
import numpy as np
from utils.sprites import decode

decode_block = decode.decode_block

def begin(*args):
    print("begun", flush=True)
    return decode_block(*args)

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    names = os.listdir(folder) * 20_000
    decode.MANY, decode.decode_block, decode.num_cores = 2, begin, lambda: 3
    decode.decode_files(folder, names, np.empty((len(names), 3, 40, 40), np.uint8))
"""


def is_running(process):
    """Return whether a process is there, and is not a dead one that nobody has asked for."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="children are found in /proc")
def test_workers_end_with_a_parent_that_is_killed(tmp_path, sprite_folder):
    script = tmp_path / "parent.py"
    script.write_text(MANY_FILES)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    parent = subprocess.Popen(
        [sys.executable, script, sprite_folder], stdout=subprocess.PIPE, env=environment
    )
    assert parent.stdout.readline() == b"begun\n"
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
    assert len(children) >= 2  # workers, and multiprocessing's tracker of resources
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 20
    while any(map(is_running, children)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.skipif(os.name == "nt", reason="Windows sends Ctrl-C in another way")
def test_ctrl_c_ends_all_processes_without_a_word_of_the_workers(tmp_path, sprite_folder):
    script = tmp_path / "parent.py"
    script.write_text(MANY_FILES)
    parent = subprocess.Popen(
        [sys.executable, script, sprite_folder],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        start_new_session=True,
    )
    assert parent.stdout.readline() == b"begun\n"  # workers import numpy meanwhile
    os.killpg(parent.pid, signal.SIGINT)
    _, err = parent.communicate(timeout=60)
    assert err.decode().count("Traceback") == 1 and "KeyboardInterrupt" in err.decode()


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot hold a signal back")
def test_a_process_that_starts_holds_ctrl_c_back_and_this_one_does_not_lose_it():
    masked = "import signal; print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))"
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), decode.ctrl_c_for_parent():
            child = subprocess.run([sys.executable, "-c", masked], capture_output=True, text=True)
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert child.stdout == "True\n"


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot hold a signal back")
def test_ctrl_c_is_not_for_workers_whenever_one_may_start(
    sprite_folder, monkeypatch, in_small_blocks
):
    held = []

    @contextmanager
    def look():
        held.append(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))
        yield

    monkeypatch.setattr(decode, "script_hidden", look)
    monkeypatch.setattr(decode, "num_cores", lambda: 3)
    names = sorted(path.name for path in sprite_folder.iterdir()) * 5
    decoded(sprite_folder, names)
    assert all(held) and len(held) >= 2
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
