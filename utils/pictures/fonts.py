"""The font of a text: DejaVu Sans, or a font of this machine that has letters which it lacks."""

from functools import cache
from pathlib import Path

from PIL import ImageFont

from utils.pictures.isolated import data_folder, defaults


@cache
def font_file(text: str) -> Path | None:
    """Return a font that has every letter of a text, or None if this machine has none."""
    dejavu = data_folder() / "fonts" / "ttf" / "DejaVuSans.ttf"
    if text.isascii() and text.isprintable():
        return dejavu
    needed = {ord(letter) for letter in text}
    return next((path for path in [dejavu, *system_fonts()] if needed <= letters_of(path)), None)


@cache
def showable(text: str) -> str:
    """Return a text in which letters that no one font has with the others are replaced."""
    if font_file(text):
        return text
    letters = letters_of(font_file("a"))
    return "".join(letter if ord(letter) in letters else "\ufffd" for letter in text)


@cache
def font(text: str, size: int) -> ImageFont.FreeTypeFont:
    """Return the font of a `showable` text at a size in pixels."""
    return ImageFont.truetype(font_file(text), size)


@cache
def system_fonts() -> list[Path]:
    """Return the font files of this machine, sorted."""
    with defaults():
        from matplotlib.font_manager import findSystemFonts

        return sorted(map(Path, findSystemFonts()))


@cache
def letters_of(path: Path) -> set[int]:
    """Return the code points that a font has glyphs for; none if it cannot be read."""
    with defaults():
        from matplotlib.ft2font import FT2Font

        try:
            return set(FT2Font(str(path)).get_charmap())
        except (OSError, RuntimeError):
            return set()


def caption_of(name: str, number: int | None = None) -> str:
    """Return a sprite's name, or its number where no font of this machine can show the name."""
    if font_file(name):
        return name
    return "sprite" if number is None else f"sprite {number}"
