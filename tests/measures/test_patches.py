"""The distance between patches is what it is by definition, and rises with what it should see."""

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from tests.measures.test_samples import BAD, monsters
from utils.measures import patches as pt
from utils.measures.samples import channels_last, silhouettes


def found(images):
    return pt.projections(channels_last(images), silhouettes(images))


@pytest.fixture(scope="module")
def real():
    return found(monsters()[:300]).sum(0)


@pytest.fixture(scope="module")
def others():
    return monsters()[400:500]


def test_by_definition():
    rng = np.random.default_rng(1)
    images, masks = rng.random((2, 60, 12, 12, 3)), rng.random((2, 60, 12, 12)) < 0.3
    images[1] *= 0.8
    counts = [pt.projections(*part).sum(0) for part in zip(images, masks, strict=True)]
    assert counts[0].sum(1).tolist() == [masks[0].sum()] * pt.DIRECTIONS

    directions = np.random.default_rng(pt.SEED).standard_normal((pt.DIRECTIONS, 147))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    placed = []
    for pictures, chosen in zip(images, masks, strict=True):
        padded = np.pad(pictures, ((0, 0), (3, 3), (3, 3), (0, 0)), constant_values=1)
        cut = [padded[n, y : y + 7, x : x + 7].ravel() for n, y, x in np.argwhere(chosen)]
        placed.append(np.array(cut) @ directions.T)
    exact = [wasserstein_distance(placed[0][:, i], placed[1][:, i]) for i in range(pt.DIRECTIONS)]
    assert pt.distance(*counts) == pytest.approx(1000 * np.mean(exact), rel=0.05)


def test_a_set_is_no_way_from_itself(real):
    assert pt.distance(real, real) == 0
    assert np.isnan(pt.distance(real * 0, real))


@pytest.mark.parametrize("spoil", BAD)
def test_it_rises_with_blur_speckle_overlays_and_grey(real, others, spoil):
    best = pt.distance(found(others).sum(0), real)
    assert pt.distance(found(spoil(others)).sum(0), real) > 1.5 * best


def test_blocks_change_nothing(others, monkeypatch):
    expected = found(others[:10])
    monkeypatch.setattr(pt, "BLOCK", 3)
    assert np.array_equal(found(others[:10]), expected)


def test_the_interval_is_around_the_value_and_shrinks(real, others):
    value, low, high = pt.distance_with_interval(found(others), real)
    assert value == pytest.approx(pt.distance(found(others).sum(0), real)) and low < value < high
    few = pt.distance_with_interval(found(others[:20]), real)
    assert few[2] - few[0] > high - value
    assert pt.distance_with_interval(found(others[:20]), real) == few
