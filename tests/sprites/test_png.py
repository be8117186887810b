import io
import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from tests.sprites import pngs
from utils.sprites import png
from utils.sprites.png import VISIBLE, decode_png, fit_to_square

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


def some_samples(kind, depth):
    """Samples that hold the smallest and the largest, and each of a few twice."""
    samples = rng.integers(0, 2**depth, (11, 13, pngs.CHANNELS[kind]))
    samples[0, :2] = 0
    samples[1, :2] = 2**depth - 1
    samples[2, :2] = samples[3, 3]
    return samples


@pytest.mark.parametrize("interlaced", [0, 1])
@pytest.mark.parametrize("with_key", [False, True])
@pytest.mark.parametrize(("kind", "depth"), pngs.KINDS)
def test_every_colour_type_and_depth_is_exact(kind, depth, with_key, interlaced):
    samples = some_samples(kind, depth)
    palette = noise(3 * 2**depth).tobytes() if kind == 3 else b""
    transparency = b""
    if with_key and kind == 3:
        transparency = noise(2**depth // 2).tobytes()
    elif with_key and kind in (0, 2):
        transparency = samples[3, 3].astype(">u2").tobytes()
    data = pngs.encode(samples, kind, depth, palette, transparency, interlaced)
    expected = pngs.colours(samples, kind, depth, palette, transparency)
    assert np.array_equal(np.asarray(decode_png(data)), expected)


def test_a_key_of_16_bits_is_compared_before_samples_are_rounded():
    samples = np.array([[[1000, 2000, 3000], [1001, 2000, 3000]]])
    key = struct.pack(">3H", 1000, 2000, 3000)
    rgba = np.asarray(decode_png(pngs.encode(samples, 2, 16, transparency=key)))
    assert rgba[0, 0, 3] == 0 and rgba[0, 1, 3] == 255
    assert (rgba[0, 0, :3] == rgba[0, 1, :3]).all()


# ---- chunks

BIG = zlib.compress(b"x" * 1_200_000)
HARMLESS = {
    "profile with a bad sum": pngs.chunk(b"iCCP", b"ICC\0\0" + zlib.compress(b"x" * 300), 1),
    "profile of an unknown compression": pngs.chunk(b"iCCP", b"ICC\0\1" + BIG),
    "huge profile": pngs.chunk(b"iCCP", b"ICC\0\0" + BIG),
    "text with a bad sum": pngs.chunk(b"tEXt", b"Software\0Adobe", 1),
    "huge text": pngs.chunk(b"zTXt", b"history\0\0" + BIG),
    "text that is not UTF-8": pngs.chunk(b"iTXt", b"\xff" * 9),
    "density of one byte": pngs.chunk(b"pHYs", b"\0"),
    "animation": pngs.chunk(b"acTL", b"\0" * 8) + pngs.chunk(b"fcTL", b"\0" * 26),
    "a private chunk without content": pngs.chunk(b"prVt", b""),
    "gamma and suggested colours": pngs.chunk(b"gAMA", b"\0\0\1\0") + pngs.chunk(b"sPLT", b"x"),
}
SAMPLES = rng.integers(0, 256, (4, 5, 4))


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("name", HARMLESS)
def test_other_chunks_are_harmless(name, place):
    data = pngs.encode(SAMPLES, 6, 8, **{place: HARMLESS[name]})
    assert np.array_equal(np.asarray(decode_png(data)), SAMPLES)


def test_what_comes_after_the_pixels_may_be_damaged_or_missing():
    whole = pngs.encode(SAMPLES, 6, 8)
    end = pngs.chunk(b"IEND", b"")
    for tail in (b"", end[:5], end + b"appended", pngs.chunk(b"tEXt", b"x" * 50)[:30]):
        data = whole.removesuffix(end) + tail
        assert np.array_equal(np.asarray(decode_png(data)), SAMPLES)


def test_pixels_may_lie_in_many_chunks():
    whole = pngs.encode(SAMPLES, 6, 8)
    at = whole.index(b"IDAT") - 4
    pixels = whole[at + 8 : -16]
    parts = [pixels[i : i + 7] for i in range(0, len(pixels), 7)]
    data = whole[:at] + HARMLESS["density of one byte"].join(pngs.chunk(b"IDAT", p) for p in parts)
    assert np.array_equal(np.asarray(decode_png(data)), SAMPLES)


def with_parts(parts):
    """Return a PNG without an end, some of whose parts are replaced."""
    pixels = pngs.chunk(b"IDAT", zlib.compress(pngs.lines(SAMPLES, 8)))
    parts = {"header": pngs.header(5, 4, 8, 6), "pixels": pixels} | parts
    return pngs.SIGNATURE + b"".join(parts.values())


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"header": pngs.chunk(b"IHDR", b"x" * 13, 1)}, "in its chunk IHDR"),
        ({"header": pngs.chunk(b"IHDR", b"short")}, "before its pixels"),
        ({"header": pngs.header(5, 4, 3, 6)}, "damaged header"),
        ({"header": pngs.header(5, 4, 8, 6, interlaced=2)}, "damaged header"),
        ({"header": pngs.header(0, 4, 8, 6)}, "0x4 pixels"),
        ({"header": pngs.chunk(b"CgBI", b"x") + pngs.header(5, 4, 8, 6)}, "a chunk CgBI"),
        ({"pixels": pngs.chunk(b"IDAT", b"x", 1)}, "in its chunk IDAT"),
        ({"pixels": pngs.chunk(b"IDAT", b"x" * 90)[:40]}, "in its chunk IDAT"),
        ({"pixels": pngs.chunk(b"IDAT", b"x")}, "image data"),
        ({"pixels": pngs.chunk(b"tRNS", b"x", 1)}, "in its chunk tRNS"),
        ({"pixels": b""}, "before its pixels"),
    ],
)
def test_what_makes_pixels_must_be_whole(parts, message):
    with pytest.raises(ValueError, match=message):
        decode_png(with_parts(parts))


