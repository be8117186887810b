import numpy as np

from utils.sprites import near
from utils.sprites.near import near_pairs, nearest_others

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
    assert near_pairs(PIXELS, np.zeros(6, int), 2).shape == (0, 2)


def test_the_nearest_pairs_are_taken_first_each_once():
    alone = np.arange(6)
    # 11 and 12 are as near as 10 and 11, but 11 is in its one pair by then, and so are 30 and 33.
    assert near_pairs(PIXELS, alone, 1).tolist() == [[0, 1], [2, 3], [4, 5]]
    expected = [[0, 1], [0, 5], [1, 5], [2, 3], [2, 4], [3, 4]]
    assert near_pairs(PIXELS, alone, 2).tolist() == expected
    forms = np.array([7, 7, 3, 3, 5, 9])  # 10 and 11 are one creature, 30 and 33 another
    assert near_pairs(PIXELS, forms, 1).tolist() == [[0, 2], [1, 5], [3, 4]]


def test_no_sprite_is_in_more_pairs_than_allowed():
    pixels = np.random.default_rng(0).integers(0, 256, (60, 3, 4, 4)).astype(np.uint8)
    pixels[:5] = 128  # near to all others
    pairs = near_pairs(pixels, np.arange(60), 3)
    number = np.bincount(pairs.ravel(), minlength=60)
    assert number.max() == 3 and (number == 3).mean() > 0.9
    assert len(np.unique(pairs, axis=0)) == len(pairs) and (pairs[:, 0] < pairs[:, 1]).all()


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
