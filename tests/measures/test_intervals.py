import numpy as np
import pytest

from utils.measures.intervals import (
    bootstrap,
    cell,
    distances_with_intervals,
    markdown,
    mean_with_interval,
)


def test_intervals_cover_the_truth():
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(100):
        low, high = bootstrap(np.mean, rng.standard_normal(60))
        hits += low < 0 < high
    assert 85 <= hits <= 100
    assert bootstrap(np.mean, np.arange(9)) == bootstrap(np.mean, np.arange(9))


def test_samples_are_drawn_independently():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(50), 5 + rng.standard_normal(70)
    low, high = bootstrap(lambda a, b: b.mean() - a.mean(), x, y)
    assert low < y.mean() - x.mean() < high and high - low == pytest.approx(0.72, abs=0.2)


def test_a_mean_lies_within_its_interval():
    value, low, high = mean_with_interval([True, False, False, True, False, False])
    assert value == pytest.approx(1 / 3) and low < value < high


def test_the_middle_of_the_interval_of_a_distance_is_the_distance():
    x = np.random.default_rng(0).standard_normal(30)

    def distances(x):  # from 0 and 1: noise makes the first larger in resampled data
        return np.array([abs(x.mean()), abs(x.std() - 1)])

    found = distances_with_intervals(distances, x)
    assert found[:, 0].tolist() == distances(x).tolist()
    low, high = bootstrap(distances, x)
    assert found[:, 2] - found[:, 0] == pytest.approx((high - low) / 2)
    assert found[:, 1] == pytest.approx(np.maximum(2 * found[:, 0] - found[:, 2], 0))


def test_a_table():
    assert cell([1.234, 1, 2], 2, False) == "1.23" and cell(None, 2, True) == ""
    assert cell([1.234, 1, 2], 1, True) == "1.2 (1.0 to 2.0)"
    lines = ["| | a | b |", "| --- | --- | --- |", "| x | 1 | 2 |"]
    assert markdown(["a", "b"], [["x", "1", "2"]]) == "\n".join(lines)
