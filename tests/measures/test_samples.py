"""Each measure moves the right way on pictures that are made bad on purpose."""

import cv2
import numpy as np
import pytest

from utils.data_utils import load_sprites
from utils.measures import samples as sm


@pytest.fixture(scope="module")
def real():
    return monsters()[:400]


@pytest.fixture(scope="module")
def others():
    return monsters()[400:550]


def monsters():
    order = np.random.default_rng(0).permutation(792)
    return load_sprites("monsters").pixels.numpy()[order]


def blurred(images):
    soft = [cv2.GaussianBlur(image.transpose(1, 2, 0), (0, 0), 1.5) for image in images]
    return np.stack(soft).transpose(0, 3, 1, 2)


def noisy(images):
    noise = np.random.default_rng(0).normal(0, 50, images.shape)
    drawn = images.min(1, keepdims=True) < 240
    return np.where(drawn, np.clip(images + noise, 0, 255), images).astype(np.uint8)


def overlaid(images):
    return (images // 2 + images[::-1] // 2 + 1).astype(np.uint8)


def grey(images):
    return np.repeat(images.mean(1, keepdims=True), 3, 1).astype(np.uint8)


BAD = [blurred, noisy, overlaid, grey]


@pytest.mark.parametrize("spoil", BAD)
def test_sprite_distance_rises(real, others, spoil):
    found = sm.descriptors(real)
    best = sm.sprite_distances(sm.descriptors(others), found)[0]
    bad = sm.sprite_distances(sm.descriptors(spoil(others)), found)[0]
    assert best < 0.2 and bad > 2 * best


def test_descriptors_by_hand():
    picture = np.ones((40, 40, 3))
    picture[10:20, 10:14] = (1, 0, 0)  # a red block of 10 x 4
    picture[12:18, 11:13] = 1  # with a hole, which is filled
    picture[30:33, 30:33] = (0, 0, 1)  # and a smaller blue one, which does not count
    area, perimeter, fill, chroma, chroma_sd, luminance_sd, hue = sm.describe(picture)
    assert (area, perimeter, fill) == (40, pytest.approx(28 / 40**0.5), 1)
    assert chroma == pytest.approx(28 / 40) and chroma_sd == pytest.approx((0.7 * 0.3) ** 0.5)
    assert luminance_sd == pytest.approx((1 - 0.299) * (0.7 * 0.3) ** 0.5)
    assert hue == pytest.approx(1)
    assert sm.describe(np.ones((40, 40, 3))) == (0,) * 7


def test_two_opposite_hues_do_not_agree():
    picture = np.ones((10, 10, 3))
    picture[2:8, 2:5], picture[2:8, 5:8] = (1, 0, 0), (0, 1, 1)
    assert sm.describe(picture)[-1] == pytest.approx(0, abs=1e-9)


def test_empty_pictures_have_descriptors():
    white = np.full((3, 3, 40, 40), 255, np.uint8)
    assert not sm.descriptors(white).any()


def test_copies_and_what_is_none(real, others):
    groups = np.arange(len(real))
    nearest, ratio = sm.nearest_sprites(noisy(real)[:20], [real], groups)
    assert nearest.tolist() == list(range(20)) and (ratio < sm.COPY_RATIO).all()
    between = (real[:20] // 2 + real[20:40] // 2).astype(np.uint8)
    assert (sm.nearest_sprites(between, [real], groups)[1] > sm.COPY_RATIO).all()
    assert (sm.nearest_sprites(others, [real], groups)[1] > sm.COPY_RATIO).mean() > 0.98


def test_mirrored_copies_and_forms_of_one_creature(real):
    mirrored = real[:10, :, :, ::-1]
    groups = np.arange(len(real))
    assert (sm.nearest_sprites(mirrored, [real], groups)[1] > sm.COPY_RATIO).any()
    ratio = sm.nearest_sprites(mirrored, [real, real[..., ::-1]], groups)[1]
    assert (ratio < 1e-4).all()
    twice, numbers = np.concatenate([real, real]), np.concatenate([groups, groups])
    assert (sm.nearest_sprites(real[:10], [twice], numbers)[1] < 1e-4).all()
    assert (sm.nearest_sprites(real[:10], [real], groups * 0)[1] == 1).all()


def test_overlap_of_silhouettes(real):
    masks = sm.silhouettes(real[:30])
    assert sm.overlap(masks[:5], [masks]) == pytest.approx(np.ones(5))
    assert (sm.overlap(masks[:5], [masks[5:]]) < 1).all()
    assert sm.overlap(masks[:1, :, ::-1], [masks, masks[..., ::-1]]).max() <= 1


def test_real_sprites_against_real_ones(real_sprites):
    pixels = load_sprites(real_sprites).pixels.numpy()
    held_out, train = pixels[::10], np.delete(pixels, np.s_[::10], 0)
    distance = sm.sprite_distances(sm.descriptors(held_out), sm.descriptors(train))[0]
    assert distance < 0.25


@pytest.fixture(scope="module")
def measured(real, others):
    sets = {"others": others[:60], "copies": real[:60], "blurred": blurred(others[:60])}
    return sm.measure(sets, real, groups=np.arange(len(real)), raw=("blurred",))


def test_all_measures_of_a_set(measured):
    for name in ("sprite_distance", "swd"):
        assert measured["others"][name][0] < measured["blurred"][name][0]
    assert measured["copies"]["copies"] == [1, 1, 1] and measured["others"]["copies"][0] < 0.1
    assert measured["copies"]["overlap"][0] == pytest.approx(1)
    for row in measured.values():
        parts = [row[name][0] for name in sm.DESCRIPTORS]
        assert row["sprite_distance"][0] == pytest.approx(np.mean(parts))
        assert row["pictures"] == 60 and row["swd"][1] <= row["swd"][0] <= row["swd"][2]


def test_the_table_has_a_line_per_set(measured):
    lines = sm.table(measured).splitlines()
    assert len(lines) == 2 + 3 and len({line.count("|") for line in lines}) == 1
    assert lines[0].startswith("| | pictures | sprite distance | area |")


def test_turned_hues_are_variants(real):
    copies = list(sm.variants(real[:3], turned=True))
    assert len(copies) == 2 * sm.TURNS and len(list(sm.variants(real[:3], turned=False))) == 2
    assert np.array_equal(copies[0], real[:3]) and np.array_equal(copies[1], real[:3, ..., ::-1])


def test_ratios_are_of_the_nearest_two_of_all_blocks(monkeypatch):
    monkeypatch.setattr(sm, "BLOCK", 2)
    sprites = np.array([0, 51, 255, 102, 204], np.uint8).reshape(5, 1, 1, 1)
    samples = np.array([0.0, 0.25, 0.9]).reshape(3, 1, 1, 1)
    expected = [0, (0.05 / 0.15) ** 2, 1]
    nearest, ratio = sm.nearest_sprites(samples, [sprites], np.arange(5))
    assert ratio.tolist() == pytest.approx(expected, abs=1e-4)
    assert nearest[:2].tolist() == [0, 1] and nearest[2] in (2, 4)
