import numpy as np
import pytest
import torch
from PIL import Image

import vis2
from utils.data_utils import to_uint8
from utils.pictures.plot import (
    GAP,
    INK,
    Figure,
    captioned,
    error_curve,
    grid,
    join,
    labelled_rows,
    norm_curves,
    note,
    save_chart,
    save_figure,
    save_gif,
    titled,
)


def sprites(count, side=5):
    return torch.randint(0, 255, (count, 3, side, side), dtype=torch.uint8)


def block(height, width, value):
    return Figure(np.full((height, width, 3), value, np.uint8))


def places(picture, part):
    """Return the corners (top, left) at which a picture holds another one, to the pixel."""
    height, width = part.shape[:2]
    windows = np.lib.stride_tricks.sliding_window_view(picture, part.shape)[:, :, 0]
    same = (windows == part).reshape(*windows.shape[:2], -1).all(2)
    assert same.shape == (len(picture) - height + 1, picture.shape[1] - width + 1)
    return np.argwhere(same).tolist()


def test_floats_are_rounded():
    assert to_uint8(torch.tensor([0.0, 0.5, 1.0, 1.2])).tolist() == [0, 128, 255, 255]


def test_pixels_of_a_grid_are_those_of_the_sprites():
    images = sprites(7)
    pixels = grid(images, columns=3, scale=4).pixels
    side = 4 * (3 * (5 + GAP) - GAP)
    assert pixels.shape == (side, side, 3)
    for index, image in enumerate(images):
        top, left = (4 * (5 + GAP) * k for k in divmod(index, 3))
        cell = pixels[top : top + 20, left : left + 20]
        assert np.array_equal(cell[::4, ::4], image.permute(1, 2, 0).numpy())
        assert (cell == cell[::4, ::4].repeat(4, 0).repeat(4, 1)).all()
    assert (pixels[-20:, 4 * (5 + GAP) :] == 255).all()  # where there is no eighth


def test_joined_figures_keep_their_pixels_and_texts():
    a, b = block(3, 4, 10), block(5, 2, 20)
    b = b._replace(texts=note("x").texts)
    across = join([a, b], gap=1)
    assert across.pixels.shape == (5, 7, 3)
    assert (across.pixels[1:4, :4] == 10).all() and (across.pixels[:, 5:] == 20).all()
    assert (across.pixels[0, :5] == 255).all()
    assert across.texts[0].x == b.texts[0].x + 5 and across.texts[0].y == b.texts[0].y
    down = join([a, b], down=True, gap=1, align="start")
    assert down.pixels.shape == (9, 4, 3)
    assert (down.pixels[4:, :2] == 20).all() and (down.pixels[4:, 2:] == 255).all()
    assert down.texts[0].y == b.texts[0].y + 4


@pytest.mark.parametrize(
    "make",
    [
        lambda images: captioned(images, ["a", "b\nc", "d", "e"], 3, 2),
        lambda images: labelled_rows([("one", images[:3]), ("two", images[3:])], 2),
        lambda images: vis2.beside_corners(block(90, 90, 0), images, ["a", "b", "c", "d"], 2),
        lambda images: titled("title", grid(images, 2, 2), "subtitle"),
    ],
)
def test_every_sprite_stands_once_in_a_figure_and_texts_within_it(make, tmp_path):
    images = sprites(4)
    figure = make(images)
    for image in images:
        assert len(places(figure.pixels, grid(image[None], 1, 2).pixels)) == 1
    height, width, _ = figure.pixels.shape
    assert figure.texts
    assert all(0 <= text.x <= width and 0 <= text.y <= height for text in figure.texts)
    # No text is cut off: with white sprites, ink stays clear of the border of the picture.
    save_figure(tmp_path / "a.png", make(torch.full_like(images, 255)))
    picture = np.asarray(Image.open(tmp_path / "a.png")).copy()
    assert (picture < 255).any()
    picture[4:-4, 4:-4] = 255
    assert (picture == 255).all()


@pytest.mark.parametrize("form", ["png", "pdf", "svg"])
def test_saved_figures_are_whole_and_the_same_each_time(tmp_path, form):
    figure = captioned(sprites(4), list("abcd"), 2, 3)
    save_figure(tmp_path / "new" / f"a.{form}", figure)
    save_figure(tmp_path / "new" / f"b.{form}", figure)
    files = sorted((tmp_path / "new").iterdir())
    assert [file.name for file in files] == [f"a.{form}", f"b.{form}"]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_png_has_the_pixels_of_the_figure_and_its_texts(tmp_path):
    figure = captioned(sprites(2), ["a", "b"], 2, 3)
    save_figure(tmp_path / "a.png", figure)
    picture = np.asarray(Image.open(tmp_path / "a.png"))
    for image in (figure.pixels[:15, :15], figure.pixels[:15, -15:]):
        assert len(places(picture, image)) == 1
    assert (picture == INK).all(2).any()


def test_text_of_an_svg_stays_text(tmp_path):
    save_figure(tmp_path / "a.svg", note("a word to find"))
    assert "a word to find" in (tmp_path / "a.svg").read_text()


@pytest.mark.parametrize("count", [1, 2, 5])
def test_frames_of_a_gif(tmp_path, count):
    save_gif(tmp_path / "a.gif", [block(8, 8, 40 * i) for i in range(count)])
    picture = Image.open(tmp_path / "a.gif")
    assert picture.n_frames == count


def test_curves_are_the_same_each_time(tmp_path):
    history = {"epoch": [0, 1, 2], "recon": [90, 40, 20], "val_recon": [95, 60, 50]}
    norms = {"top edge": [[2, 1, 2], [2, 2, 2]], "left edge": [[3, 2, 3], [3, 3, 3]]}
    for name, make in (
        ("error", lambda: error_curve(history)),
        ("norms", lambda: norm_curves(norms, 4)),
    ):
        files = [tmp_path / f"{name}_{number}.svg" for number in (1, 2)]
        for file in files:
            save_chart(file, make())
        assert files[0].read_bytes() == files[1].read_bytes()
    assert "held out" in (tmp_path / "error_1.svg").read_text()
    assert "left edge" in (tmp_path / "norms_1.svg").read_text()


def test_a_curve_of_one_epoch_is_a_point():
    chart = error_curve({"epoch": [7], "recon": [90], "val_recon": [95]})
    assert {line.get_marker() for line in chart.axes[0].lines} == {"o"}
