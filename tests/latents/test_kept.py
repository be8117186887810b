import json

import numpy as np
import pytest
import torch

from model import VAE
from utils.data_utils import load_sprites
from utils.latents import kept
from utils.latents.kept import load_sampler, run_sampler, save_sampler
from utils.latents.runs import open_run, run_sprites
from utils.latents.samplers import SAMPLERS, Posteriors, draw_latents
from utils.run.checkpoint import save_weights


@pytest.mark.parametrize("kind", SAMPLERS)
def test_a_saved_sampler_draws_the_same(kind, tmp_path):
    mu = np.random.default_rng(0).standard_normal((40, 4))
    pairs = np.arange(40).reshape(20, 2)
    posteriors = Posteriors(mu, np.full((40, 4), -4.0), np.arange(40), pairs)
    sampler = SAMPLERS[kind].fit(posteriors, np.random.default_rng(0))
    save_sampler(tmp_path / "a.npz", sampler, "digest")
    again = load_sampler(tmp_path / "a.npz", kind, "digest")
    assert list(tmp_path.iterdir()) == [tmp_path / "a.npz"]
    assert again.arrays().keys() == sampler.arrays().keys()
    assert torch.equal(draw_latents(again, 3, 0), draw_latents(sampler, 3, 0))
    assert load_sampler(tmp_path / "a.npz", kind, "another") is None


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no arrays"])
def test_damaged_files_do_not_load(content, tmp_path):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    assert load_sampler(path, "prior", "digest") is None


def make_run(folder, sprites, seed=0):
    folder.mkdir(exist_ok=True)
    (folder / "args.json").write_text(json.dumps({"data_path": str(sprites)}))
    torch.manual_seed(seed)
    save_weights(folder / "checkpoint_3.pt", VAE(40, 8, 2))
    return open_run(str(folder), None)


@pytest.mark.parametrize("kind", ["gmm", "neighbours"])
def test_a_run_keeps_its_sampler_until_its_weights_change(kind, tmp_path, sprite_folder):
    path = tmp_path / "run" / f"checkpoint_3_{kind}.npz"
    draws = []
    for seed in (0, 1):
        run = make_run(tmp_path / "run", sprite_folder, seed)
        draws.append(draw_latents(run_sampler(run, run_sprites(run), kind), 5, 0))
        written = path.stat().st_mtime_ns
        again = run_sampler(run, load_sprites(sprite_folder), kind)
        assert path.stat().st_mtime_ns == written
        assert torch.equal(draw_latents(again, 5, 0), draws[-1])
    assert not torch.equal(*draws)


def test_a_file_of_an_older_version_is_fitted_again(tmp_path, sprite_folder):
    run = make_run(tmp_path / "run", sprite_folder)
    path = tmp_path / "run" / "checkpoint_3_neighbours.npz"
    expected = draw_latents(run_sampler(run, run_sprites(run), "neighbours"), 5, 0)
    with np.load(path) as file:
        np.savez(path, kind=np.array("neighbours"), **dict(file))
    old = path.read_bytes()
    again = run_sampler(run, run_sprites(run), "neighbours")
    assert torch.equal(draw_latents(again, 5, 0), expected) and path.read_bytes() != old


def test_a_sampler_fitted_by_other_rules_is_fitted_again(tmp_path, sprite_folder, monkeypatch):
    run = make_run(tmp_path / "run", sprite_folder)
    path = tmp_path / "run" / "checkpoint_3_neighbours.npz"
    with monkeypatch.context() as patch:
        patch.setattr(kept, "RULES", b"other")
        run_sampler(run, run_sprites(run), "neighbours")
    old = path.read_bytes()
    run_sampler(run, run_sprites(run), "neighbours")
    assert path.read_bytes() != old


def test_the_prior_is_not_kept(tmp_path, sprite_folder):
    run = make_run(tmp_path / "run", sprite_folder)
    run_sampler(run, run_sprites(run), "prior")
    assert not (tmp_path / "run" / "checkpoint_3_prior.npz").exists()
