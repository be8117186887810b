import json

import numpy as np
import pytest
import torch
from PIL import Image

from utils.pictures.export import foreground, save_sheet, save_sprites


@pytest.fixture
def ring():
    """A ring of many colours: white outside, white inside, one gap nowhere."""
    pixels = np.full((40, 40, 3), 255, np.uint8)
    pixels[10:30, 10:30] = np.random.default_rng(0).integers(0, 200, (20, 20, 3))
    pixels[15:25, 15:25] = 255
    pixels[0, 0] = 245  # not quite white, as decoders draw it
    return pixels


def as_tensor(pixels):
    return torch.from_numpy(pixels).permute(2, 0, 1)


def test_white_inside_a_sprite_is_drawn(ring):
    drawn = foreground(ring)
    assert drawn[10:30, 10:30].all() and drawn.sum() == 400


def test_white_that_reaches_the_border_by_a_gap_is_not(ring):
    ring[10:15, 20] = 255
    assert foreground(ring).sum() == 400 - 100 - 5


def test_a_gap_at_a_corner_is_closed(ring):
    ring[14, 14] = 255  # touches the inside at a corner only
    assert foreground(ring).sum() == 400


def test_saved_as_rgba(ring, tmp_path):
    save_sprites(tmp_path / "samples", {"0001": as_tensor(ring)})
    image = Image.open(tmp_path / "samples" / "samples_0001.png")
    assert image.mode == "RGBA" and image.size == (40, 40)
    rgba = np.asarray(image)
    assert set(np.unique(rgba[..., 3])) == {0, 255}
    assert np.array_equal(rgba[..., 3] == 255, foreground(ring))
    assert np.array_equal(rgba[..., :3], ring)


@pytest.mark.parametrize("colors", [2, 16, 255])
def test_saved_with_a_palette(ring, tmp_path, colors):
    save_sprites(tmp_path / "samples", {"a": as_tensor(ring)}, colors)
    image = Image.open(tmp_path / "samples" / "samples_a.png")
    assert image.mode == "P"
    rgba = np.asarray(image.convert("RGBA"))
    drawn = rgba[..., 3] == 255
    assert np.array_equal(drawn, foreground(ring)) and set(np.unique(rgba[..., 3])) == {0, 255}
    used = np.unique(rgba[drawn], axis=0)
    assert len(used) <= colors and (colors == 2) <= (len(used) == 2)
    error = np.abs(rgba[..., :3].astype(int) - ring)[drawn].mean()
    assert error < {2: 60, 16: 30, 255: 6}[colors]


def test_an_empty_sprite_is_all_background(tmp_path):
    save_sprites(tmp_path / "samples", {"a": torch.ones(3, 40, 40)}, 16)
    rgba = np.asarray(Image.open(tmp_path / "samples" / "samples_a.png").convert("RGBA"))
    assert (rgba[..., 3] == 0).all()


def test_a_folder_holds_one_set(ring, tmp_path):
    image = as_tensor(ring)
    save_sprites(tmp_path / "samples", {"0": image, "1": image})
    (tmp_path / "samples" / "mine.png").write_text("kept")
    save_sprites(tmp_path / "samples", {"0": image})
    names = sorted(path.name for path in (tmp_path / "samples").iterdir())
    assert names == ["mine.png", "samples_0.png"]


def test_saved_with_given_colours(ring, tmp_path):
    colors = np.array([[0, 0, 0], [200, 30, 30], [255, 255, 255]], np.uint8)
    save_sprites(tmp_path / "samples", {"a": as_tensor(ring)}, colors)
    image = Image.open(tmp_path / "samples" / "samples_a.png")
    rgba = np.asarray(image.convert("RGBA"))
    drawn = rgba[..., 3] == 255
    assert image.mode == "P" and np.array_equal(drawn, foreground(ring))
    assert {tuple(color) for color in rgba[drawn][:, :3]} <= {tuple(color) for color in colors}
    assert (rgba[20, 20] == 255).all()  # white inside stays white


@pytest.mark.parametrize("palette", [None, 8])
def test_a_sheet_and_its_places(ring, tmp_path, palette):
    kinds = {
        "samples": {f"{i}": as_tensor(np.roll(ring, i, 1)) for i in range(5)},
        "steps": {"0": as_tensor(ring)},
    }
    save_sheet(tmp_path / "sheet.png", kinds, 3, palette)
    picture = Image.open(tmp_path / "sheet.png")
    rgba = np.asarray(picture.convert("RGBA"))
    layout = json.loads((tmp_path / "sheet.json").read_text())
    meta = layout["meta"]
    assert rgba.shape == (120, 120, 4) and meta["size"] == {"w": 120, "h": 120}
    assert meta["image"] == "sheet.png" and picture.mode == ("P" if palette else "RGBA")
    tags = [(tag["name"], tag["from"], tag["to"]) for tag in meta["frameTags"]]
    assert tags == [("samples", 0, 4), ("steps", 5, 5)]
    names = [f"{kind}_{name}" for kind, images in kinds.items() for name in images]
    assert [frame["filename"] for frame in layout["frames"]] == names
    sprites = [image for images in kinds.values() for image in images.values()]
    for frame, sprite in zip(layout["frames"], sprites, strict=True):
        x, y, w, h = (frame["frame"][side] for side in "xywh")
        cell, pixels = rgba[y : y + h, x : x + w], sprite.permute(1, 2, 0).numpy()
        assert np.array_equal(cell[..., 3] == 255, foreground(pixels))
        if palette is None:
            assert np.array_equal(cell[..., :3], pixels)
    assert layout["frames"][5]["frame"] == {"x": 0, "y": 80, "w": 40, "h": 40}  # a row of its own
    assert (rgba[40:80, 80:, 3] == 0).all()  # an empty place
