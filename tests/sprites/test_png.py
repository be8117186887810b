import io
import sys

import numpy as np
import pytest
from PIL import Image

from utils.sprites import png
from utils.sprites.png import decode_png, fit_to_square

rng = np.random.default_rng(0)


def encode(image, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", **options)
    return buffer.getvalue()


def noise(*shape, dtype=np.uint8):
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def on_white(image):
    rgba = image.convert("RGBA")
    return np.asarray(Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba))[..., :3]


def fitted(data, side=40):
    return fit_to_square(decode_png(data), side)


def drawn(width, height, box):
    """A transparent canvas with noise in a box (left, top, right, bottom)."""
    rgba = np.zeros((height, width, 4), np.uint8)
    left, top, right, bottom = box
    rgba[top:bottom, left:right, :3] = noise(bottom - top, right - left, 3)
    rgba[top:bottom, left:right, 3] = 255
    return Image.fromarray(rgba)


# ---- colour types


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "P"])
def test_each_mode_is_composited_as_pillow_does(mode):
    image = Image.fromarray(noise(40, 40, 4)).convert(mode)
    data = encode(image)
    assert Image.open(io.BytesIO(data)).mode == mode
    pixels, action = fitted(data)
    assert action == "as they are"
    assert np.array_equal(pixels, on_white(image))


@pytest.mark.parametrize("transparency", [3, bytes([0, 128, 255, 10])])
def test_palette_with_transparency(transparency):
    image = Image.fromarray(noise(40, 40) % 8, mode="L").convert("P")
    image.putpalette(noise(8 * 3).tobytes())
    data = encode(image, transparency=transparency)
    pixels, _ = fitted(data)
    assert np.array_equal(pixels, on_white(Image.open(io.BytesIO(data))))
    see_through = np.asarray(image) == (3 if transparency == 3 else 0)
    assert (pixels[see_through] == 255).all() and see_through.any()


@pytest.mark.parametrize(("mode", "key"), [("L", 7), ("RGB", (1, 2, 3))])
def test_colour_key(mode, key):
    image = Image.new(mode, (40, 40), key)
    image.paste(0, (10, 10, 20, 20))
    pixels, _ = fitted(encode(image, transparency=key))
    assert (pixels[:10] == 255).all() and (pixels[10:20, 10:20] == 0).all()


def test_16_bit_grey_is_divided_by_257():
    values = noise(40, 40, dtype=np.uint16)
    pixels, _ = fitted(encode(Image.fromarray(values)))
    assert np.array_equal(pixels[..., 0], np.round(values / 257).astype(np.uint8))
    assert (pixels == pixels[..., :1]).all()


# ---- canvas sizes


def test_small_canvas_is_enlarged_by_a_whole_factor():
    image = Image.fromarray(noise(12, 10, 3))
    pixels, action = fitted(encode(image))
    assert action == "enlarged"  # 40 // 12 = 3: to 30x36
    assert np.array_equal(pixels[2:38:3, 5:35:3], np.asarray(image))
    assert np.array_equal(pixels[4:38:3, 7:35:3], np.asarray(image))
    assert (pixels[:2] == 255).all() and (pixels[:, :5] == 255).all()


def test_a_canvas_of_more_than_half_the_square_is_padded():
    image = Image.fromarray(noise(30, 40, 3))  # 40 wide and 30 high, as public icons are
    pixels, action = fitted(encode(image))
    assert action == "padded"
    assert np.array_equal(pixels[5:35], np.asarray(image))
    assert (pixels[:5] == 255).all() and (pixels[35:] == 255).all()


@pytest.mark.parametrize("mode", ["RGBA", "P"])
@pytest.mark.parametrize("box", [(3, 20, 43, 50), (30, 26, 66, 56), (0, 0, 5, 40)])
def test_large_canvas_is_cropped_to_its_drawn_part(mode, box):
    # 68x56 like the icons of public collections, the drawn part off centre.
    image = drawn(68, 56, box)
    if mode == "P":
        image = image.quantize(16)
    pixels, action = fitted(encode(image))
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    x, y = (40 - width) // 2, (40 - height) // 2
    assert action == "cropped"
    part = on_white(image)[top:bottom, left:right]
    assert np.array_equal(pixels[y : y + height, x : x + width], part)
    assert (np.delete(pixels, np.s_[y : y + height], 0) == 255).all()


def test_only_what_does_not_fit_is_scaled():
    image = drawn(200, 100, (50, 10, 130, 50))
    pixels, action = fitted(encode(image))
    assert action == "scaled"  # 80x40 to 40x20: the mean of each 2x2 block
    blocks = on_white(image)[10:50, 50:130].reshape(20, 2, 40, 2, 3).mean((1, 3))
    assert np.abs(pixels[10:30] - blocks).max() <= 1
    assert (pixels[:10] == 255).all() and (pixels[30:] == 255).all()


def test_opaque_large_canvas_is_drawn_all_over():
    pixels, action = fitted(encode(Image.new("RGB", (80, 80), "white")))
    assert action == "scaled" and (pixels == 255).all()


def test_wholly_transparent_canvas_is_white():
    pixels, _ = fitted(encode(Image.new("RGBA", (100, 100))))
    assert (pixels == 255).all()


@pytest.mark.parametrize("side", [1, 7, 64])
def test_any_side(side):
    for size in ((1, 1), (40, 40), (68, 56)):
        pixels, _ = fitted(encode(Image.new("RGB", size, "red")), side)
        assert pixels.shape == (side, side, 3) and pixels.dtype == np.uint8


def test_missing_opencv_is_explained(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ValueError, match="opencv-python-headless"):
        png.import_cv2()
