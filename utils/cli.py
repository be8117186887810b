"""What the scripts share at the command line. Imports no torch, so that --help answers at once."""

import argparse
import math
import sys
from collections.abc import Callable
from pathlib import Path

from utils.interrupt import install

EXIT_FAILED = 1  # the machine's fault: a full disk, say
EXIT_BAD_INPUT = 2  # the user's


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Shows the defaults, but for those that say nothing."""

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
    group.add_argument(
        "--scale", type=integer(1, 32), default=3, help="pixels of the picture for each of a sprite"
    )
    group.add_argument(
        "--format", choices=("png", "pdf", "svg"), default="png", help="of the pictures"
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
    group.add_argument(
        "--sprites",
        nargs=4,
        metavar=("TL", "TR", "BL", "BR"),
        help="the corners: index, name or path; 9 10 12 11 if left out",
    )
    group.add_argument("--steps", type=integer(2, 100), default=10, help="sprites along a side")


def announce(paths: list[Path], show: bool) -> None:
    """Print the paths of the files written, and open them if asked to."""
    import webbrowser

    for path in paths:
        print(path)
        if show:
            webbrowser.open(path.resolve().as_uri())


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


def span(low: float, high: float, above: bool = False) -> str:
    """Return an interval in words."""
    start = f"above {low}" if above else f"from {low}"
    return start if math.isinf(high) else f"{start} to {high}"


def run_script(main: Callable[[argparse.Namespace], None], parser: argparse.ArgumentParser) -> None:
    """Call `main` with the parsed arguments; turn errors a user can fix into one line on stderr."""
    install()
    args = parser.parse_args()
    try:
        main(args)
    except ValueError as error:
        fail(parser.prog, error, EXIT_BAD_INPUT)
    except (NotADirectoryError, FileExistsError, PermissionError) as error:
        fail(parser.prog, f"{error.strerror}: {error.filename}", EXIT_BAD_INPUT)
    except OSError as error:
        fail(parser.prog, f"{error}; what was written before is whole", EXIT_FAILED)
    except FloatingPointError as error:
        fail(parser.prog, error, EXIT_FAILED)
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and "memory" not in str(error):
            raise
        fail(parser.prog, "out of memory; try smaller sizes or another --device", EXIT_FAILED)


def fail(prog: str, message: object, code: int) -> None:
    """Print one line to stderr and exit."""
    print(f"{prog}: error: {message}", file=sys.stderr)
    sys.exit(code)
