"""What a user has configured for matplotlib changes no file."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
from pathlib import Path
import numpy as np
from utils.pictures.plot import Figure, error_curve, note, join, save_chart, save_figure
figure = join([note("a caption"), Figure(np.zeros((40, 60, 3), np.uint8))])
history = {name: [3.0, 2.0, 1.0] for name in ("epoch", "recon", "val_recon")}
for form in ("svg", "pdf", "png"):
    save_figure(Path(f"figure.{form}"), figure)
    save_chart(Path(f"chart.{form}"), error_curve(history))
"""
RC = "savefig.dpi: 300\nsavefig.bbox: tight\nfont.size: 30\nlines.linewidth: 9\nbackend: nothing\n"


def drawn(folder, **environment):
    """Return the bytes of each file that a program draws in a folder."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("M")} | environment
    environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".rc"}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return drawn(tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize(
    "where", ["MPLBACKEND", "working directory", "MATPLOTLIBRC", "home", "damaged"]
)
def test_files_are_the_same_whatever_is_configured(plain, tmp_path, where):
    folder, environment = tmp_path / "work", {}
    folder.mkdir()
    if where == "MPLBACKEND":
        environment = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    elif where == "home":
        environment = {"MPLCONFIGDIR": str(tmp_path)}
        (tmp_path / "matplotlibrc").write_text(RC)
    elif where == "MATPLOTLIBRC":
        environment = {"MATPLOTLIBRC": str(tmp_path / "my.rc")}
        (tmp_path / "my.rc").write_text(RC)
    else:
        rc = b"\xff\xfe\x00" if where == "damaged" else RC.encode()
        (folder / "matplotlibrc").write_bytes(rc)
    found = drawn(folder, **environment)
    found.pop("matplotlibrc", None)
    assert found == plain
