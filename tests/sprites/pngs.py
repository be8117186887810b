"""A tiny encoder of PNGs of every kind, and what they look like by the specification."""

import struct
import zlib

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
KINDS = [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (3, 1), (3, 2), (3, 4), (3, 8)]
KINDS += [(4, 8), (4, 16), (6, 8), (6, 16)]
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2)]
ADAM7 += [(0, 1, 1, 2)]  # first column and row, steps between columns and rows


def chunk(kind: bytes, data: bytes, broken: int = 0) -> bytes:
    """Return a chunk, its check sum wrong if `broken` is not 0."""
    check = zlib.crc32(kind + data) ^ broken
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)


def header(width, height, depth, kind, interlaced=0) -> bytes:
    """Return the chunk IHDR."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlaced))


def lines(samples: np.ndarray, depth: int) -> bytes:
    """Return samples (h, w, channels) as lines without a filter."""
    packed = b""
    for row in samples.reshape(len(samples), -1):
        bits = "".join(f"{int(value):0{depth}b}" for value in row)
        bits += "0" * (-len(bits) % 8)
        packed += b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big")
    return packed


def encode(
    samples, kind, depth, palette=b"", transparency=b"", interlaced=0, before=b"", after=b""
):
    """Return a PNG of samples (h, w, channels); other chunks go before or after its pixels."""
    height, width, _ = samples.shape
    passes = ADAM7 if interlaced else [(0, 0, 1, 1)]
    parts = [samples[y::down, x::right] for x, y, right, down in passes]
    pixels = b"".join(lines(part, depth) for part in parts if part.size)
    return (
        SIGNATURE
        + header(width, height, depth, kind, interlaced)
        + before
        + (chunk(b"PLTE", palette) if palette else b"")
        + (chunk(b"tRNS", transparency) if transparency else b"")
        + chunk(b"IDAT", zlib.compress(pixels))
        + after
        + chunk(b"IEND", b"")
    )


def colours(samples, kind, depth, palette=b"", transparency=b"") -> np.ndarray:
    """Return the RGBA that the specification gives samples, (h, w, 4) uint8, pixel by pixel."""
    top = 2**depth - 1
    rgba = np.zeros((*samples.shape[:2], 4), np.uint8)
    for place in np.ndindex(samples.shape[:2]):
        stored = [int(value) for value in samples[place]]
        if kind == 3:
            index = stored[0]
            alpha = transparency[index] if index < len(transparency) else 255
            rgba[place] = (*palette[3 * index : 3 * index + 3], alpha)
            continue
        levels = [round(value * 255 / top) for value in stored]
        alpha = levels.pop() if kind in (4, 6) else 255
        if transparency:
            key = struct.unpack(f">{len(stored)}H", transparency)
            alpha = 0 if list(key) == stored else 255
        rgba[place] = (*(levels * 3 if len(levels) == 1 else levels), alpha)
    return rgba
