import math

import pytest
import torch

from utils.training.augment import (
    MIRROR,
    Augmentation,
    Uniforms,
    faded,
    move,
    paste,
    turn_hue,
    whole_steps,
)
from utils.training.draws import epoch_draws

DEFAULT = Augmentation()
NOTHING = Augmentation(*[0] * len(DEFAULT))


@pytest.fixture
def x():
    return torch.rand(5, 3, 8, 8, generator=torch.manual_seed(0))


@pytest.fixture
def uniforms():
    return torch.rand(5, DEFAULT.num_uniforms, generator=torch.manual_seed(1))


def moved(x, mirror=False, bend=None, **given):
    """Return sprites that are all moved alike; what is not given changes nothing."""
    names = ("across", "down", "width", "height", "angle", "shear")
    each = dict.fromkeys(names, 0.0) | {"width": 1.0, "height": 1.0} | given
    each = {name: torch.full((len(x),), float(value)) for name, value in each.items()}
    if bend is None:
        bend = torch.zeros(len(x), 2, 8, 8)
    return move(x, mirror=torch.full((len(x),), mirror), bend=bend, **each)


def turned(x, degrees):
    return turn_hue(x, torch.full((len(x),), math.radians(degrees)))


def test_no_strength_changes_nothing(x, uniforms):
    assert torch.equal(NOTHING(x, uniforms), x)
    uniforms[:] = 0.5  # the middle of each change, and no share
    assert torch.equal(DEFAULT(x, uniforms), x)


@pytest.mark.parametrize("name", Augmentation._fields)
def test_each_strength_changes_something_alone(x, uniforms, name):
    strengths = NOTHING._replace(**{name: 30 if name == "rotate" else 1})
    assert not torch.equal(strengths(x, uniforms), x)


def test_all_changes_together_mirror_as_well(x):
    uniforms = torch.full((5, DEFAULT.num_uniforms), 0.5)
    uniforms[:3, Uniforms._fields.index("is_mirrored")] = 0.0
    assert torch.equal(DEFAULT(x, uniforms), torch.cat([x[:3].flip(3), x[3:]]))


def test_mirror_alone_takes_one_number_and_never_fades(x):
    assert MIRROR.num_uniforms == 1
    uniforms = torch.tensor([0.0, 0.49, 0.5, 0.9, 0.1])[:, None]
    expected = torch.stack([x[0].flip(2), x[1].flip(2), x[2], x[3], x[4].flip(2)])
    for done in (0.0, 0.9):
        assert torch.equal(MIRROR(x, uniforms, done), expected)


def test_mirror_twice_is_the_sprite(x):
    once = moved(x, mirror=True)
    assert torch.equal(once, x.flip(3))
    assert torch.equal(moved(once, mirror=True), x)


@pytest.mark.parametrize(("across", "down"), [(2, 0), (-3, 1), (0, -8)])
def test_a_shift_brings_in_white(x, across, down):
    expected = torch.ones_like(x)
    for row in range(8):
        for column in range(8):
            if 0 <= row + down < 8 and 0 <= column + across < 8:
                expected[:, :, row + down, column + across] = x[:, :, row, column]
    assert torch.equal(moved(x, across=across, down=down), expected)


def test_twice_as_large_shows_the_middle_and_half_as_large_has_a_white_border(x):
    large = moved(x, width=2, height=2)
    assert torch.equal(large[:, :, ::2, ::2], x[:, :, 2:6, 2:6])
    assert torch.equal(large[:, :, ::2], large[:, :, 1::2])
    small = moved(x, height=0.4)
    assert (small[:, :, [0, 1, 6, 7]] == 1).all() and (small[:, :, 2:6] < 1).all()


@pytest.mark.parametrize(("degrees", "quarters"), [(90, -1), (180, 2), (-90, 1)])
def test_a_sprite_turns_clockwise_about_its_centre(x, degrees, quarters):
    expected = x.rot90(quarters, dims=(2, 3))
    assert torch.equal(moved(x, angle=math.radians(degrees)), expected)


def test_a_sheared_sprite_has_its_rows_shifted_and_a_bent_one_its_pixels(x):
    sheared = moved(x, shear=2)
    for row, left in enumerate(range(-7, 8, 2)):
        row = slice(row, row + 1)
        assert torch.equal(sheared[:, :, row], moved(x, across=-left)[:, :, row])
    bend = torch.zeros(5, 2, 8, 8)
    bend[:, 0, 3, 4], bend[:, 1, 3, 4] = 2, -1
    bent = moved(x, bend=bend)
    assert torch.equal(bent[:, :, 3, 4], x[:, :, 5, 3])
    bent[:, :, 3, 4] = x[:, :, 3, 4]
    assert torch.equal(bent, x)


