"""test_vae.py as a user runs it, on a small trained run."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import main
import test_vae
import vis1
import vis2
import vis3
from model import VAE
from utils.data_utils import load_sprites
from utils.latents.runs import encode, open_run, trained_on
from utils.run.checkpoint import load_model, save_weights
from utils.sprites.hybrid import hybrids, layouts
from utils.training.engine import decode

from .test_scripts import RUN, drawn, holds, sprite_pixels


def test_metrics_and_pictures_of_the_test(script):
    code, _, err = script(test_vae, "--num_samples", 7, "--arithmetic", 0, 1, 2, "--plane", 2, 0)
    assert code == 0, err
    metrics = json.loads(Path("vis/test/metrics.json").read_text())
    assert metrics["sprites"] == {"training": 11, "held out": 1}
    assert metrics["kl"] == pytest.approx(sum(metrics["kl_of_dimension"]), rel=1e-5)
    assert set(metrics["reconstruction"]["held out"]) == {"sse", "mse", "psnr", "ssim"}
    assert Path("vis/test/arithmetic.png").exists()


def test_temperature_zero_draws_the_middle_of_the_prior(script):
    script(test_vae, "--temperature", 0, "--num_samples", 2, "--scale", 1)
    model = load_model(f"{RUN}/checkpoint_8.pt")
    middle = sprite_pixels(decode(model, torch.zeros(1, 3))[0], 1)
    assert holds(drawn("vis/test/samples.png"), middle)


def test_a_plane_beyond_the_latent_space(script):
    for plane in ((0, 3), (1, 1)):
        code, _, err = script(test_vae, "--plane", *plane)
        assert code == 2 and "two different latent dimensions, 0 to 2" in err


def test_two_latent_dimensions_have_a_manifold(script, tmp_path):
    save_weights(tmp_path / "two.pt", VAE(40, 16, 2))
    save_weights(tmp_path / "one.pt", VAE(40, 16, 1))
    data = ("--data_path", "monsters")
    assert script(test_vae, "--checkpoint", tmp_path / "two.pt", *data)[0] == 0
    assert Path("vis/test/manifold.png").exists()
    assert script(test_vae, "--checkpoint", tmp_path / "one.pt", *data)[0] == 0


def test_a_sheet_of_all_that_is_shown(script):
    Path("two.hex").write_text("000000\nffffff\n")
    arguments = ("--num_samples", 3, "--steps", 4, "--save_sheet", "--palette", "two.hex")
    code, out, err = script(test_vae, *arguments)
    assert code == 0, err
    assert "sheet.png" in out and "sheet.json" in out
    frames = json.loads(Path("vis/test/sheet.json").read_text())["frames"]
    assert len(frames) == 3 + 3 * 11 + 4
    assert drawn("vis/test/sheet.png").shape == (40 * (1 + 3 + 1), 40 * 11)
    code, _, err = script(test_vae, "--palette", "two.hex")
    assert code == 2 and "--save_sheet" in err


def test_hybrids_by_code_and_by_the_model(script):
    code, _, err = script(test_vae, "--hybrids", 7, "002.png", "--scale", 1)
    assert code == 0, err
    picture = drawn("vis/test/hybrids.png")
    sprites = load_sprites("figure")
    training = sprites.pixels[trained_on(open_run(None, None), sprites)]
    assert len(training) == 11  # of 12
    for t in (0, 0.25, 0.5, 1):
        pixels, weights = sprites.pixels, torch.tensor([[1 - t, t]])
        (by_code,) = hybrids(pixels, layouts(pixels, training), torch.tensor([[7, 2]]), weights)
        assert holds(picture, sprite_pixels(by_code, 1))
    model = load_model(f"{RUN}/checkpoint_8.pt")
    mu = encode(model, sprites.pixels[[7, 2]])
    for z in (mu[0], mu.mean(0), mu[1]):
        assert holds(picture, sprite_pixels(decode(model, z[None])[0], 1))
    script(test_vae, "--hybrids", 2, 7, "--format", "svg", "--finish")
    text = Path("vis/test/hybrids.svg").read_text()
    assert "code alone" in text and "the model, taught none, finished" in text
    code, _, err = script(test_vae, "--hybrids", 2, 99)
    assert code == 2 and "--hybrids 99: there are 12 sprites" in err


def test_sprites_saved_one_by_one(script, monkeypatch):
    monkeypatch.setattr(test_vae, "MOST_ROWS", 2)  # of three
    arguments = ("--num_samples", 3, "--steps", 4, "--save_sprites", "--palette", 8)
    code, out, _ = script(test_vae, *arguments)
    assert code == 0
    counts = {"samples": 3, "interpolation": 4, "traversal": 2 * 11}
    for kind, count in counts.items():
        folder = Path("vis/test") / kind
        assert str(folder) in out.split("\n")
        files = list(folder.iterdir())
        assert len(files) == count
        assert all(
            Image.open(file).mode == "P" and Image.open(file).size == (40, 40) for file in files
        )


# ---- samplers, the finish and the metrics of samples


@pytest.mark.parametrize("kind", ["gmm", "neighbours"])
def test_samplers_are_kept_beside_the_weights(script, kind):
    arguments = ("--sampler", kind, "--num_samples", 5)
    assert script(test_vae, *arguments)[0] == 0
    first = drawn("vis/test/samples.png")
    assert Path(f"{RUN}/checkpoint_8_{kind}.npz").is_file()
    script(test_vae, *arguments)
    assert np.array_equal(first, drawn("vis/test/samples.png"))
    script(test_vae, "--num_samples", 5)
    assert not np.array_equal(first, drawn("vis/test/samples.png"))


def test_a_temperature_is_of_the_prior(script):
    code, _, err = script(test_vae, "--sampler", "gmm", "--temperature", 0.5)
    assert code == 2 and "only --sampler prior has one" in err
    assert script(test_vae, "--sampler", "other")[0] == 2


@pytest.mark.parametrize("module", [vis1, vis2, vis3, test_vae])
def test_finished_pictures_are_others_and_say_so(script, module):
    script(module)
    raw = {path: path.read_bytes() for path in Path("vis").rglob("*.png")}
    code, _, err = script(module, "--finish", "--format", "png")
    assert code == 0, err
    changed = [path for path, data in raw.items() if path.read_bytes() != data]
    assert changed and all("error" not in path.name for path in changed)
    script(module, "--finish", "--format", "svg")
    drawings = [path for path in Path("vis").rglob("*.svg") if b"are finished" in path.read_bytes()]
    assert drawings


def test_finished_sprites_are_saved_finished(script):
    arguments = ("--num_samples", 2, "--save_sprites", "--finish", "--checkpoint", "0")
    assert script(test_vae, *arguments)[0] == 0
    colors = {
        len(np.unique(drawn(path).reshape(-1, 4), axis=0))
        for path in Path("vis/test/samples").glob("*.png")
    }
    assert max(colors) < 20


def test_metrics_of_samples(script, monkeypatch):
    monkeypatch.setattr(test_vae, "MEASURED", 50)  # finishing 500 takes a while
    code, out, err = script(test_vae, "--sampler", "neighbours", "--metrics")
    assert code == 0, err
    metrics = json.loads(Path("vis/test/metrics.json").read_text())
    measured = metrics["samples"]
    names = ["prior", "prior, finished", "neighbours", "neighbours, finished"]
    assert list(measured) == ["held-out sprites", *names]
    for found in measured.values():
        value, low, high = found["sprite_distance"]
        assert low <= high and value > 0
        assert found["swd"][0] > 0
        assert 0 <= found["copies"][0] <= 1 and 0 <= found["overlap"][0] <= 1
    first, second = out.split("vis/test")[0].strip().split("\n\n")
    *reconstructions, active = first.split("\n")
    for table in (reconstructions, second.split("\n")):
        assert len(table) == 2 + 5 and len({row.count("|") for row in table}) == 1
    dimensions = len(metrics["kl_of_dimension"])
    assert active.startswith(f"Active latent dimensions: {len(metrics['active_dimensions'])} of")
    assert len(active.split(": ")[-1].split()) == dimensions
    assert metrics["measured"]["training"]["sse"][0] > 0
    assert Path("vis/test/nearest.png").exists()


# ---- hybrids that a run was taught


@pytest.fixture
def taught(script):
    """The folder of a small run that was taught hybrids."""
    small = ("--hidden_size", 32, "--batch_size", 4, "--device", "cpu", "--epoch", 2)
    sprites = ("--data_path", "monsters:20", "--output_dir", "taught")
    code, out, err = script(main, *small, *sprites, "--hybrids", 2, "--init", "pca")
    assert code == 0, err
    assert "sprites, put together by code. Pairs: " in out and "\nhalfway, taught " in out
    (folder,) = Path().glob("taught_*")
    return folder


def test_a_run_that_was_taught_hybrids_shows_them_first(script, taught, monkeypatch):
    monkeypatch.setattr(test_vae, "MEASURED", 20)
    code, _, err = script(test_vae, "--run", taught, "--metrics", "--num_samples", 7)
    assert code == 0, err
    measured = json.loads(Path("vis/test/metrics.json").read_text())["samples"]
    names = ["halfway, taught", "halfway, left out", "prior", "hybrids"]
    assert [name for name in measured if "finished" not in name] == ["held-out sprites", *names]
    both = Image.open("vis/test/samples.png").size
    assert script(test_vae, "--run", taught, "--sampler", "hybrids", "--num_samples", 7)[0] == 0
    assert Image.open("vis/test/samples.png").size[0] < 0.7 * both[0]


def test_other_sprites_were_not_taught(script, taught):
    code, out, err = script(test_vae, "--run", taught, "--data_path", "monsters:30", "--metrics")
    assert code == 0, err
    assert "halfway" not in out
    code, _, err = script(
        test_vae, "--run", taught, "--data_path", "monsters:30", "--sampler", "hybrids"
    )
    assert code == 2 and "taught none, or of other sprites" in err
