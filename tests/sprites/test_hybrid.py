"""What lies between two sprites: the two themselves at the ends, and one clean creature between."""

import numpy as np
import pytest
from scipy import ndimage

from utils.sprites import hybrid as hybrid_module
from utils.sprites.hybrid import drawn, hybrid, largest_part, palette, resized, rim, seam
from utils.sprites.monsters import draw_monster

TIMES = (0.0, 1e-20, 0.1, 0.25, 0.3, 0.4999999999999999, 0.5, 0.7, 0.9, 1 - 2**-53, 1.0)


def monster(index):
    rgba = draw_monster(index)
    return np.where(rgba[..., 3:] == 255, rgba[..., :3], np.uint8(255))


@pytest.fixture(scope="module")
def pairs():
    return [(monster(i), monster(i + 1)) for i in range(0, 12, 2)]


def block(side, top, left, height, width, colour=(200, 0, 0)):
    sprite = np.full((side, side, 3), 255, np.uint8)
    sprite[top : top + height, left : left + width] = 20
    sprite[top + 1 : top + height - 1, left + 1 : left + width - 1] = colour
    return sprite


def test_ends_are_the_sprites_themselves(pairs):
    for a, b in pairs:
        before = a.copy(), b.copy()
        for t, end in ((0, a), (1, b)):
            found = hybrid(a, b, t)
            assert np.array_equal(found, end) and not np.shares_memory(found, end)
        hybrid(a, b, 0.5)
        assert np.array_equal(a, before[0]) and np.array_equal(b, before[1])


@pytest.mark.parametrize("t", TIMES)
def test_the_order_does_not_matter(pairs, t):
    for a, b in pairs:
        found = hybrid(a, b, t)
        assert found.shape == a.shape and found.dtype == np.uint8
        assert np.array_equal(found, hybrid(b, a, 1 - t))
        assert np.array_equal(found, hybrid(a, b, t))


def test_a_sprite_with_itself_is_itself(pairs):
    a = largest_part(pairs[0][0])
    for t in TIMES:
        assert np.abs(hybrid(a, a, t).astype(int) - a).max() <= 2  # but for rounding in CIE Lab


@pytest.mark.parametrize("t", TIMES)
def test_empty_sprites(pairs, t):
    a, white = pairs[0][0], np.full((40, 40, 3), 255, np.uint8)
    found = hybrid(a, white, t)
    assert np.array_equal(found, a) or np.array_equal(found, white)
    assert np.array_equal(found, hybrid(white, a, 1 - t))
    assert np.array_equal(hybrid(white, white, t), white)


@pytest.mark.parametrize("side", [1, 2, 5, 24, 64])
def test_any_side(side):
    rng = np.random.default_rng(side)
    for _ in range(20):
        a, b = rng.choice((0, 90, 255), (2, side, side, 1), p=(0.1, 0.2, 0.7)) * np.ones(3)
        a, b = a.astype(np.uint8), b.astype(np.uint8)
        for t in (0.1, 0.5, 0.6):
            assert np.array_equal(hybrid(a, b, t), hybrid(b, a, 1 - t))


def test_lines_of_one_pixel():
    for first, second in ((1, 2), (2, 3), (0, 4)):
        a, b = np.full((2, 5, 5, 3), 255, np.uint8)
        a[first], b[second, 1:] = 0, 0
        for turned in (False, True):
            pair = [sprite.swapaxes(0, 1) if turned else sprite for sprite in (a, b)]
            assert all(drawn(hybrid(*pair, t)).any() for t in TIMES)


def test_the_head_stays_the_same_for_all_t(pairs, monkeypatch):
    for a, b in pairs:
        uppers = []

        def spy(upper, lower, share, uppers=uppers):
            uppers.append(upper)
            return seam(upper, lower, share)

        monkeypatch.setattr(hybrid_module, "seam", spy)
        heads, colours_of_a = set(), set(map(tuple, palette(a)[0].tolist()))
        for t in (0.1, 0.3, 0.5, 0.7, 0.9):
            hybrid(a, b, t)
            heads.add(set(map(tuple, palette(uppers[-1])[0].tolist())) <= colours_of_a)
        assert len(heads) == 1


def test_a_hybrid_is_one_part_with_few_colours_and_a_dark_rim(pairs):
    for a, b in pairs:
        limit = max(len(palette(sprite)[0]) for sprite in (a, b))
        for t in (0.25, 0.5, 0.75):
            found = hybrid(a, b, t)
            assert ndimage.label(drawn(found), np.ones((3, 3)))[1] == 1
            assert len(palette(found)[0]) <= limit
            assert np.median(found[rim(drawn(found))].max(1)) < 120
            assert not np.array_equal(found, a) and not np.array_equal(found, b)


def test_places_and_colours_lie_between():
    a, b = block(40, 20, 4, 12, 16), block(40, 8, 16, 24, 20, (0, 0, 200))
    found = hybrid(a, b, 0.5)
    rows, columns = np.nonzero(drawn(found))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (14, 31, 10, 27)
    middle = found[22, 18].astype(int)
    assert middle[0] > 60 and middle[2] > 60 and middle[1] < 60  # violet, not grey


def test_the_seam_runs_where_both_agree():
    a, b = block(40, 10, 10, 20, 20), block(40, 10, 10, 20, 20, (0, 200, 0))
    a[17:19, 11:29] = b[17:19, 11:29] = 90
    above, cost = seam(a, b, 0.5)  # the middle is row 20
    assert (above.sum(0)[11:29] == 18).all()
    a[17:19, 11:29] = (200, 0, 0)
    assert seam(a, b, 0.5)[1] > cost


def test_the_share_of_the_head_grows(pairs):
    for a, b in pairs:
        shares = [seam(a, b, share)[0][drawn(a)].mean() for share in (0.1, 0.3, 0.5, 0.7, 0.9)]
        assert shares == sorted(shares) and shares[0] < 0.35 and shares[-1] > 0.65


def test_rows_are_dropped_and_doubled_where_nothing_is_lost():
    part = np.repeat(np.array([10, 20, 20, 20, 30, 40, 40, 50], np.uint8), 6).reshape(8, 2, 3)
    assert resized(part, 6)[:, 0, 0].tolist() == [10, 20, 20, 30, 40, 50]
    assert resized(part, 9)[:, 0, 0].tolist() == [10, 20, 20, 20, 20, 30, 40, 40, 50]
    for height in (1, 3, 8, 20):
        assert len(resized(part, height)) == height


def test_what_floats_free_goes():
    sprite = block(40, 10, 10, 10, 10)
    sprite[20, 20] = sprite[30:33, 30:33] = 0  # one by a corner, and one alone
    kept = largest_part(sprite)
    assert (kept[20, 20] == 0).all() and (kept[30:33, 30:33] == 255).all()
