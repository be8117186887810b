"""What the benchmarks compute from their measurements; the times themselves are no tests."""

import sys
from pathlib import Path

import pytest
import torch

from model import VAE
from utils.data_utils import load_sprites, to_float

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def path(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield
    for name in ("plain_loop", "train_speed", "time_to_quality"):
        sys.modules.pop(name, None)


def test_the_floor_of_a_step():
    import train_speed

    model = VAE()
    assert sum(weight.numel() for weight in model.parameters()) == 15_134_432
    assert train_speed.step_flops(model, 256) == pytest.approx(20.7e9, rel=1e-2)
    assert train_speed.step_bytes(model) == pytest.approx(586e6, rel=1e-2)
    median = {"seconds_a_step": 0.12, "seconds_plain": 0.3, "flop_rate": 267e9, "copy_rate": 24e9}
    result = train_speed.summary(median, model, 256, 3)
    assert result["ms_a_step_floor"] == pytest.approx(102, abs=1)
    assert result["ratio_to_floor"] == pytest.approx(1.18, abs=0.01)
    assert result["ratio_to_plain_loop"] == 2.5
    assert result["minutes_of_default_run"] == 60


def test_the_plain_loop_sees_the_same_sprites(sprite_folder, tmp_path):
    import plain_loop

    sprites = load_sprites(sprite_folder)
    paths = plain_loop.png_files(sprites, tmp_path)
    pixels = torch.stack(list(plain_loop.SpriteFolder(paths)))
    assert torch.equal(pixels, to_float(sprites.pixels))
    written = plain_loop.png_files(sprites._replace(source="monsters"), tmp_path)
    assert torch.equal(torch.stack(list(plain_loop.SpriteFolder(written))), pixels)


def test_the_plain_loop_trains(sprite_folder, tmp_path):
    import plain_loop

    paths = plain_loop.png_files(load_sprites(sprite_folder), tmp_path)
    torch.manual_seed(0)
    epochs = plain_loop.plain_epochs(VAE(40, 16, 2), paths, torch.device("cpu"), batch_size=4)
    losses = [next(epochs) for _ in range(5)]
    assert losses[-1] < losses[0]


def test_a_run_is_timed_to_the_target_or_to_the_limit(monkeypatch):
    import time_to_quality

    errors = iter([0.1, 0.01, 0.001])
    monkeypatch.setattr(
        time_to_quality, "evaluate", lambda model, sprites: torch.tensor([0, next(errors) * 12])
    )
    sprites = torch.zeros(2, 12)
    seconds, epochs, reached = time_to_quality.until_sharp(range(99), None, sprites, 2, 1e9)
    assert epochs == 6 and reached == pytest.approx(30, abs=0.01) and seconds > 0
    errors = iter([0.1, 0.01])
    assert time_to_quality.until_sharp(range(99), None, sprites, 3, 0.0)[1] == 3


def test_what_was_cut_off_is_said_to_be_at_least_that():
    import time_to_quality

    result = {"seconds": 20.0, "deviation": 0.5, "ratio": 31.0, "ratio_our_init": 2.0}
    result |= {"seconds_plain_loop": 620.0, "db_plain_loop": 14.9}
    result |= {"seconds_plain_loop_our_init": 40.0, "db_plain_loop_our_init": 27.1}
    table = time_to_quality.table(result)
    assert "at least 620.0 (stopped at 14.9 dB) | at least 31.0 |" in table
    assert "| 40.0 | 2.0 |" in table


def test_the_start_is_that_of_the_recipe(sprite_folder):
    import time_to_quality

    sprites = load_sprites(sprite_folder).pixels
    recipes = {
        init: time_to_quality.training.get_args_parser().parse_args(
            ["--init", init, "--hidden_size", "16", "--latent_size", "2"]
        )
        for init in ("data", "pca", "torch")
    }
    starts = [
        time_to_quality.start(recipe, sprites).encoder[1].weight for recipe in recipes.values()
    ]
    again = time_to_quality.start(recipes["pca"], sprites).encoder[1].weight
    assert torch.equal(again, starts[1])
    assert not torch.equal(starts[0], starts[1]) and not torch.equal(starts[0], starts[2])
