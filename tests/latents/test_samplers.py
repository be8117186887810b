import numpy as np
import pytest
import torch

from utils.cli import InputError
from utils.latents import samplers
from utils.latents.samplers import (
    NO_PAIRS,
    SAMPLERS,
    STRETCH,
    Posteriors,
    draw_latents,
    near_sprites,
    ratio_of_distances,
)


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


def test_hybrids_are_drawn_halfway_between_taught_pairs(posteriors):
    z = drawn("hybrids", posteriors, 200)
    middles = posteriors.mu[posteriors.pairs].mean(1)  # (60, 4)
    off = np.linalg.norm(middles - z[:, None], axis=2)
    assert off.min(1) == pytest.approx(np.zeros(200), abs=1e-6)
    assert set(np.bincount(off.argmin(1), minlength=60)) == {3, 4}  # none again before all were
    with pytest.raises(InputError, match="was taught none"):
        fitted("hybrids", posteriors._replace(pairs=NO_PAIRS))


@pytest.mark.parametrize("kind", SAMPLERS)
@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_sprites_have_samplers(kind, count):
    mu = np.random.default_rng(0).standard_normal((count, 3))
    few = Posteriors(mu, np.zeros((count, 3)), np.arange(count), np.array([[0, count - 1]]))
    assert np.isfinite(drawn(kind, few, 4)).all()


def test_mixtures_of_many_sprites_lie_as_far_from_the_mean_as_sprites_do(posteriors, monkeypatch):
    monkeypatch.setattr(samplers, "MANY", 100)
    many = posteriors._replace(pairs=NO_PAIRS)
    sampler = fitted("neighbours", many)
    assert 1 < sampler.stretch < STRETCH
    z = sampler.draw(np.random.default_rng(1), 2000)
    lengths = [np.linalg.norm(part - many.mu.mean(0), axis=1).mean() for part in (many.mu, z)]
    assert lengths[1] == pytest.approx(lengths[0], rel=0.01)
    assert fitted("neighbours", posteriors).stretch == 1  # which was taught mixtures
