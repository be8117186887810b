"""Lines for the console: which sprites were found, and what to do about those that were not.

Advice on other types of pictures is a command that runs as pasted in sh, PowerShell and cmd.exe.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from utils.sprites.background import Colour
from utils.sprites.png import PICTURE
from utils.sprites.source import Found

NAMES_SHOWN = 5
UNESCAPED = " /._-"  # and letters and digits: what no shell, nor Python, takes for its own


def fitted(count: int, source: Path, image_size: int, actions: Counter[str]) -> str:
    """Return how many sprites there are, and how they were fitted."""
    how = ", ".join(f"{number} {action}" for action, number in actions.most_common())
    return f"Sprites: {count} from {source} ({image_size}x{image_size}: {how})."


def backgrounds(colours: Counter[Colour]) -> list[str]:
    """Return a line that says which backgrounds were made white, if there were any."""
    if not colours:
        return []
    shown = first_few([f"#{bytes(colour).hex()} ({n})" for colour, n in colours.most_common()])
    return [
        f"Background of {colours.total()} sprites cropped and made white: {shown}; "
        "--background keep leaves it."
    ]


def left_out(source: Path, found: Found) -> list[str]:
    """Return a line that says which files were left out, if there were any."""
    if not found.num_left_out:
        return []
    line = f"Left out (hidden, or of another type): {found.num_left_out}."
    return [f"{line} {to_png(source, found.suffixes)}" if found.suffixes else line]


def nothing_found(source: Path, found: Found) -> str:
    """Return what to do about a folder or zip without PNGs."""
    advice = to_png(source, found.suffixes) if found.suffixes else "Name a folder or zip of PNGs"
    return f"no PNG in {source} ({found.num_left_out} other files). {advice}"


def broken(source: Path, errors: list[str], num_files: int) -> str:
    """Return what to do about PNGs that cannot be read, with the first few of them."""
    line = (
        f"{len(errors)} of {num_files} PNGs in {source} cannot be read; fix or remove them: "
        f"{first_few(errors)}"
    )
    misnamed = any(error.endswith(f" {PICTURE})") for error in errors)
    return f"{line}. {rewrite(source)}" if misnamed else line


def first_few(names: Sequence[str]) -> str:
    """Return the first few names, and how many more there are."""
    others = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {others} more" if others > 0 else "")


def to_png(source: Path, suffixes: set[str]) -> str:
    """Return the command that turns other pictures into PNGs beside them."""
    types = tuple(sorted(suffixes))
    return f"To turn {', '.join(types)} into PNGs{place(source)}: " + command(
        "[I.open(p).convert('RGBA').save(str(p) + '.png') for p in pathlib.Path('{}').rglob('*') "
        f"if p.suffix.lower() in {types}]",
        source if source.is_dir() else Path("."),
    )


def rewrite(source: Path) -> str:
    """Return the command that rewrites other pictures whose names end in .png as PNGs."""
    return f"To rewrite them as PNGs{place(source)}: " + command(
        "[i.convert('RGBA').save(p, 'PNG') for p in pathlib.Path('{}').rglob('*') "
        "if p.suffix.lower() == '.png' for i in [I.open(p)] if not i.format == 'PNG']",
        source if source.is_dir() else Path("."),
    )


def other_picture(path: Path) -> str:
    """Return what to do about a single picture of another type."""
    code = "I.open('{}').convert('RGBA').save('{}.png')"
    return f"{path} is not a PNG; to make a sheet of it: {command(code, path)}"


def place(source: Path) -> str:
    """Return where a command runs, if that is not here."""
    return "" if source.is_dir() else ", unpack the zip and run in its folder"


def command(code: str, path: Path) -> str:
    """Return a shell command that runs a line of Python, in which {} is a path."""
    escaped = "".join(
        c if c.isalnum() or c in UNESCAPED else f"\\U{ord(c):08x}" for c in path.as_posix()
    )
    return f'python -c "import pathlib, PIL.Image as I; {code.replace("{}", escaped)}"'
