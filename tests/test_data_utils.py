import os
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from tests.sprites import pngs
from utils import data_utils
from utils.data_utils import (
    Sprites,
    check_sprites,
    divide,
    fingerprint,
    fingerprints,
    load_sprite,
    load_sprites,
    num_built_in,
    split,
)
from utils.sprites import source
from utils.sprites.names import number_of


def zip_folder(folder, path):
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.rglob("*"):
            archive.write(file, file.relative_to(folder).as_posix())
    return path


def write_as(archive, name, data):
    """Write a file to a zip under a name that zipfile would change."""
    info = zipfile.ZipInfo("x")
    info.filename = name
    archive.writestr(info, data)


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
    assert "Left out (hidden, or of another type): 3" in sprites.notes[1]


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
    assert sprites.pixels.shape == (792, 3, 40, 40) and "--data_path" in sprites.notes[1]
    for path in ("monsters", sprites.source):
        assert torch.equal(load_sprites(path).pixels, sprites.pixels)


def test_pictures_of_other_types_in_figure_are_not_passed_over(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "figure").mkdir()
    Image.new("RGB", (40, 40)).save(tmp_path / "figure" / "a.bmp")
    with pytest.raises(ValueError, match="python -c"):
        load_sprites("figure")


@pytest.mark.parametrize("typed", ["monsters", "monsters/", "./monsters"])
def test_a_folder_of_ones_own_called_monsters(sprite_folder, tmp_path, monkeypatch, typed):
    monkeypatch.chdir(tmp_path)
    sprite_folder.rename(tmp_path / "monsters")
    own = load_sprites(typed)
    assert len(own.names) == 12 and len(load_sprites(own.source).names) == 12
    (tmp_path / "monsters").rename(tmp_path / "moved")
    with pytest.raises(ValueError, match="there is no folder or zip"):
        load_sprites(own.source)  # what a run wrote down never becomes the built-in sprites


