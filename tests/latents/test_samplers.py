import json

import numpy as np
import pytest
import torch

from model import VAE
from utils.data_utils import load_sprites
from utils.latents.runs import open_run, run_sprites
from utils.latents.samplers import (
    KINDS,
    STRETCH,
    draw,
    draw_latents,
    fit_sampler,
    load_sampler,
    near_sprites,
    ratio_of_distances,
    run_sampler,
    save_sampler,
)
from utils.run.checkpoint import save_weights


@pytest.fixture
def posteriors():
    """Latents of 120 creatures in two clouds, in four dimensions."""
    rng = np.random.default_rng(0)
    mu = rng.standard_normal((120, 4)) * 0.3 + np.repeat([[2.0], [-2.0]], 60, 0)
    return mu, np.full((120, 4), -4.0), np.arange(120)


def fitted(kind, posteriors):
    return fit_sampler(kind, *posteriors, rng=np.random.default_rng(0))


@pytest.mark.parametrize("kind", KINDS)
def test_draws_are_repeatable_and_of_the_right_shape(kind, posteriors):
    sampler = fitted(kind, posteriors)
    z = draw(sampler, np.random.default_rng(1), 7)
    assert z.shape == (7, 4) and z.dtype == np.float32
    assert np.array_equal(z, draw(fitted(kind, posteriors), np.random.default_rng(1), 7))
    assert torch.equal(draw_latents(sampler, 7, 5), draw_latents(sampler, 7, 5))


def test_the_gaussian_has_the_moments_of_the_latents(posteriors):
    z = draw(fitted("gaussian", posteriors), np.random.default_rng(1), 20000)
    mu, logvar, _ = posteriors
    assert z.mean(0) == pytest.approx(mu.mean(0), abs=0.06)
    expected = np.cov(mu.T, ddof=0) + np.diag(np.exp(logvar).mean(0))
    assert np.cov(z.T) == pytest.approx(expected, abs=0.1)


def test_the_mixture_finds_the_clouds_and_does_not_memorise(posteriors):
    sampler = fitted("gmm", posteriors)
    assert 2 <= len(sampler["weights"]) <= 4  # not one a sprite
    z = draw(sampler, np.random.default_rng(1), 2000)
    assert (np.abs(z.mean(1)) > 1).mean() > 0.99
    assert (z.mean(1) > 0).mean() == pytest.approx(0.5, abs=0.1)


def test_the_mixture_is_drawn_wider_than_it_was_fitted(posteriors):
    mu, logvar, _ = posteriors
    z = draw(fitted("gmm", posteriors), np.random.default_rng(1), 20000)
    expected = np.cov(mu.T, ddof=0) + np.diag(np.exp(logvar).mean(0))
    assert np.trace(np.cov(z.T)) == pytest.approx(STRETCH**2 * np.trace(expected), rel=0.05)
    assert z.mean(0) == pytest.approx(mu.mean(0), abs=0.1)


def test_mixtures_lie_between_sprites_and_away_from_each(posteriors):
    mu, _, groups = posteriors
    z = draw(fitted("neighbours", posteriors), np.random.default_rng(1), 300)
    unstretched = mu.mean(0) + (z - mu.mean(0)) / STRETCH
    assert (unstretched.min(0) > mu.min(0)).all() and (unstretched.max(0) < mu.max(0)).all()
    assert (np.abs(z.mean(1)) > 1).all()  # never between the clouds
    ratios = [ratio_of_distances(row, mu, groups) for row in z]
    assert np.mean(np.greater_equal(ratios, 0.79)) > 0.99


def test_near_sprites_are_other_creatures(posteriors):
    mu, _, _ = posteriors
    groups = np.arange(120) // 2  # two forms each
    near = near_sprites(mu, groups)
    assert (groups[near] != groups[:, None]).all()
    assert (near_sprites(mu[:2], groups[:2]) == [[0, 0], [1, 1]]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_few_sprites_have_samplers(kind):
    rng = np.random.default_rng(0)
    for count in (2, 5):
        posteriors = rng.standard_normal((count, 3)), np.zeros((count, 3)), np.arange(count)
        assert np.isfinite(draw(fitted(kind, posteriors), rng, 4)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_samplers_on_disk_are_plain_arrays(kind, posteriors, tmp_path):
    sampler = fitted(kind, posteriors)
    save_sampler(tmp_path / "a.npz", sampler)
    again = load_sampler(tmp_path / "a.npz")
    assert list(tmp_path.iterdir()) == [tmp_path / "a.npz"]
    assert again.keys() == sampler.keys()
    assert np.array_equal(draw_latents(again, 3, 0), draw_latents(sampler, 3, 0))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no arrays"])
def test_files_that_are_no_samplers(content, tmp_path):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is not a sampler"):
        load_sampler(path)
    np.savez(path, kind=np.array("other"))
    with pytest.raises(ValueError, match="is not a sampler"):
        load_sampler(path)


def test_a_run_keeps_its_sampler_until_it_is_another_run(tmp_path, sprite_folder):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "args.json").write_text(json.dumps({"data_path": str(sprite_folder)}))
    for seed in (0, 1):
        torch.manual_seed(seed)
        save_weights(folder / "checkpoint_3.pt", VAE(40, 8, 2))
        run = open_run(str(folder), None)
        sampler = run_sampler(run, run_sprites(run), "gaussian")
        path = folder / "checkpoint_3_gaussian.npz"
        assert np.array_equal(load_sampler(path)["mean"], sampler["mean"])
        written = path.stat().st_mtime_ns
        assert run_sampler(run, load_sprites(sprite_folder), "gaussian").keys() == sampler.keys()
        assert path.stat().st_mtime_ns == written
    run_sampler(run, run_sprites(run), "prior")
    assert not (folder / "checkpoint_3_prior.npz").exists()
