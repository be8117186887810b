import json

import numpy as np
import pytest
import torch

from model import VAE
from utils.cli import InputError
from utils.data_utils import load_sprites
from utils.latents.runs import open_run, run_sprites
from utils.latents.samplers import (
    NO_PAIRS,
    SAMPLERS,
    STRETCH,
    Posteriors,
    draw_latents,
    load_sampler,
    near_sprites,
    ratio_of_distances,
    run_sampler,
    save_sampler,
)
from utils.run.checkpoint import save_weights


@pytest.fixture
def posteriors():
    """Latents of 120 creatures in two clouds, in four dimensions; of 60 pairs."""
    rng = np.random.default_rng(0)
    mu = rng.standard_normal((120, 4)) * 0.3 + np.repeat([[2.0], [-2.0]], 60, 0)
    return Posteriors(mu, np.full((120, 4), -4.0), np.arange(120), np.arange(120).reshape(60, 2))


def fitted(kind, posteriors):
    return SAMPLERS[kind].fit(posteriors, np.random.default_rng(0))


def drawn(kind, posteriors, count):
    return fitted(kind, posteriors).draw(np.random.default_rng(1), count)


@pytest.mark.parametrize("kind", SAMPLERS)
def test_draws_are_repeatable_and_of_the_right_shape(kind, posteriors):
    z = draw_latents(fitted(kind, posteriors), 7, 5)
    assert z.shape == (7, 4) and z.dtype == torch.float32
    assert torch.equal(z, draw_latents(fitted(kind, posteriors), 7, 5))
    assert not torch.equal(z, draw_latents(fitted(kind, posteriors), 7, 6))
    assert SAMPLERS[kind].title


def test_the_prior_is_a_standard_normal_distribution(posteriors):
    z = drawn("prior", posteriors, 20000)
    assert z.mean(0) == pytest.approx(np.zeros(4), abs=0.03)
    assert np.cov(z.T) == pytest.approx(np.eye(4), abs=0.03)


def test_the_mixture_finds_the_clouds_and_does_not_memorise(posteriors):
    assert 2 <= len(fitted("gmm", posteriors).weights) <= 4  # not one per sprite
    z = drawn("gmm", posteriors, 2000)
    assert (np.abs(z.mean(1)) > 1).mean() > 0.99
    assert (z.mean(1) > 0).mean() == pytest.approx(0.5, abs=0.1)


def test_the_mixture_is_drawn_wider_than_it_was_fitted(posteriors):
    z = drawn("gmm", posteriors, 20000)
    expected = np.cov(posteriors.mu.T, ddof=0) + np.diag(np.exp(posteriors.logvar).mean(0))
    assert np.trace(np.cov(z.T)) == pytest.approx(STRETCH**2 * np.trace(expected), rel=0.05)
    assert z.mean(0) == pytest.approx(posteriors.mu.mean(0), abs=0.1)


def test_mixtures_lie_between_sprites_and_away_from_each(posteriors):
    mu, _, groups, _ = posteriors
    z = drawn("neighbours", posteriors, 300)
    unstretched = mu.mean(0) + (z - mu.mean(0)) / STRETCH
    assert (unstretched.min(0) > mu.min(0)).all() and (unstretched.max(0) < mu.max(0)).all()
    assert (np.abs(z.mean(1)) > 1).all()  # never between the clouds
    ratios = [ratio_of_distances(row, mu, groups) for row in z]
    assert np.mean(np.greater_equal(ratios, 0.79)) > 0.99


def test_near_sprites_are_other_creatures(posteriors):
    mu = posteriors.mu
    groups = np.arange(120) // 2  # two forms each
    near = near_sprites(mu, groups)
    assert (groups[near] != groups[:, None]).all()
    assert (near_sprites(mu[:2], groups[:2]) == [[0, 0], [1, 1]]).all()


def test_hybrids_are_drawn_about_halfway_between_taught_pairs(posteriors):
    z = drawn("hybrids", posteriors, 200)
    first, second = posteriors.mu[posteriors.pairs].swapaxes(0, 1)
    way = second - first  # (60, 4)
    share = ((z[:, None] - first) * way).sum(2) / np.square(way).sum(1)  # (200, 60)
    off = np.linalg.norm(first + share[..., None] * way - z[:, None], axis=2)
    nearest = off.argmin(1)
    assert off.min(1) == pytest.approx(np.zeros(200), abs=1e-6)
    shares = share[np.arange(200), nearest]
    assert 3 / 8 <= shares.min() < 0.4 < 0.6 < shares.max() <= 5 / 8
    assert len(set(nearest)) > 40
    with pytest.raises(InputError, match="was taught none"):
        fitted("hybrids", posteriors._replace(pairs=NO_PAIRS))


@pytest.mark.parametrize("kind", SAMPLERS)
@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_sprites_have_samplers(kind, count):
    mu = np.random.default_rng(0).standard_normal((count, 3))
    few = Posteriors(mu, np.zeros((count, 3)), np.arange(count), np.array([[0, count - 1]]))
    assert np.isfinite(drawn(kind, few, 4)).all()


@pytest.mark.parametrize("kind", SAMPLERS)
def test_a_saved_sampler_draws_the_same(kind, posteriors, tmp_path):
    sampler = fitted(kind, posteriors)
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


def test_the_prior_is_not_kept(tmp_path, sprite_folder):
    run = make_run(tmp_path / "run", sprite_folder)
    run_sampler(run, run_sprites(run), "prior")
    assert not (tmp_path / "run" / "checkpoint_3_prior.npz").exists()
