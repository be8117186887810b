"""What the scripts share at the command line: arguments, exit codes, and Ctrl-C.

Imports no torch, so --help answers at once.
"""

import argparse
import math
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

EXIT_FAILED = 1  # the machine's fault: a full disk, say
EXIT_BAD_INPUT = 2  # the user's
SIGNALS = (signal.SIGINT, signal.SIGTERM)
NO_MEMORY = "out of memory|allocate memory"  # in PyTorch's messages, on any device


class InputError(ValueError):
    """What a user did wrong, in one line: the value, what is allowed, and how to fix it.

    Other errors are bugs, and end in a traceback.
    """


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Shows defaults, except those that say nothing."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default in (None, [], False):
            return action.help
        return super()._get_help_string(action)


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line, without the usage before it."""

    def __init__(self, description: str):
        super().__init__(
            description=description,
            formatter_class=HelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str):
        """Print the message and exit with code 2."""
        self.exit(EXIT_BAD_INPUT, f"{self.prog}: error: {message} (see --help)\n")


def looking_parser(description: str) -> Parser:
    """Return a parser with the arguments that all scripts share that look at a trained run."""
    parser = Parser(description)
    group = parser.add_argument_group("run")
    group.add_argument("--run", metavar="DIR", help="folder of the run; the newest if left out")
    group.add_argument(
        "--checkpoint",
        metavar="EPOCH|FILE",
        help="an epoch of the run, or a file of weights from anywhere; if left out, the last "
        "(vis1.py: up to forty)",
    )
    group.add_argument(
        "--data_path", metavar="DIR|ZIP", help="the sprites; those of the run if left out"
    )
    group = parser.add_argument_group("pictures")
    group.add_argument("--vis_dir", default="vis", metavar="DIR", help="where pictures go")
    group.add_argument("--scale", type=integer(1, 32), default=3, help="enlargement factor")
    group.add_argument(
        "--format", choices=("png", "pdf", "svg"), default="png", help="file format of the pictures"
    )
    group.add_argument(
        "--finish",
        action="store_true",
        help="draw decoded sprites with an outline and few colours; see utils/pictures/finish.py",
    )
    group.add_argument("--show", action="store_true", help="open the pictures when they are done")
    return parser


def add_corners(group: argparse._ArgumentGroup) -> None:
    """Add the arguments of a grid between four sprites."""
    corners = group.add_mutually_exclusive_group()
    corners.add_argument(
        "--sprites",
        nargs=4,
        metavar=("TL", "TR", "BL", "BR"),
        help="the corners: index, name or path; 9 10 12 11 if left out",
    )
    text = "or one sprite, with the three nearest training sprites of other creatures"
    corners.add_argument("--near", metavar="SPRITE", help=text)
    group.add_argument("--steps", type=integer(2, 100), default=10, help="sprites along a side")


def announce(paths: list[Path], show: bool) -> None:
    """Print the paths of the files written, and open them if asked to."""
    import webbrowser

    for path in paths:
        print(path)
        if show:
            webbrowser.open(path.resolve().as_uri())


def quoted(path: Path) -> str:
    """Return a path as it is typed in a shell."""
    return subprocess.list2cmdline([str(path)]) if os.name == "nt" else shlex.quote(str(path))


def integer(low: int, high: float = math.inf) -> Callable[[str], int]:
    """Return an argparse type for whole numbers in [low, high]."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is not a whole number {span(low, high)}")
        return value

    return parse


def number(low: float, high: float = math.inf, *, above: bool = False) -> Callable[[str], float]:
    """Return an argparse type for finite numbers in [low, high], or in (low, high] if `above`."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (low < value if above else low <= value) or value > high or math.isinf(value):
            raise argparse.ArgumentTypeError(f"{text} is not a number {span(low, high, above)}")
        return value

    return parse


def tile(text: str) -> list[int]:
    """Parse the size of a sheet's tiles, 40 or 32x48: an argparse type."""
    match = re.fullmatch(r"([1-9]\d{0,3})(?:x([1-9]\d{0,3}))?", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text} is not a size in pixels such as 40 or 32x48")
    return [int(match[1]), int(match[2] or match[1])]


def span(low: float, high: float, above: bool = False) -> str:
    """Return an interval in words."""
    start, end = (f"above {low}", " and at most") if above else (f"from {low}", " to")
    return start if math.isinf(high) else f"{start}{end} {high}"


# ---- from a script to its exit code


def run_script(main: Callable[[argparse.Namespace], None], parser: argparse.ArgumentParser) -> None:
    """Call `main` with the parsed arguments; turn errors a user can fix into one line on stderr."""
    with handling(end_at_once), printing_never_fails():
        args = parser.parse_args()
        try:
            main(args)
        except InputError as error:
            fail(parser.prog, error, EXIT_BAD_INPUT)
        except (NotADirectoryError, FileExistsError, PermissionError) as error:
            fail(parser.prog, f"{error.strerror}: {error.filename}", EXIT_BAD_INPUT)
        except OSError as error:
            fail(parser.prog, f"{error}; what was written before is whole", EXIT_FAILED)
        except FloatingPointError as error:
            fail(parser.prog, error, EXIT_FAILED)
        except (MemoryError, RuntimeError) as error:
            if not isinstance(error, MemoryError) and not re.search(NO_MEMORY, str(error)):
                raise
            fail(parser.prog, "out of memory; try smaller sizes or another --device", EXIT_FAILED)


def fail(prog: str, message: object, code: int) -> None:
    """Print one line to stderr and exit."""
    print(f"{prog}: error: {message}", file=sys.stderr)
    sys.exit(code)


class Unbreakable:
    """A stream on which printing never fails, whatever the letter, the disk or the reader."""

    def __init__(self, stream: TextIO):
        self.stream = stream

    def write(self, text: str) -> int:
        """Write what can be written."""
        try:
            return self.stream.write(text)
        except UnicodeEncodeError:
            encoding = self.stream.encoding
            return self.write(text.encode(encoding, "backslashreplace").decode(encoding))
        except OSError:
            return len(text)

    def flush(self) -> None:
        """Flush if somebody still listens; else let what is left go nowhere."""
        try:
            self.stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)

    def __getattr__(self, name: str) -> object:
        return getattr(self.stream, name)


@contextmanager
def printing_never_fails() -> Iterator[None]:
    """Never let a failed print end the program; without a console, print nowhere."""
    saved = sys.stdout, sys.stderr
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        sys.stdout, sys.stderr = (Unbreakable(nowhere if s is None else s) for s in saved)
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stdout, sys.stderr = saved


# ---- signals


@contextmanager
def handling(handler: Callable[[int, object], None]) -> Iterator[None]:
    """Let a function handle Ctrl-C and SIGTERM within this context.

    Only the main thread may say so; in another one signals stay what the caller made of them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def end_at_once(number: int, _frame: object) -> None:
    """End the program in one line, without a traceback; a second signal waits for nothing."""
    for each in SIGNALS:
        signal.signal(each, lambda number, _: os._exit(exit_code(number)))
    print(f"stopped by {signal.Signals(number).name}", file=sys.stderr)
    sys.exit(exit_code(number))


def exit_code(number: int) -> int:
    """Return the exit code of a process that ends by a signal, as shells count."""
    return 128 + number
