import numpy as np
import pytest
import torch
from PIL import Image

from utils.pictures.export import foreground, save_sprites


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
