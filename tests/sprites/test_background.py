import numpy as np
import pytest
import torch
from PIL import Image

from utils.data_utils import load_sprite, load_sprites
from utils.sprites.background import background_of
from utils.sprites.decode import to_square

WHITE, MAGENTA, BLUE, BLACK = (255, 255, 255), (255, 0, 255), (20, 90, 200), (0, 0, 0)
rng = np.random.default_rng(0)


def drawn(colour, size, box):
    """A canvas of one opaque colour with noise in a box (left, top, right, bottom)."""
    image = Image.new("RGBA", (size, size), colour)
    left, top, right, bottom = box
    noise = rng.integers(1, 250, (bottom - top, right - left, 3), np.uint8)
    image.paste(Image.fromarray(noise), (left, top))
    return image


@pytest.mark.parametrize("colour", [WHITE, MAGENTA, BLUE, BLACK])
def test_a_large_canvas_is_cropped_and_its_background_becomes_white(colour):
    image = drawn(colour, 96, (40, 50, 60, 80))
    pixels, action, found = to_square(image, 40, "crop")
    assert (action, found) == ("cropped", colour)
    expected = np.full((40, 40, 3), 255, np.uint8)
    expected[5:35, 10:30] = np.asarray(image)[50:80, 40:60, :3]
    assert np.array_equal(pixels, expected)
    assert to_square(image, 40, "keep")[1:] == ("scaled", None)


@pytest.mark.parametrize("size", [16, 30, 40])
@pytest.mark.parametrize("colour", [MAGENTA, BLUE])
def test_a_canvas_that_fits_stays_where_it_is_on_white(colour, size):
    box = (5, 5, 12, 14)
    pixels, action, found = to_square(drawn(colour, size, box), 40, "crop")
    clear = drawn(colour, size, box)
    clear.putalpha(Image.new("L", clear.size))
    assert action == to_square(clear, 40, "crop")[1] and found == colour
    assert (pixels == 255).all(-1).sum() == 1600 - 63 * (40 // size) ** 2


def test_white_that_fits_is_not_worth_a_word():
    image = drawn(WHITE, 40, (5, 5, 20, 20))
    pixels, action, found = to_square(image, 40, "crop")
    assert (action, found) == ("as they are", None)
    assert np.array_equal(pixels, np.asarray(image)[..., :3])


def ring(background, inside):
    """A closed red ring on a background, with another colour inside."""
    image = Image.new("RGBA", (60, 60), background)
    image.paste((200, 0, 0, 255), (20, 20, 40, 40))
    image.paste(inside, (25, 25, 35, 35))
    return image


@pytest.mark.parametrize(
    ("background", "inside", "becomes"),
    [
        (WHITE, WHITE, WHITE),  # an eye
        (BLACK, BLACK, BLACK),  # a pupil
        (BLUE, BLUE, BLUE),  # a part of the sprite, as far as anybody knows
        (MAGENTA, MAGENTA, WHITE),  # between the legs: sheets use this colour as a key
        (MAGENTA, BLUE, BLUE),
    ],
)
def test_what_an_outline_closes_in(background, inside, becomes):
    pixels, _, _ = to_square(ring(background, inside), 40, "crop")
    assert tuple(pixels[20, 20]) == becomes
    assert tuple(pixels[12, 12]) == (200, 0, 0) and (pixels[:10] == 255).all()


def test_a_diagonal_outline_is_closed():
    image = Image.new("RGBA", (5, 5), BLUE)
    for place in ((2, 1), (1, 2), (3, 2), (2, 3)):
        image.putpixel(place, (200, 0, 0, 255))
    pixels, _, _ = to_square(image, 5, "crop")
    assert tuple(pixels[2, 2]) == BLUE and tuple(pixels[1, 1]) == WHITE


def test_what_has_no_background():
    flat = Image.new("RGBA", (50, 50), BLUE)
    two = drawn(BLUE, 50, (10, 10, 20, 20))
    two.putpixel((49, 20), (20, 90, 201, 255))
    faint = drawn((*BLUE, 254), 50, (10, 10, 20, 20))
    for image in (flat, two, faint, drawn((0, 0, 0, 0), 50, (10, 10, 20, 20))):
        assert background_of(image) is None


def test_one_line_says_which_backgrounds_were_taken_away(tmp_path):
    for index in range(7):
        colour = BLUE if index == 3 else MAGENTA
        drawn(colour, 50, (10, 10, 20, 20)).save(tmp_path / f"{index}.png")
    drawn(WHITE, 40, (10, 10, 20, 20)).save(tmp_path / "white.png")
    sprites = load_sprites(tmp_path)
    assert "of 7 sprites" in sprites.notes[1] and "#ff00ff (6), #145ac8 (1)" in sprites.notes[1]
    kept = load_sprites(tmp_path, background="keep")
    assert len(kept.notes) == 1 and not torch.equal(kept.pixels, sprites.pixels)
    for background, expected in (("crop", sprites), ("keep", kept)):
        sprite = load_sprite(tmp_path / "3.png", background=background)
        assert torch.equal(sprite, expected.pixels[3])
    with pytest.raises(ValueError, match="'crop' or 'keep'"):
        load_sprites(tmp_path, background="white")
