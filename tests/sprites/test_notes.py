"""The advice on pictures of other types is run as it is printed, by the shell."""

import re
import subprocess
import sys
import zipfile

import pytest
from PIL import Image

from utils.data_utils import load_sprites


def run_advice(text, folder):
    """Run the command that a message ends with."""
    command = re.search(r'python (-c ".*")', text)[1]
    subprocess.run(f'"{sys.executable}" {command}', shell=True, check=True, cwd=folder)


def write_others(folder):
    folder.mkdir()
    image = Image.new("RGB", (40, 40), "blue")
    image.paste("red", (10, 10, 20, 20))
    for name in ("a.bmp", "b.GIF", "c.webp"):
        image.save(folder / name)


@pytest.mark.parametrize(
    "name", ["mine", "o'brien's $HOME `x` %PATH% \"!", "\u30b9\u30d7 100 \U0001f431"]
)
def test_a_folder_of_other_pictures_becomes_pngs(tmp_path, name):
    if sys.platform == "win32" and '"' in name:
        pytest.skip("no name of Windows")
    write_others(tmp_path / name)
    with pytest.raises(ValueError, match=r"To turn .bmp, .gif, .webp into PNGs") as error:
        load_sprites(tmp_path / name)
    run_advice(str(error.value), tmp_path)
    sprites = load_sprites(tmp_path / name)
    assert sprites.names == ["a.bmp.png", "b.GIF.png", "c.webp.png"]
    assert "Left out (hidden, or of another type): 3" in sprites.notes[-1]


def test_other_pictures_beside_pngs_are_not_passed_over(sprite_folder):
    (sprite_folder / "x.gif").write_bytes(b"GIF89a")
    (sprite_folder / "x.txt").write_bytes(b"text")
    (note,) = load_sprites(sprite_folder).notes[1:]
    assert "Left out (hidden, or of another type): 2" in note and "To turn .gif into PNGs" in note


def test_other_pictures_that_are_called_png(sprite_folder):
    image = Image.new("RGB", (40, 40), "blue")
    image.save(sprite_folder / "x.png", format="WEBP")
    image.save(sprite_folder / "y.PNG", format="GIF")
    with pytest.raises(ValueError, match=r"2 of 14 .* To rewrite them as PNGs") as error:
        load_sprites(sprite_folder)
    run_advice(str(error.value), sprite_folder)
    assert len(load_sprites(sprite_folder).names) == 14


def test_a_zip_is_to_be_unpacked_first(tmp_path):
    write_others(tmp_path / "s")
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        archive.write(tmp_path / "s" / "a.bmp", "a.bmp")
    with pytest.raises(ValueError, match=r"unpack the zip and run in its folder: .*\('.'\)"):
        load_sprites(tmp_path / "s.zip")


def test_a_sheet_of_another_type(tmp_path):
    write_others(tmp_path / "s")
    with pytest.raises(ValueError, match="is not a PNG") as error:
        load_sprites(tmp_path / "s" / "c.webp", tile=(40, 40))
    run_advice(str(error.value), tmp_path)
    assert load_sprites(tmp_path / "s" / "c.webp.png", tile=(20, 20)).names
