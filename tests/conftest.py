"""Fixtures that several tests share."""

import os
import shutil
from pathlib import Path

# The models of the tests are tiny: a second thread costs more than it gives.
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import pytest
from PIL import Image

import main
from utils import cli

SMALL = ("--hidden_size", 32, "--batch_size", 4, "--device", "cpu")
REAL_SPRITES = Path(__file__).parents[2] / "shared" / "figure"


@pytest.fixture
def real_sprites() -> Path:
    """The folder of 792 real sprites, which is not part of the repository."""
    if not REAL_SPRITES.is_dir():
        pytest.skip(f"the real sprites are not at {REAL_SPRITES}")
    return REAL_SPRITES


@pytest.fixture
def sprite_folder(tmp_path) -> Path:
    """A folder of 12 small RGBA sprites."""
    return write_sprites(tmp_path / "sprites")


def write_sprites(folder: Path) -> Path:
    """Write 12 sprites, each a block of one colour somewhere on a transparent canvas."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(12):
        rgba = np.zeros((40, 40, 4), np.uint8)
        left, top = rng.integers(2, 16, 2)
        rgba[top : top + 20, left : left + 20] = [*rng.integers(0, 256, 3), 255]
        Image.fromarray(rgba).save(folder / f"{index:03d}.png")
    return folder


@pytest.fixture
def run_script(tmp_path, monkeypatch, capsys):
    """Run a script in a folder of its own, as its command line would.

    The fixture is a function (script module, *arguments) -> (exit code, stdout, stderr).
    """
    workplace = tmp_path / "work"
    workplace.mkdir()
    monkeypatch.chdir(workplace)

    def call(script, *arguments):
        monkeypatch.setattr("sys.argv", [os.path.basename(script.__file__), *map(str, arguments)])
        code = 0
        try:
            cli.run_script(script.main, script.get_args_parser())
        except SystemExit as stop:
            code = stop.code or 0
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A folder with sprites in figure/ and a run that was trained on them."""
    folder = tmp_path_factory.mktemp("trained")
    write_sprites(folder / "figure")
    arguments = (
        "--epoch 9 --save_period 2 --save_epochs 1 3 --hidden_size 16 --latent_size 3 --device cpu"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        main.main(main.get_args_parser().parse_args(arguments.split()))
    return folder


@pytest.fixture
def script(run_script, trained):
    """The function (module, *arguments) -> (exit code, stdout, stderr), in a copy of `trained`."""
    shutil.copytree(trained, ".", dirs_exist_ok=True)
    return run_script


@pytest.fixture
def train(run_script, sprite_folder):
    """The function (*arguments) -> (exit code, stdout, stderr) of a small run."""
    return lambda *arguments: run_script(main, "--data_path", sprite_folder, *SMALL, *arguments)
