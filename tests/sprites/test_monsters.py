"""The monsters are what others count on: hard pixels, closed outlines, all different."""

import colorsys
from collections import Counter

import numpy as np
import pytest

from utils.sprites.monsters import MAX_MONSTERS, NUM_MONSTERS, draw_monster, monster_name


@pytest.fixture(scope="module")
def monsters():
    return np.stack([draw_monster(index) for index in range(NUM_MONSTERS)])


def neighbours(mask):
    """Yield the mask moved by one pixel in each of the four directions, with nothing outside."""
    padded = np.pad(mask, [(0, 0)] * (mask.ndim - 2) + [(1, 1), (1, 1)])
    yield padded[..., 2:, 1:-1]
    yield padded[..., :-2, 1:-1]
    yield padded[..., 1:-1, 2:]
    yield padded[..., 1:-1, :-2]


def count_components(mask):
    """Count the 8-connected components of a mask."""
    left, count = {(y, x) for y, x in np.argwhere(mask).tolist()}, 0
    while left:
        count += 1
        edge = [left.pop()]
        while edge:
            y, x = edge.pop()
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            edge.extend(near)
    return count


def test_shape_and_alpha(monsters):
    assert monsters.shape == (NUM_MONSTERS, 40, 40, 4)
    assert monsters.dtype == np.uint8
    assert set(np.unique(monsters[..., 3])) == {0, 255}
    assert not monsters[monsters[..., 3] == 0].any()


def test_the_same_on_every_call(monsters):
    for index in (0, 100, NUM_MONSTERS - 1):
        np.testing.assert_array_equal(draw_monster(index), monsters[index])


def test_all_distinct_even_in_a_mirror(monsters):
    pictures = {picture.tobytes() for picture in monsters}
    mirrored = {np.ascontiguousarray(picture[:, ::-1]).tobytes() for picture in monsters}
    assert len(pictures) == NUM_MONSTERS
    assert not pictures & mirrored


def test_outline_is_closed_and_dark(monsters):
    drawn = monsters[..., 3] > 0
    luminance = monsters[..., :3] @ np.array((0.299, 0.587, 0.114)) / 255
    inner = np.logical_and.reduce(list(neighbours(drawn)))
    assert luminance[drawn & ~inner].max() < 0.45


def test_one_piece_within_the_canvas(monsters):
    drawn = monsters[..., 3] > 0
    assert [count_components(mask) for mask in drawn] == [1] * NUM_MONSTERS
    assert not drawn[:, :, [0, -1]].any()  # nobody is cut off at a side
    assert not drawn[:, -1].any()


def test_sizes_are_sane(monsters):
    drawn = monsters[..., 3] > 0
    heights, widths, areas = drawn.any(2).sum(1), drawn.any(1).sum(1), drawn.sum((1, 2))
    assert heights.min() >= 12 and heights.max() <= 38
    assert widths.min() >= 12 and widths.max() <= 40
    assert areas.min() >= 100 and areas.max() <= 700
    assert 16 <= np.median(heights) <= 28 and 16 <= np.median(widths) <= 28


def test_stand_on_one_ground_line(monsters):
    lowest = [np.flatnonzero(picture.any(1))[-1] for picture in monsters[..., 3]]
    assert np.mean(np.array(lowest) == 30) > 0.95


def test_palettes_cover_the_hue_circle(monsters):
    dominant = Counter()
    for picture in monsters:
        bins = Counter()
        colours, counts = np.unique(picture[picture[..., 3] > 0][:, :3], axis=0, return_counts=True)
        for colour, count in zip(colours / 255, counts, strict=True):
            hue, saturation, value = colorsys.rgb_to_hsv(*colour)
            if saturation > 0.25 and value > 0.35:
                bins[int(hue * 12) % 12] += int(count)
        dominant.update(key for key, _ in bins.most_common(1))
    assert set(dominant) == set(range(12))
    assert min(dominant.values()) >= 5


def test_few_colours(monsters):
    assert max(len(np.unique(picture.reshape(-1, 4), axis=0)) for picture in monsters) <= 30


@pytest.mark.parametrize("index", [-1, MAX_MONSTERS, 10**9])
@pytest.mark.parametrize("function", [draw_monster, monster_name])
def test_bad_index(function, index):
    with pytest.raises(ValueError, match="0 and 999998"):
        function(index)


def test_names():
    assert monster_name(0) == "001MON.png"
    assert monster_name(NUM_MONSTERS - 1) == "792MON.png"
    assert monster_name(998) == "999MON.png" and monster_name(999) == "MON001000.png"
    indices = [*range(2000), 9998, 9999, 10**5 - 1, 10**5, MAX_MONSTERS - 1]
    names = [monster_name(index) for index in indices]
    assert names == sorted(names) and len(set(names)) == len(names)
