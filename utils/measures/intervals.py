"""How certain a measure is: bootstrap intervals, and tables that show them."""

from collections.abc import Callable

import numpy as np

LEVEL = 0.95  # probability that an interval covers the truth
DRAWS = 200  # resampled data sets
SEED = 0


def distances_with_intervals(
    distances: Callable[[np.ndarray], np.ndarray], sample: np.ndarray
) -> np.ndarray:
    """Return [value, low, high] for each of the K distances of a sample from something, (K, 3).

    The intervals are those of the bootstrap, moved so that their middle is the value: a distance
    between samples rises with their noise, so resampled ones are farther off.
    """
    values = distances(sample)
    low, high = bootstrap(distances, sample)
    half = (high - low) / 2
    return np.stack([values, np.maximum(values - half, 0), values + half], axis=1)


def mean_with_interval(values: np.ndarray) -> list[float]:
    """Return [mean, low, high] of one value per sprite."""
    values = np.asarray(values, np.float64)
    return [float(values.mean()), *map(float, bootstrap(np.mean, values))]


def bootstrap(statistic: Callable, *samples: np.ndarray) -> tuple:
    """Return the percentile interval of a statistic, a number or an array, over resampled data.

    Each sample is resampled with replacement along its first axis, independently of the others.
    Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13.
    """
    rng = np.random.default_rng(SEED)
    values = [
        statistic(*(sample[rng.integers(0, len(sample), len(sample))] for sample in samples))
        for _ in range(DRAWS)
    ]
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return low, high


# ---- tables


def cell(value: list[float] | None, digits: int, with_ends: bool) -> str:
    """Return [value, low, high] as text, with or without the ends of its interval."""
    if value is None:
        return ""
    text, low, high = (f"{number:.{digits}f}" for number in value)
    return f"{text} ({low} to {high})" if with_ends else text


def markdown(headings: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table; the first column, of names, has no heading."""
    lines = ["| | " + " | ".join(headings) + " |", "| --- " * (len(headings) + 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])