@pytest.mark.parametrize("palette", [b"", b"1234"])
def test_a_palette_must_be_there_and_whole(palette):
    with pytest.raises(ValueError, match="palette"):
        decode_png(pngs.encode(SAMPLES[..., :1], 3, 8, palette))


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"RIFF\0\0\0\0WEBPVP8 ", "but a WebP picture"),
        (b"GIF89a", "but a GIF picture"),
        (b"BM1234", "but a BMP picture"),
        (b"\xff\xd8\xff\xe0", "but a JPEG picture"),
        (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        (b"\n<!DOCTYPE html>", "but a web page"),
        (b"something else", "not a PNG$"),
    ],
)
def test_other_files_are_called_by_their_name(data, what):
    with pytest.raises(ValueError, match=what):
        decode_png(data)


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


@pytest.mark.parametrize(
    "dust", [(0, 0, 0, 1), (90, 0, 200, VISIBLE - 1), (255, 255, 255, 254), (255, 255, 240, 90)]
)
def test_what_nobody_sees_is_not_drawn(dust):
    image = drawn(96, 96, (33, 33, 63, 63))
    expected = fit_to_square(image, 40)
    for place in ((0, 0), (95, 95), (0, 50)):
        image.putpixel(place, dust)
    pixels, action = fit_to_square(image, 40)
    assert action == "cropped" and np.array_equal(pixels, expected[0])


@pytest.mark.parametrize("seen", [(0, 0, 0, VISIBLE + 1), (255, 255, 0, 30), (255, 255, 255, 255)])
def test_what_is_faint_or_opaque_is_drawn(seen):
    image = drawn(96, 96, (33, 33, 63, 63))
    image.putpixel((0, 40), seen)
    assert fit_to_square(image, 40)[1] == "scaled"


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
