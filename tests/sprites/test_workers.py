"""The processes themselves are tested where they decode; here is what they share."""

import pytest

from utils.sprites import workers


def half(number):
    if number % 2:
        raise ValueError(f"{number} is odd")
    return number // 2


def test_results_come_in_the_order_of_chunks(monkeypatch):
    monkeypatch.setattr(workers, "num_cores", lambda: 2)
    assert list(workers.in_workers(half, [8, 2, 6, 4], "halves")) == [4, 1, 3, 2]
    with pytest.raises(ValueError, match="3 is odd"):
        list(workers.in_workers(half, [2, 3], "halves"))
