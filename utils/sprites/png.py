"""One PNG: from its bytes to RGB pixels on a white square.

pixels, action = fit_to_square(decode_png(data), side=40)
"""

import io
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image

MAX_PIXELS = 4096 * 4096  # of one PNG: 64 MB as RGBA


# What Pillow, zipfile and zlib raise on files that are damaged or made to harm.
DECODE_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    RuntimeError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


@contextmanager
def bombs_are_errors() -> Iterator[None]:
    """Turn Pillow's warning of a picture that is far too large into an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def decode_png(data: bytes) -> Image.Image:
    """Return a PNG of any colour type as RGBA, 8 bits a channel."""
    with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise ValueError(f"{width}x{height} pixels, at most {MAX_PIXELS / 2**20:.0f} million")
        if image.mode.startswith("I"):
            return grey16_to_rgba(image)
        return image.convert("RGBA")


def grey16_to_rgba(image: Image.Image) -> Image.Image:
    """Return 16-bit grey as RGBA; Pillow's own conversion clips all above 255 to white."""
    values = np.asarray(image).astype(np.float64)
    rgba = np.full((*values.shape, 4), 255, np.uint8)
    rgba[..., :3] = np.round(values / 257)[..., None]  # 257 = 65535 / 255
    transparent = image.info.get("transparency")
    if transparent is not None:
        rgba[..., 3] = np.where(values == transparent, 0, 255)
    return Image.fromarray(rgba)


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
    drawn = image.getbbox()  # of what is not wholly transparent
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
    left, top, right, bottom = drawn or (0, 0, 1, 1)
    pixels = pixels[top:bottom, left:right]
    if max(pixels.shape[:2]) <= side:
        return pad(pixels, side), "cropped"
    return pad(shrink(pixels, side), side), "scaled"


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
    """Return OpenCV's module.

    Raises
    ------
    ValueError
        If it cannot be imported, as on servers without libGL.
    """
    try:
        import cv2
    except ImportError as error:
        raise ValueError(
            f"OpenCV cannot be imported ({error}); on a machine without a screen: "
            "pip uninstall opencv-python, then pip install opencv-python-headless"
        ) from None
    return cv2


def reason(error: Exception) -> str:
    """Return why a file could not be read, in one line without its path."""
    if isinstance(error, Image.UnidentifiedImageError):
        return "not a PNG"
    text = getattr(error, "strerror", None) or str(error)  # of the system, or of Pillow
    return text.splitlines()[0] if text else type(error).__name__
