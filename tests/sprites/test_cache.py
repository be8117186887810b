"""What was decoded once is kept: hit, miss, damage and several processes at once."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import main
from utils import data_utils
from utils.cli import InputError
from utils.data_utils import load_sprites
from utils.sprites import cache

ROOT = Path(main.__file__).parent


@pytest.fixture
def made(monkeypatch):
    """The list of data paths that were decoded or drawn, not taken from a cache."""
    paths = []
    real = data_utils.as_kept

    def as_kept(*settings):
        paths.append(str(settings[0]))
        return real(*settings)

    monkeypatch.setattr(data_utils, "as_kept", as_kept)
    return paths


def same(a, b):
    return torch.equal(a.pixels, b.pixels) and a[1:] == b[1:]


def test_the_second_time_nothing_is_decoded_and_all_is_the_same(sprite_folder, tmp_path, made):
    kept = str(tmp_path / "new" / "cache")
    fresh = load_sprites(sprite_folder)
    first = load_sprites(sprite_folder, cache=kept)
    second = load_sprites(sprite_folder, cache=kept)
    assert same(fresh, first) and same(fresh, second)
    assert len(made) == 1
    (file,) = Path(kept).glob("*.npy")
    assert np.array_equal(np.load(file, mmap_mode="r"), fresh.pixels.numpy())


def test_what_a_run_does_to_its_sprites_is_not_kept(sprite_folder, tmp_path):
    kept = str(tmp_path / "cache")
    fresh = load_sprites(sprite_folder)
    load_sprites(sprite_folder, cache=kept).pixels.zero_()
    load_sprites(sprite_folder, cache=kept).pixels.zero_()
    assert same(fresh, load_sprites(sprite_folder, cache=kept))


def test_a_change_of_files_or_settings_is_a_miss(sprite_folder, tmp_path, made):
    kept = str(tmp_path / "cache")
    load_sprites(sprite_folder, cache=kept)
    load_sprites(sprite_folder, 24, cache=kept)
    load_sprites(sprite_folder, 40, None, "keep", cache=kept)
    assert len(made) == 3
    path = sprite_folder / "003.png"
    stat = path.stat()
    pixels = np.asarray(Image.open(path)).copy()
    pixels[pixels[..., 3] > 0, 0] ^= 1
    Image.fromarray(pixels).save(path)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # as if it were the old one
    changed = load_sprites(sprite_folder, cache=kept)
    assert len(made) == 4 and same(changed, load_sprites(sprite_folder))
    path.unlink()
    assert len(load_sprites(sprite_folder, cache=kept).names) == 11
    load_sprites("monsters:5", cache=kept)
    assert len(load_sprites("monsters:6", cache=kept).names) == 6
    assert len(made) == 7


def test_monsters_are_the_same_everywhere_and_folders_are_not(tmp_path, made, monkeypatch):
    for place in ("here", "there"):
        (tmp_path / place / "sprites").mkdir(parents=True)
        Image.new("RGBA", (40, 40), (len(place), 0, 0, 255)).save(
            tmp_path / place / "sprites/a.png"
        )
        monkeypatch.chdir(tmp_path / place)
        for path in ("monsters:5", "sprites"):
            load_sprites(path, cache=str(tmp_path / "cache"))
    assert made == ["built-in:monsters:5", "sprites", "sprites"]
    load_sprites("built-in:monsters:5", cache=str(tmp_path / "cache"))  # as a run writes it down
    assert len(made) == 3
    assert same(load_sprites("monsters"), load_sprites("monsters", cache=str(tmp_path / "cache")))


def test_another_decoder_is_a_miss(sprite_folder, tmp_path, made, monkeypatch):
    load_sprites(sprite_folder, cache=str(tmp_path))
    monkeypatch.setattr(cache, "version", lambda: "another")
    load_sprites(sprite_folder, cache=str(tmp_path))
    assert len(made) == 2


@pytest.mark.parametrize("harm", ["a bit", "the end", "the sum", "all"])
def test_a_damaged_file_is_made_anew(sprite_folder, tmp_path, made, capsys, harm):
    fresh = load_sprites(sprite_folder)
    load_sprites(sprite_folder, cache=str(tmp_path / "cache"))
    (file,) = (tmp_path / "cache").glob("*.npy")
    data = bytearray(file.read_bytes())
    if harm == "a bit":
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    elif harm == "the end":
        file.write_bytes(data[:-3])
    elif harm == "the sum":
        file.with_name(f"{file.name}.sha256").unlink()
    else:
        file.write_bytes(b"")
    again = load_sprites(sprite_folder, cache=str(tmp_path / "cache"))
    assert same(fresh, again) and len(made) == 2
    assert capsys.readouterr().out.count("is damaged, and is made anew") == 1
    load_sprites(sprite_folder, cache=str(tmp_path / "cache"))
    assert len(made) == 2


def test_what_cannot_be_decoded_is_not_kept(sprite_folder, tmp_path):
    (sprite_folder / "bad.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"bad\.png"):
        load_sprites(sprite_folder, cache=str(tmp_path / "cache"))
    assert not list((tmp_path / "cache").glob("*.npy*"))


def test_of_several_processes_one_decodes(tmp_path):
    code = (
        "import sys, time\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "from pathlib import Path\n"
        "import numpy as np\n"
        "from utils.sprites.cache import cached\n"
        "def make():\n"
        "    print('made')\n"
        "    time.sleep(0.5)\n"
        "    return np.ones((3, 3, 4, 4), np.uint8), {'names': ['a']}\n"
        "sys.stdin.readline()\n"
        "pixels, rest = cached(Path('cache'), 'key', make)\n"
        "print(int(pixels.sum()), rest['names'])\n"
    )
    command = [sys.executable, "-c", code]
    pipe = subprocess.PIPE
    all_of_them = [
        subprocess.Popen(command, cwd=tmp_path, stdin=pipe, stdout=pipe, text=True)
        for _ in range(3)
    ]
    for process in all_of_them:
        process.stdin.write("\n")
        process.stdin.flush()
    texts = [process.communicate(timeout=300)[0] for process in all_of_them]
    assert all("144 ['a']" in text for text in texts)
    assert sum(text.count("made") for text in texts) == 1


def test_a_run_is_the_same_with_and_without(train, tmp_path):
    outputs = {"without": (), "first": ("--cache", "kept"), "again": ("--cache", "kept")}
    for output, typed in outputs.items():
        code, _, err = train("--epoch", 2, "--output_dir", output, *typed)
        assert code == 0, err
    name = "lr0.0005_epoch2_latent16_hidden32"
    for file in ("history.csv", "sprites.json", "checkpoint_1.pt", "projector_names.tsv"):
        read = {Path(f"{output}_{name}", file).read_bytes() for output in outputs}
        assert len(read) == 1, file
    code, out, _ = train("--resume", f"again_{name}")  # its own argument, which may change
    assert code == 0 and "is finished" in out
    assert train("--resume", f"again_{name}", "--cache", "elsewhere")[0] == 0
    assert list(Path("elsewhere").glob("*.npy"))


def test_a_cache_that_cannot_be_written_is_one_line(train):
    Path("file").touch()
    code, _, err = train("--epoch", 1, "--cache", "file")
    assert code == 2 and "file" in err and err.count("\n") == 1


def test_a_cache_among_its_sprites_or_without_a_name_is_refused(sprite_folder):
    for place in ("", sprite_folder, sprite_folder / "cache"):
        with pytest.raises(InputError, match="a folder of its own"):
            load_sprites(sprite_folder, cache=str(place))
    with pytest.raises(InputError, match="is empty"):
        load_sprites("", cache="cache")


def test_without_locks_nothing_is_kept(sprite_folder, tmp_path, monkeypatch, capsys):
    def acquire(*_, **__):
        raise NotImplementedError("no locks")

    monkeypatch.setattr(cache.FileLock, "acquire", acquire)
    sprites = load_sprites(sprite_folder, cache=str(tmp_path / "kept"))
    assert len(sprites.names) == 12 and "is not kept (no locks)" in capsys.readouterr().out
    assert not list((tmp_path / "kept").glob("*.npy"))
