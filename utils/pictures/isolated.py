"""matplotlib without the user's configuration: the same bytes whatever is configured.

@defaults()
def chart(): ...
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

# Deterministic identifiers, and texts that stay texts.
OURS = {"svg.hashsalt": "sprites", "svg.fonttype": "none"}


def data_folder() -> Path:
    """Return the folder of matplotlib's own data, without importing it."""
    return Path(find_spec("matplotlib").origin).parent / "mpl-data"


@cache
def import_matplotlib() -> ModuleType:
    """Return matplotlib, imported where it finds its own matplotlibrc and no other.

    On import it reads MPLBACKEND, and the first matplotlibrc of the working directory, of
    MATPLOTLIBRC and of the home folder; a damaged one raises.
    """
    names, folder = ("MPLBACKEND", "MATPLOTLIBRC"), os.getcwd()
    if "MPLCONFIGDIR" in os.environ:  # where its caches go
        os.environ["MPLCONFIGDIR"] = os.path.abspath(os.environ["MPLCONFIGDIR"])
    saved = {name: os.environ.pop(name) for name in names if name in os.environ}
    os.environ["MATPLOTLIBRC"] = str(data_folder() / "matplotlibrc")
    os.chdir(data_folder())
    try:
        import matplotlib
        import matplotlib.figure
    finally:
        os.chdir(folder)
        del os.environ["MATPLOTLIBRC"]
        os.environ.update(saved)
    return matplotlib


@contextmanager
def defaults() -> Iterator[ModuleType]:
    """Within this context matplotlib has its own defaults, even if it was imported earlier."""
    matplotlib = import_matplotlib()
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(OURS)
        yield matplotlib
