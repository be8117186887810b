"""One PNG: from its bytes to RGB pixels on a white square.

pixels, action = fit_to_square(decode_png(data), side=40)

Only the five chunks that make pixels are read (IHDR, PLTE, tRNS, IDAT, IEND). Pillow inflates and
unfilters; samples become colours here, because Pillow drops bits and colour keys on the way.
"""

import struct
import zipfile
import zlib

import numpy as np
from PIL import Image

from utils.cli import InputError

MAX_PIXELS = 4096 * 4096  # of one PNG: 64 MB as RGBA

# The just noticeable difference of CIELAB, 2.3 (Mahy et al., 1994), is 6.7 levels of grey below
# white: a pixel that darkens white by less is not seen.
VISIBLE = 7

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6  # colour types
DEPTHS = {GREY: (1, 2, 4, 8, 16), RGB: (8, 16), PALETTE: (1, 2, 4, 8)}
DEPTHS |= {GREY_ALPHA: (8, 16), RGBA: (8, 16)}

# Files that often carry the name of a PNG, by how they begin.
PICTURE = "picture"  # ends the name of a type that Pillow can turn into a PNG
OTHER_TYPES = {
    b"\xff\xd8\xff": f"a JPEG {PICTURE}",
    b"GIF8": f"a GIF {PICTURE}",
    b"BM": f"a BMP {PICTURE}",
    b"version https://git-lfs": "a pointer of Git LFS (git lfs pull fetches the file)",
    b"<": "a web page",
}

# What zipfile, zlib, Pillow and this file raise on files that are damaged or made to harm.
DECODE_ERRORS = (
    OSError,
    ValueError,
    EOFError,
    RuntimeError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
    *([zipfile.lzma.LZMAError] if zipfile.lzma else []),  # some Pythons are built without
)


# ---- from bytes to RGBA