def test_a_zip_of_ones_own_called_monsters(sprite_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    zip_folder(sprite_folder, tmp_path / "monsters.zip")
    assert load_sprites("monsters").source == "monsters.zip"


def test_as_many_monsters_as_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sprites = load_sprites("monsters:1002")
    first = load_sprites("monsters")
    assert torch.equal(sprites.pixels[:792], first.pixels) and sprites.names[:792] == first.names
    assert sprites.source == "built-in:monsters:1002" and "1,002 built-in" in sprites.notes[0]
    assert sprites.names == sorted(set(sprites.names)) and len(sprites.names) == 1002
    assert len({number_of(name) for name in sprites.names}) == 1002  # each is a creature
    few = load_sprites("monsters:5")
    assert torch.equal(load_sprites(few.source).pixels, first.pixels[:5])
    assert load_sprites("monsters:792").source == first.source
    (tmp_path / "monsters").mkdir()  # of one's own, which has another name
    assert num_built_in("monsters:5") == 5 and num_built_in("monsters") == 0


@pytest.mark.parametrize("number", ["0", "x", "", "-3", "1000000", "1e4", " 5", "٣"])
def test_numbers_of_monsters_that_are_none(number):
    with pytest.raises(ValueError, match="a whole one from 1 to 999999"):
        load_sprites(f"monsters:{number}")


@pytest.mark.skipif(os.name == "nt", reason="names have no colon on Windows")
def test_a_folder_of_ones_own_with_a_number(sprite_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sprite_folder.rename(tmp_path / "monsters:12")
    with pytest.raises(ValueError, match=r"is a folder or file here; call it \./monsters:12$"):
        load_sprites("monsters:12")
    own = load_sprites("./monsters:12")
    assert own.names[0] == "000.png" and load_sprites(own.source).names == own.names


def test_monsters_fit_any_square():
    assert load_sprites("monsters", 64).pixels.shape == (792, 3, 64, 64)


def test_notes_say_what_was_done(sprite_folder):
    Image.new("RGB", (30, 40)).save(sprite_folder / "wide.png")
    assert "12 as they are, 1 padded" in load_sprites(sprite_folder).notes[0]


def test_real_sprites(real_sprites):
    sprites = load_sprites(real_sprites)
    assert sprites.pixels.shape == (792, 3, 40, 40)
    assert "792 as they are" in sprites.notes[0]


# ---- names


def test_a_zip_with_backslashes_has_the_names_of_its_folder(sprite_folder, tmp_path):
    expected = load_sprites(sprite_folder)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        write_as(archive, "s\\", b"")
        for index, name in enumerate(expected.names):
            slash = "\\" if index % 2 else "/"  # some tools write both
            write_as(archive, f".\\s{slash}old\\{name}", (sprite_folder / name).read_bytes())
    sprites = load_sprites(tmp_path / "a.zip")
    assert sprites.names == [f"s/old/{name}" for name in expected.names]
    assert torch.equal(sprites.pixels, expected.pixels) and len(sprites.notes) == 1
    assert number_of(sprites.names[7]) == "7"


def test_what_macs_put_into_zips_is_left_out(sprite_folder, tmp_path):
    data = (sprite_folder / "000.png").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("s/000.png", "__MACOSX/s/._000.png", "__MACOSX/x.png", "s\\._000.png"):
            write_as(archive, name, data)
    sprites = load_sprites(tmp_path / "a.zip")
    assert (
        sprites.names == ["s/000.png"]
        and "Left out (hidden, or of another type): 3" in sprites.notes[1]
    )


def test_of_entries_of_one_name_the_last_counts(sprite_folder, tmp_path):
    first, second = ((sprite_folder / f"00{i}.png").read_bytes() for i in (0, 1))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        write_as(archive, "s/a.png", first)
        write_as(archive, "s\\a.png", second)
    sprites = load_sprites(tmp_path / "a.zip")
    assert sprites.names == ["s/a.png"]
    assert torch.equal(sprites.pixels[0], load_sprite(sprite_folder / "001.png"))


def test_accents_are_composed_wherever_they_come_from(sprite_folder):
    (sprite_folder / "000.png").rename(sprite_folder / "e\u0301.png")
    assert load_sprites(sprite_folder).names[-1] == "\u00e9.png"


def test_names_that_are_not_utf_8_can_be_told_apart(sprite_folder):
    try:
        (sprite_folder / "000.png").rename(sprite_folder / "caf\udce9.png")
    except (OSError, UnicodeError):
        pytest.skip("this file system has names in UTF-8 alone")
    sprites = load_sprites(sprite_folder)
    assert sprites.names[-1] == "caf\udce9.png" and fingerprint(fingerprints(sprites))


def test_unpacked_names_with_backslashes(sprite_folder):
    try:
        (sprite_folder / "000.png").rename(sprite_folder / "s\\000.png")
    except OSError:
        pytest.skip("backslashes are separators here")
    assert load_sprites(sprite_folder).names[-1] == "s/000.png"


# ---- bad input


def test_many_broken_files_do_not_fill_the_screen(sprite_folder):
    for index in range(700):
        (sprite_folder / f"{index:04d}.png").write_bytes(b"RIFF\0\0\0\0WEBPVP8 ")
    with pytest.raises(ValueError, match="700 of 712") as error:
        load_sprites(sprite_folder)
    text = str(error.value)
    assert "0004.png (not a PNG, but a WebP picture) and 695 more" in text
    assert "\n" not in text and len(text) < 1000


def test_many_changed_sprites_do_not_fill_the_screen():
    names = [f"{index:03d}.png" for index in range(792)]
    sprites = Sprites(torch.zeros(792, 3, 2, 2, dtype=torch.uint8), names, "", [])
    known = fingerprints(sprites)
    changed = fingerprints(sprites._replace(pixels=sprites.pixels + 1))
    with pytest.raises(ValueError, match=r"changed: 000.png, .* and 787 more"):
        check_sprites(known, changed)


def bomb(width, height):
    """A PNG of a few bytes that claims to be large."""
    return pngs.SIGNATURE + pngs.header(width, height, 8, 2) + pngs.chunk(b"IDAT", b"")


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
    for name in ("bomb", "empty", "jpeg", "large", "short"):
        assert f"{name}.png (" in text
    assert " and 1 more" in text and "jpeg.png (not a PNG, but a JPEG picture)" in text


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
    monkeypatch.setattr(source, "MAX_FILE_BYTES", 2000)
    with pytest.raises(ValueError, match="unpacks to"):
        load_sprites(tmp_path / "a.zip")


@pytest.mark.parametrize(
    "name",
    ["../a.png", "/a.png", "b/../../a.png", "b\\..\\..\\a.png", "\\a.png", "C:\\a.png", "c:/a.png"],
)
def test_a_zip_with_paths_that_climb_out_of_it(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        write_as(archive, name, b"x")
    with pytest.raises(ValueError, match="climb out"):
        load_sprites(tmp_path / "a.zip")


def test_a_zip_whose_paths_begin_with_a_dot(sprite_folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("./000.png", "./.hidden.png"):
            archive.writestr(name, (sprite_folder / "000.png").read_bytes())
    assert load_sprites(tmp_path / "a.zip").names == ["000.png"]


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