def test_a_band_of_the_sprite_before_is_pasted(x):
    pasted = torch.tensor([True, True, True, False, True])
    width = torch.tensor([0.999, 0.999, 0.999, 0.999, 0.0])  # 4 of 8 lines, and 1 of 8
    place = torch.tensor([0.0, 0.5, 0.999, 0.2, 0.499])
    expected = x.clone()
    expected[0, :, :, :4] = x[4, :, :, :4]
    expected[1, :, :4] = x[0, :, :4]
    expected[2, :, 4:] = x[1, :, 4:]
    expected[4, :, :, 7] = x[3, :, :, 7]
    assert torch.equal(paste(x, pasted, width, place), expected)


def test_strengths_fall_towards_the_end_of_a_run(x, uniforms):
    assert faded(DEFAULT, 0.0) == faded(DEFAULT, 0.4) == DEFAULT
    assert faded(DEFAULT, 0.7).shift == pytest.approx(0.6 * DEFAULT.shift)
    assert faded(DEFAULT, 1.0) == pytest.approx([0.2 * strength for strength in DEFAULT])
    late = DEFAULT(x, uniforms, 0.9)
    assert torch.equal(late, faded(DEFAULT, 0.9)(x, uniforms))
    assert not torch.equal(late, DEFAULT(x, uniforms))


def test_hue_keeps_grey_white_and_the_mean_of_the_channels(x):
    grey = x.mean(1, keepdim=True).expand_as(x)
    assert torch.allclose(turned(grey, 77), grey, atol=1e-6)
    assert (turned(torch.ones_like(x), 77) == 1).all()
    pale = 0.4 + 0.2 * x  # so that nothing is clipped
    assert torch.allclose(turned(pale, 77).mean(1), pale.mean(1), atol=1e-6)
    assert not torch.allclose(turned(pale, 77), pale, atol=1e-2)


def test_a_third_of_a_turn_permutes_the_channels(x):
    assert torch.allclose(turned(x, 120), x[:, [2, 0, 1]], atol=1e-5)
    assert torch.allclose(turned(turned(x, 120), 240), x, atol=1e-5)


def test_white_stays_white(uniforms):
    white = torch.ones(5, 3, 8, 8)
    assert (DEFAULT(white, uniforms) == 1).all()


@pytest.mark.parametrize(
    ("most", "shares"),
    [
        (3, [1 / 7] * 7),
        (0.25, [1 / 6, 2 / 3, 1 / 6]),
        (0, [1]),
        (1.5, [1 / 8, 1 / 4, 1 / 4, 1 / 4, 1 / 8]),
    ],
)
def test_shifts_are_as_likely_as_their_strength_says(most, shares):
    steps = whole_steps(torch.rand(70000, generator=torch.manual_seed(0)), most)
    values, counts = steps.unique(return_counts=True)
    furthest = len(shares) // 2
    assert values.tolist() == list(range(-furthest, furthest + 1))
    assert (counts / 70000 - torch.tensor(shares)).abs().max() < 0.01
    ends = torch.tensor([0.0, torch.tensor(1.0).nextafter(torch.tensor(0.0))])
    assert whole_steps(ends, most).abs().tolist() == [furthest, furthest]


def test_it_is_a_function_of_its_arguments(x, uniforms):
    first = DEFAULT(x, uniforms)
    torch.manual_seed(7)
    before = x.clone()
    assert torch.equal(DEFAULT(x, uniforms), first) and torch.equal(x, before)
    assert first.shape == x.shape and first.min() >= 0 and first.max() <= 1


def test_a_sprite_of_which_nothing_is_pasted_does_not_depend_on_its_batch(x, uniforms):
    uniforms[:, Uniforms._fields.index("is_pasted")] = 1
    one_by_one = [DEFAULT(x[i : i + 1], uniforms[i : i + 1]) for i in range(5)]
    assert torch.equal(torch.cat(one_by_one), DEFAULT(x, uniforms))


def test_an_epoch_draws_what_it_takes(x):
    *_, uniforms = epoch_draws(
        41, 3, num_sprites=5, batch_size=5, latent_size=2, num_uniforms=DEFAULT.num_uniforms
    )
    assert DEFAULT(x, uniforms[0]).shape == x.shape