def decode_png(data: bytes) -> Image.Image:
    """Return a PNG of any colour type and depth as RGBA, 8 bits per channel.

    Deeper samples are rounded to the nearest of 256 levels.

    Raises
    ------
    ValueError
        If a chunk that makes pixels is damaged, or the picture is far too large for a sprite.
    """
    chunks = read_chunks(data)
    header = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    width, height, depth, kind, compression, filtering, interlaced = header
    if depth not in DEPTHS.get(kind, ()) or compression or filtering or interlaced > 1:
        raise InputError("damaged header")
    if not 0 < width * height <= MAX_PIXELS:
        raise InputError(f"{width}x{height} pixels, at most {MAX_PIXELS / 2**20:.0f} million")
    stored = read_samples(chunks[b"IDAT"], (width, height), depth, kind, interlaced)
    transparency = chunks.get(b"tRNS", b"")
    if kind == PALETTE:
        table = palette_table(chunks.get(b"PLTE", b""), transparency)
        return Image.fromarray(table[stored[..., 0]])

    top = 2**depth - 1  # the largest sample
    levels = stored if depth == 8 else ((stored.astype(np.uint32) * 255 + top // 2) // top)
    rgba = np.full((height, width, 4), 255, np.uint8)
    if kind in (GREY_ALPHA, RGBA):
        rgba[..., :3], rgba[..., 3] = levels[..., :-1], levels[..., -1]
    else:
        rgba[..., :3] = levels
        if len(transparency) >= 2 * stored.shape[-1]:  # a colour key, 16 bits per sample
            key = np.frombuffer(transparency, ">u2", stored.shape[-1]) & top
            rgba[(stored == key).all(-1), 3] = 0
    return Image.fromarray(rgba)


def read_chunks(data: bytes) -> dict[bytes, bytes]:
    """Return the contents of the chunks that make pixels, those of all IDATs joined.

    What comes after the last IDAT cannot change a pixel: it may be damaged or missing.
    """
    if not data.startswith(SIGNATURE):
        raise InputError(f"not a PNG{other_type(data)}")
    chunks, parts, at = {}, [], len(SIGNATURE)
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        content, check = data[at + 8 : at + 8 + length], data[at + 8 + length : at + 12 + length]
        at += 12 + length
        if kind == b"IEND":
            break
        if kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT"):
            if check != struct.pack(">I", zlib.crc32(content, zlib.crc32(kind))):
                raise InputError(f"damaged or cut off in its chunk {kind.decode()}")
            if kind == b"IDAT":
                parts.append(content)
            elif not parts:  # those after the pixels do not count
                chunks.setdefault(kind, content)
        elif kind.isalpha() and kind[:1].isupper() and not parts:
            raise InputError(f"not a standard PNG: its pixels depend on a chunk {kind.decode()}")
    if len(chunks.get(b"IHDR", b"")) != 13 or not parts:
        raise InputError("damaged or cut off before its pixels")
    return chunks | {b"IDAT": b"".join(parts)}


def read_samples(
    data: bytes, size: tuple[int, int], depth: int, kind: int, interlaced: int
) -> np.ndarray:
    """Return samples as they are stored, (h, w, channels), uint8 or uint16.

    Pillow has no pictures of 16 bits per channel. One or two of these are read as twice as many
    channels of 8; of three or four, Pillow gives the high bytes (16B) and then the low ones (16L).
    """

    def read(mode: str, layout: str) -> np.ndarray:
        image = Image.frombytes(mode, size, data, "zip", (layout, interlaced))
        return np.asarray(image).reshape(size[1], size[0], -1)

    if kind in (GREY, PALETTE) and depth <= 8:
        return read("P", "P" if depth == 8 else f"P;{depth}")  # "P": as they are, not scaled
    mode = {GREY: "L", RGB: "RGB", GREY_ALPHA: "LA", RGBA: "RGBA"}[kind]
    if depth == 8:
        return read(mode, mode)
    if kind in (GREY, GREY_ALPHA):
        pairs = "LA" if kind == GREY else "RGBA"
        return read(pairs, pairs).view(">u2")
    high, low = read(mode, f"{mode};16B"), read(mode, f"{mode};16L")
    return high.astype(np.uint16) << 8 | low


def palette_table(palette: bytes, alphas: bytes) -> np.ndarray:
    """Return the RGBA of each index, (256, 4) uint8; those without a colour are black."""
    if not palette or len(palette) % 3 or len(palette) > 256 * 3:
        raise InputError("damaged or missing palette")
    table = np.full((256, 4), (0, 0, 0, 255), np.uint8)
    table[: len(palette) // 3, :3] = np.frombuffer(palette, np.uint8).reshape(-1, 3)
    table[: len(alphas), 3] = np.frombuffer(alphas[:256], np.uint8)
    return table


def other_type(data: bytes) -> str:
    """Return what a file is that is not a PNG, as ", but a WebP picture"."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return f", but a WebP {PICTURE}"
    names = [name for start, name in OTHER_TYPES.items() if data[:64].lstrip().startswith(start)]
    return f", but {names[0]}" if names else ""


# ---- from RGBA to a white square


def fit_to_square(image: Image.Image, side: int) -> tuple[np.ndarray, str]:
    """Return an RGBA image on a white square, and what was done to fit it.

    Pixels are touched only where they must be: a canvas at most half the square is enlarged by a
    whole factor, a smaller one padded, a larger one cropped to its drawn part. Only where that
    part does not fit is it scaled.

    Returns
    -------
    pixels : ndarray, shape (side, side, 3), uint8
    action : str
    """
    white = Image.new("RGBA", image.size, "white")
    pixels = np.asarray(Image.alpha_composite(white, image))[..., :3]
    longest = max(image.size)
    if image.size == (side, side):
        return pixels, "as they are"
    if longest <= side // 2:
        factor = side // longest
        return pad(pixels.repeat(factor, 0).repeat(factor, 1), side), "enlarged"
    if longest <= side:
        return pad(pixels, side), "padded"
    rows, columns = drawn_part(image, pixels)
    pixels = pixels[rows, columns]
    if max(pixels.shape[:2]) <= side:
        return pad(pixels, side), "cropped"
    return pad(shrink(pixels, side), side), "scaled"


def drawn_part(image: Image.Image, pixels: np.ndarray) -> tuple[slice, slice]:
    """Return the rows and columns of what is drawn: opaque, or seen on white.

    Parameters
    ----------
    image : Image
        RGBA.
    pixels : ndarray, shape (h, w, 3), uint8
        The image on white.
    """
    drawn = (np.asarray(image)[..., 3] == 255) | (pixels.min(-1) <= 255 - VISIBLE)
    rows, columns = np.flatnonzero(drawn.any(1)), np.flatnonzero(drawn.any(0))
    if not len(rows):
        return slice(1), slice(1)  # one pixel, which becomes a white square
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def pad(pixels: np.ndarray, side: int) -> np.ndarray:
    """Return an RGB image (h, w, 3) in the middle of a white square."""
    height, width = pixels.shape[:2]
    square = np.full((side, side, 3), 255, np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = pixels
    return square


def shrink(pixels: np.ndarray, side: int) -> np.ndarray:
    """Return an RGB image (h, w, 3) scaled so that its longer side is `side`."""
    cv2 = import_cv2()
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def import_cv2():
    """Return OpenCV's module, or raise ValueError where it cannot be imported (without libGL)."""
    try:
        import cv2
    except ImportError as error:
        raise InputError(
            f"OpenCV cannot be imported ({error}); on a machine without a screen: "
            "pip uninstall opencv-python, then pip install opencv-python-headless"
        ) from None
    return cv2


def reason(error: Exception) -> str:
    """Return why a file could not be read, in one line without its path."""
    text = getattr(error, "strerror", None) or str(error)  # of the system, or of a decoder
    return text.splitlines()[0] if text else type(error).__name__
