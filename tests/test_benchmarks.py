"""What the benchmarks compute from their measurements; the times themselves are no tests."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from model import VAE
from utils.data_utils import load_sprites, to_float

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def path(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield
    for name in (path.stem for path in BENCHMARKS.glob("*.py")):
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


@pytest.fixture
def time_to_quality(monkeypatch):
    """The benchmark, of a model whose PSNR is 10, 20, ... dB at its evaluations."""
    import time_to_quality

    errors = (10.0**-db for db in range(1, 99))
    monkeypatch.setattr(
        time_to_quality, "evaluate", lambda model, sprites: torch.tensor([0, next(errors) * 12])
    )
    return time_to_quality


@pytest.fixture
def endless():
    """What starts a model that trains without end."""
    return lambda: (None, iter(range(10**9)))


SPRITES = torch.zeros(2, 12)


def test_a_run_is_timed_to_its_targets(time_to_quality, endless):
    timing = time_to_quality.timed(endless, SPRITES, 2)
    assert timing.epochs == 6 and timing.db == pytest.approx(40, abs=0.01)  # epochs 0, 2, 4, 6
    assert 0 < timing.reached[27] < timing.reached[37] == timing.seconds


def test_a_run_with_a_last_epoch_goes_on_to_it(time_to_quality, endless):
    timing = time_to_quality.timed(endless, SPRITES, 2, last=9)
    assert timing.epochs == 9 and timing.db == pytest.approx(60, abs=0.01)
    assert timing.reached[37] < timing.seconds


def test_a_run_is_cut_off_by_time(time_to_quality, endless):
    timing = time_to_quality.timed(endless, SPRITES, 3, most_seconds=0.0)
    assert timing.epochs == 0 and not timing.reached and timing.db == pytest.approx(10, abs=0.01)


def test_what_was_cut_off_is_said_to_be_at_least_that(time_to_quality):
    timing = time_to_quality.Timing
    ours = [timing(8.0, 20, 38.0, {27: 1.0, 37: 4.0}), timing(9.0, 20, 39.0, {27: 3.0, 37: 6.0})]
    plain = {"slow": [timing(600.0, 900, 14.9)], "half": [timing(300.0, 99, 30.0, {27: 40.0})]}
    head, _, first, slow, half = time_to_quality.table({"fast": ours} | plain).splitlines()
    assert "27 dB" in head and "37 dB" in head
    assert first == "| fast | 2.00 ± 1.41 | 1 | 5.00 ± 1.41 | 38.5 dB after 8.5 s, 20 epochs |"
    assert slow.startswith("| slow | at least 600.00 | at least 300 | at least 600.00 | 14.9 dB")
    assert half.startswith("| half | 40.00 | 20 | at least 300.00 | 30.0 dB after 300.0 s")


def test_the_start_is_that_of_the_arguments(sprite_folder):
    import time_to_quality

    sprites = load_sprites(sprite_folder).pixels
    small = ("--hidden_size", "16", "--latent_size", "2")
    recipes = {
        init: time_to_quality.recipe("--init", init, *small) for init in time_to_quality.INITS
    }
    starts = {init: time_to_quality.start(args, sprites) for init, args in recipes.items()}
    again = time_to_quality.start(recipes["solve"], sprites)
    weights = {init: model.decoder[6].weight for init, model in starts.items()}
    assert torch.equal(again.decoder[6].weight, weights["solve"])
    assert not torch.equal(weights["solve"], weights["data"])
    assert not torch.equal(weights["data"], weights["torch"])


def test_measures_of_sprites_made_bad(run_script):
    import measures

    code, out, err = run_script(measures, "--data_path", "monsters:120", "--pairs", 10)
    assert code == 0, err
    rows = {row.split("|")[1].strip(): row for row in out.splitlines() if row.startswith("|")}
    assert rows["blurred by 3x3"] != rows["held-out sprites"]
    assert "| 10 |" in rows["hybrids, t = 0.5"] and len(rows) == 2 + 7


def test_both_loops_are_timed(sprite_folder):
    import time_to_quality

    sprites = load_sprites(sprite_folder)
    small = ("--hidden_size", "16", "--latent_size", "2", "--epoch", "3")
    args = time_to_quality.recipe("--recipe", "fast", *small)
    timing = time_to_quality.our_run(args, sprites.pixels, torch.device("cpu"), "fp32")
    assert timing.epochs == 3 and timing.db > 0


def test_a_projection_is_marked_and_adds_the_exchange():
    import scaling

    gradient = 4 * sum(weight.numel() for weight in VAE().parameters())
    assert gradient == pytest.approx(60.5e6, rel=1e-3)
    assert scaling.exchanged_bytes(gradient, 2) == gradient
    line = scaling.projection(0.001, 2048, gradient, 300e9)
    assert line.startswith("PROJECTION, not measured: ") and "0.35 to exchange" in line
    assert "1,513,520 to 2,048,000 sprites/s, 5.9 to 8 times" in line


def test_one_and_two_processes_are_compared(run_script):
    import scaling

    small = ("--batch_size", 8, "--hidden_size", 8, "--steps", 2, "--rounds", 1)
    code, out, err = run_script(scaling, *small)
    assert code == 0, err
    assert "ms a step of 1 process" in out and "if nothing overlaps" in out


def test_runs_of_a_few_and_of_more_sprites_are_measured(run_script, tmp_path):
    import many_sprites

    pixels = many_sprites.recoloured(2000)
    assert len(np.unique(pixels.reshape(2000, -1), axis=0)) > 1990
    small = ("--hidden_size", 8, "--batch_size", 16, "--steps", 2, "--rounds", 1, "--device", "cpu")
    sizes = ("--sprites", 100, 700, "--place", tmp_path)
    code, out, err = run_script(many_sprites, *sizes, *small)
    assert code == 0, err
    assert "bytes a sprite more" in out and out.count("to draw an epoch") == 2
    assert not list(tmp_path.glob("tmp*"))


def test_the_processes_that_are_tortured_are_found():
    import torture_processes

    command = [sys.executable, "-c", "input()"]
    environment = {"RANK": "3"}
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=environment) as process:
        while not (found := torture_processes.workers(os.getpid())):
            assert process.poll() is None
        assert found == {3: process.pid}
        process.communicate(b"\n")
    assert torture_processes.difference([1.0, 2.0], [1.0, 2.2]) == pytest.approx(1 / 11)
    assert torture_processes.difference([1.0], [1.0, 2.0]) == float("inf")


def test_the_same_steps_on_more_and_more_monsters(run_script, monkeypatch, tmp_path):
    import how_many

    monkeypatch.setattr(how_many, "UNSEEN", range(998_000, 998_010))
    monkeypatch.setattr(how_many, "FIGURE", tmp_path / "how_many.png")
    monkeypatch.setattr(how_many, "DRAWS", 16)
    code, out, err = run_script(how_many, "--sizes", 256, 512, "--steps", 2, "--latent_size", 2)
    assert code == 0, err
    assert "| 256 |" in out and "| 512 |" in out
    assert (tmp_path / "how_many.png").stat().st_size > 1000
    assert run_script(how_many, "--sizes", 998_001)[0] == 2
