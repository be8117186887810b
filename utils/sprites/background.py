"""The opaque background of a sprite: found by its border, and made transparent.

image = clear_background(image, background_of(image))
"""

import numpy as np
from PIL import Image

Colour = tuple[int, int, int]

# Colours that sheets use as keys: these pixels are background wherever they are. Of other colours,
# only what connects to the border is, because a sprite may use them too (black pupils on black).
KEY_COLOURS = ((255, 0, 255), (0, 255, 0))


def background_of(image: Image.Image) -> Colour | None:
    """Return the one opaque colour of an image's border, unless the whole image has it."""
    rgba = np.asarray(image)
    first = rgba[0, 0]
    if first[3] != 255 or any((side != first).any() for side in border(rgba)):
        return None
    return tuple(first[:3].tolist()) if (rgba != first).any() else None


def border(pixels: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the first and last row and column of an image (h, w, channels)."""
    return pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]


def clear_background(image: Image.Image, colour: Colour) -> Image.Image:
    """Return an RGBA image whose background of this colour is transparent."""
    rgba = np.array(image)
    same = (rgba == (*colour, 255)).all(-1)
    if colour not in KEY_COLOURS:
        same = connected_to_border(same)
    rgba[same] = (255, 255, 255, 0)
    return Image.fromarray(rgba)


def connected_to_border(mask: np.ndarray) -> np.ndarray:
    """Return the part of a mask (h, w) that touches its border, by steps that are not diagonal."""
    from scipy.ndimage import label  # here, because it takes long to import and few sets need it

    labels, _ = label(np.pad(mask, 1, constant_values=True))
    return labels[1:-1, 1:-1] == labels[0, 0]
