import numpy as np
import pytest

from utils.latents.chart import chart, on_grid, principal_directions


def latents(count, size=6):
    rng = np.random.default_rng(0)
    return rng.standard_normal((count, size)) * np.arange(size, 0, -1) + 3


def test_principal_directions_are_orthonormal_and_sorted():
    mu = latents(500)
    mean, axes, deviations = principal_directions(mu)
    assert np.allclose(axes @ axes.T, np.eye(6)) and (np.diff(deviations) < 0).all()
    along = (mu - mean) @ axes.T
    assert np.allclose(along.std(0), deviations)
    assert np.allclose(np.cov(along.T), np.diag(np.diag(np.cov(along.T))))
    assert (np.take_along_axis(axes, np.abs(axes).argmax(1)[:, None], 1) > 0).all()


@pytest.mark.parametrize(("count", "size"), [(2, 3), (7, 1), (12, 5), (100, 4)])
def test_each_place_is_taken_once(count, size):
    places = chart(latents(count, size))
    side = int(np.ceil(np.sqrt(count)))
    assert places.shape == (count, 2) and len({tuple(place) for place in places}) == count
    assert places.min() >= 0 and places.max() < side


def test_near_latents_are_near_on_the_map():
    mu = np.concatenate([latents(40, 4) * 0.1 + offset for offset in (0, 20)])
    places = chart(mu)
    first, second = places[:40].mean(0), places[40:].mean(0)
    spread = np.abs(places[:40] - first).mean()
    assert np.linalg.norm(first - second) > spread


def test_a_grid_stays_as_it_is():
    grid = np.stack(np.divmod(np.arange(25), 5)[::-1], 1)
    assert np.array_equal(on_grid(grid + 0.0), grid)


def test_equal_latents_have_a_map():
    assert len({tuple(place) for place in chart(np.ones((9, 3)))}) == 9
