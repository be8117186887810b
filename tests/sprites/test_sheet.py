import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

from utils.data_utils import load_sprites

rng = np.random.default_rng(0)


@pytest.fixture
def sheet(tmp_path):
    """A sheet of 3x2 tiles of 32x40, the second of which is empty; its path."""
    rgba = np.zeros((80, 96, 4), np.uint8)
    rgba[..., :3] = rng.integers(0, 256, (80, 96, 3))
    rgba[..., 3] = 255
    rgba[:40, 32:64] = 0
    path = tmp_path / "sheet.png"
    Image.fromarray(rgba).save(path)
    return path


def part(path, x, y, width, height):
    return np.asarray(Image.open(path))[y : y + height, x : x + width, :3]


def aseprite(path, boxes, as_array=False, **more):
    """Write the JSON of a sheet."""
    frames = {
        name: {"frame": dict(zip("xywh", box, strict=True)), "duration": 100, **more}
        for name, box in boxes.items()
    }
    if as_array:
        frames = [{"filename": name, **frame} for name, frame in frames.items()]
    path.with_suffix(".json").write_text(json.dumps({"frames": frames, "meta": {"app": "x"}}))


def test_tiles_are_named_by_row_and_column_and_empty_ones_left_out(sheet):
    sprites = load_sprites(sheet, tile=(32, 40))
    assert sprites.names == ["r00c00", "r00c02", "r01c00", "r01c01", "r01c02"]
    assert sprites.source == str(sheet) and sprites.pixels.is_contiguous()
    assert "5 from" in sprites.notes[0] and "1 empty" in sprites.notes[1]
    pixels = sprites.pixels[3].permute(1, 2, 0).numpy()
    assert np.array_equal(pixels[:, 4:36], part(sheet, 32, 40, 32, 40))
    assert (pixels[:, :4] == 255).all() and (pixels[:, 36:] == 255).all()


def test_tiles_on_a_colour(tmp_path):
    # The first sprite reaches the edge of its tile: the colour is known from the whole sheet.
    sheet = Image.new("RGB", (102, 52), (0, 128, 128))
    sheet.paste((200, 0, 0), (10, 10, 50, 30))
    sheet.paste((0, 0, 200), (60, 10, 70, 20))
    sheet.paste((0, 0, 100), (64, 14, 66, 16))
    sheet.save(tmp_path / "a.png")
    sprites = load_sprites(tmp_path / "a.png", tile=(50, 50))
    assert sprites.names == ["r00c00", "r00c01"]
    assert "of 2 sprites" in sprites.notes[1] and "#008080 (2)" in sprites.notes[1]
    assert (sprites.pixels[0] == 255).all(0).sum() == 1600 - 40 * 20
    assert (sprites.pixels[1] == 255).all(0).sum() == 1600 - 10 * 10


