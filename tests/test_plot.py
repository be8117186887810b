import numpy as np
import torch
from PIL import Image

from utils.plot import GAP, enlarge, grid, labelled_rows, save_picture, to_uint8


def sprites(count, side=5):
    return torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8)


def test_floats_are_rounded():
    assert to_uint8(torch.tensor([0.0, 0.5, 1.0, 1.2])).tolist() == [0, 128, 255, 255]


def test_pixels_of_a_grid_are_those_of_the_sprites():
    images = sprites(7)
    picture = grid(images, columns=3, scale=4)
    assert picture.shape == (4 * (3 * (5 + GAP) + GAP), 4 * (3 * (5 + GAP) + GAP), 3)
    top, left = GAP + 5 + GAP, GAP  # of the fourth image
    assert np.array_equal(
        picture[4 * top : 4 * (top + 5), 4 * left : 4 * (left + 5)],
        enlarge(images[3].permute(1, 2, 0).numpy(), 4),
    )
    assert (picture[-4 * GAP :] == 255).all()


def test_labelled_rows_hold_every_sprite():
    rows = [("one", sprites(3)), ("the second", sprites(2))]
    picture = labelled_rows(rows, scale=2)
    for label, images in rows:
        strip = grid(images, len(images), 2)
        found = [
            top
            for top in range(len(picture) - len(strip) + 1)
            for left in range(picture.shape[1] - strip.shape[1] + 1)
            if np.array_equal(picture[top : top + len(strip), left : left + strip.shape[1]], strip)
        ]
        assert len(found) == 1, label
    assert (picture[:, :20] < 255).any()  # the labels


def test_a_saved_picture_is_whole_and_the_same_each_time(tmp_path):
    picture = grid(sprites(4), 2)
    save_picture(tmp_path / "a.png", picture)
    save_picture(tmp_path / "b.png", picture)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), picture)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert len(list(tmp_path.iterdir())) == 2
