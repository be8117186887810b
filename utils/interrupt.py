"""Ctrl-C and SIGTERM: at once while there is nothing to lose, else at the next step."""

import os
import signal
import sys

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def exit_code(number: int) -> int:
    """Return the exit code of a process that ends by a signal, as shells count."""
    return 128 + number


def exit_at_once(number: int, _frame: object) -> None:
    """Handle a signal while nothing is being written; a second one waits for nothing."""
    for each in SIGNALS:
        signal.signal(each, lambda number, _: os._exit(exit_code(number)))
    print(f"stopped by {signal.Signals(number).name}", file=sys.stderr)
    sys.exit(exit_code(number))


def install() -> None:
    """From here on a signal ends the program in one line, without a traceback."""
    for number in SIGNALS:
        signal.signal(number, exit_at_once)


class Deferred:
    """Within this context a signal only sets a flag; a second one ends the process at once.

    with Deferred() as stop:
        while not stop.requested(): ...
    """

    def __init__(self):
        self.number: int | None = None

    def __enter__(self):
        self.previous = {number: signal.signal(number, self.handle) for number in SIGNALS}
        return self

    def __exit__(self, *_):
        for number, handler in self.previous.items():
            signal.signal(number, handler)

    def handle(self, number: int, _frame: object) -> None:
        """Remember the first signal; do not wait for anything at the second."""
        if self.number is not None:
            os._exit(exit_code(number))
        self.number = number

    def requested(self) -> bool:
        """Return whether a signal has come."""
        return self.number is not None

    def exit(self) -> None:
        """End the program with the exit code of the signal that came."""
        sys.exit(exit_code(self.number))
