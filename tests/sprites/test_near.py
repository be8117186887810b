import numpy as np

from utils.sprites import near
from utils.sprites.near import nearest_others, pairs_among, products

# Grey sprites of one pixel: their distances are those of the numbers.
VALUES = np.array([10, 11, 30, 33, 90, 12])
PIXELS = VALUES.astype(np.uint8).repeat(3).reshape(6, 3, 1, 1)


def test_nearest_of_other_creatures_come_in_order_one_of_each():
    alone = np.arange(6)
    assert nearest_others(PIXELS, alone, 2).tolist() == [
        [1, 5],
        [0, 5],
        [3, 5],
        [2, 5],
        [3, 2],
        [1, 0],
    ]
    forms = np.array([7, 7, 3, 3, 5, 9])  # 10 and 11 are one creature, 30 and 33 another
    assert nearest_others(PIXELS, forms, 2).tolist() == [
        [5, 2],
        [5, 2],
        [5, 1],
        [5, 1],
        [3, 5],
        [1, 2],
    ]
    assert nearest_others(PIXELS, forms, 3, of=[4]).tolist() == [[3, 5, 1]]


def test_fewer_creatures_than_are_asked_for():
    assert nearest_others(PIXELS, np.array([0, 0, 0, 1, 1, 1]), 5).shape == (6, 1)
    assert nearest_others(PIXELS, np.zeros(6, int), 2).shape == (6, 0)
    assert pairs_among(nearest_others(PIXELS, np.zeros(6, int), 2)).shape == (0, 2)


def test_pairs_are_named_once_and_none_is_of_one_sprite():
    near = np.array([[1, 2], [0, 1], [3, 0], [3, 3]])
    assert pairs_among(near).tolist() == [[0, 1], [0, 2], [2, 3]]
    assert pairs_among(near[:0]).shape == (0, 2)


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (50, 3, 4, 4)).astype(np.uint8)
    groups = rng.integers(0, 20, 50)
    expected = nearest_others(pixels, groups, 4)
    flat = pixels.reshape(50, -1).astype(int)
    for own, row in enumerate(expected):
        distances = np.square(flat - flat[own]).sum(1)
        assert groups[own] not in groups[row] and len(set(groups[row])) == 4
        assert (np.diff(distances[row]) >= 0).all()
        others = distances[~np.isin(groups, [groups[own], *groups[row]])]
        assert others.min() >= distances[row[-1]]
    monkeypatch.setattr(near, "BLOCK", 7)
    assert np.array_equal(nearest_others(pixels, groups, 4), expected)


def test_products_are_exact():
    x, y = np.random.default_rng(0).integers(200, 256, (2, 30, 4800)).astype(np.uint8)
    y[0] = 255
    expected = x.astype(np.int64) @ y.T.astype(np.int64)
    assert np.array_equal(products(x, y.astype(np.float32)), expected)
    assert not np.array_equal(x.astype(np.float32) @ y.T.astype(np.float32), expected)


def test_of_equally_far_ones_the_first_creatures_are_taken():
    pixels = np.zeros((300, 3, 4, 4), np.uint8)
    pixels[200:] = 9  # a hundred that are equally far from the others
    near = nearest_others(pixels, np.arange(300), 250)
    assert sorted(near[0, :199]) == list(range(1, 200))
    assert near[0, 199:].tolist() == list(range(200, 251))