def test_sheets_of_many_rows_are_sorted_by_row(tmp_path):
    pixels = rng.integers(0, 200, (2 * 101, 4, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    sprites = load_sprites(tmp_path / "a.png", tile=[2, 2])
    assert sprites.names[:3] == ["r000c000", "r000c001", "r001c000"] and len(sprites.names) == 202


@pytest.mark.parametrize("as_array", [False, True])
def test_frames_of_aseprite(sheet, as_array):
    boxes = {"b 1.ase": (0, 0, 30, 30), "a\\b 0.ase": (50, 40, 40, 40), "void": (32, 0, 32, 40)}
    aseprite(sheet, boxes, as_array, rotated=False, trimmed=False)
    sprites = load_sprites(sheet)
    assert sprites.names == ["a/b 0.ase", "b 1.ase"]
    pixels = sprites.pixels.permute(0, 2, 3, 1).numpy()
    assert np.array_equal(pixels[0], part(sheet, 50, 40, 40, 40))
    assert np.array_equal(pixels[1, 5:35, 5:35], part(sheet, 0, 0, 30, 30))
    assert len(load_sprites(sheet, tile=(32, 40)).names) == 5  # what is typed counts


def test_frames_that_were_trimmed_get_their_margin_back(sheet):
    place = {"x": 3, "y": 20, "w": 10, "h": 12}
    aseprite(
        sheet,
        {"a": (0, 0, 10, 12)},
        trimmed=True,
        spriteSourceSize=place,
        sourceSize={"w": 40, "h": 40},
    )
    pixels = load_sprites(sheet).pixels[0].permute(1, 2, 0).numpy()
    assert np.array_equal(pixels[20:32, 3:13], part(sheet, 0, 0, 10, 12))
    assert (pixels == 255).all(-1).sum() >= 1600 - 120


def test_what_is_said_about_a_sheet_alone(sheet):
    with pytest.raises(ValueError, match=r"--tile 40 .*sheet\.json"):
        load_sprites(sheet)


@pytest.mark.parametrize("tile", [(40, 40), (97, 40), (32, 81)])
def test_tiles_that_do_not_divide_the_sheet(sheet, tile):
    with pytest.raises(ValueError, match=r"sheet.png is 96x80, not a whole number of tiles"):
        load_sprites(sheet, tile=tile)


def test_an_empty_rest_is_no_tile(tmp_path):
    sheet = Image.new("RGBA", (45, 50))
    sheet.paste((200, 0, 0, 255), (5, 5, 20, 20))
    sheet.save(tmp_path / "a.png")
    assert load_sprites(tmp_path / "a.png", tile=(40, 40)).names == ["r00c00"]


def test_an_empty_sheet(tmp_path):
    Image.new("RGB", (80, 80), "red").save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="all of its 4 tiles are empty"):
        load_sprites(tmp_path / "a.png", tile=(40, 40))


BAD = {
    "no JSON": "frames",
    "nothing": "{}",
    "a list": "[]",
    "frames that are numbers": '{"frames": 3}',
    "a frame without a box": '{"frames": {"a": {}}}',
    "a frame that is text": '{"frames": ["a"]}',
    "a box of text": '{"frames": {"a": {"frame": {"x": "a", "y": 0, "w": 1, "h": 1}}}}',
    "no end": '{"frames": {"a": {"frame": {"x": Infinity, "y": 0, "w": 1, "h": 1}}}}',
    "outside": '{"frames": {"a": {"frame": {"x": 90, "y": 0, "w": 10, "h": 1}}}}',
    "inside out": '{"frames": {"a": {"frame": {"x": 9, "y": 0, "w": -5, "h": 1}}}}',
    "rotated": '{"frames": {"a": {"frame": {"x": 9, "y": 0, "w": 5, "h": 1}, "rotated": true}}}',
    "not text": b"\xff\xff",
}


@pytest.mark.parametrize("name", BAD)
def test_json_of_another_layout(sheet, name):
    data = BAD[name] if isinstance(BAD[name], bytes) else BAD[name].encode()
    sheet.with_suffix(".json").write_bytes(data)
    with pytest.raises(ValueError, match=re.escape(f"{sheet.with_suffix('.json')} is not in")) as e:
        load_sprites(sheet)
    assert "\n" not in str(e.value)


def test_two_frames_of_one_name(sheet):
    aseprite(sheet, {"a/b": (0, 0, 9, 9), "a\\b": (9, 9, 9, 9)}, as_array=True)
    with pytest.raises(ValueError, match="several frames called 'a/b'"):
        load_sprites(sheet)


def test_tiles_are_for_sheets_alone(sheet, tmp_path):
    for path in (tmp_path, "monsters"):
        with pytest.raises(ValueError, match="--tile cuts a sheet"):
            load_sprites(path, tile=(40, 40))
    (tmp_path / "bad.png").write_bytes(b"GIF89a")
    with pytest.raises(ValueError, match="but a GIF picture"):
        load_sprites(tmp_path / "bad.png", tile=(40, 40))


def test_a_sheet_gives_the_same_sprites_as_its_tiles(sheet, tmp_path):
    folder = tmp_path / "tiles"
    folder.mkdir()
    sprites = load_sprites(sheet, tile=(32, 40))
    for name in sprites.names:
        row, column = map(int, re.findall(r"\d+", name))
        tile = Image.open(sheet).crop((column * 32, row * 40, column * 32 + 32, row * 40 + 40))
        tile.save(folder / f"{name}.png")
    assert torch.equal(load_sprites(folder).pixels, sprites.pixels)
