import math

import pytest
import torch

from utils.augment import NUM_UNIFORMS, Strengths, augment, move, turn_hue, whole_steps
from utils.draws import epoch_draws

NOTHING = Strengths(*[0] * len(Strengths()))


@pytest.fixture
def x():
    return torch.rand(5, 3, 8, 8, generator=torch.manual_seed(0))


@pytest.fixture
def uniforms():
    return torch.rand(5, NUM_UNIFORMS, generator=torch.manual_seed(1))


def moved(x, mirror=False, across=0, down=0, width=1.0, height=1.0):
    each = {"across": across, "down": down, "width": width, "height": height}
    each = {name: torch.full((len(x),), float(value)) for name, value in each.items()}
    return move(x, mirror=torch.full((len(x),), mirror), **each)


def turned(x, degrees):
    return turn_hue(x, torch.full((len(x),), math.radians(degrees)))


def test_no_strength_changes_nothing(x, uniforms):
    assert torch.equal(augment(x, uniforms, NOTHING), x)


@pytest.mark.parametrize("name", Strengths._fields)
def test_each_strength_changes_something_alone(x, uniforms, name):
    strengths = NOTHING._replace(**{name: 1})
    assert not torch.equal(augment(x, uniforms, strengths), x)


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
    assert (augment(white, uniforms) == 1).all()


def test_shifts_are_equally_likely():
    steps = whole_steps(torch.rand(70000, generator=torch.manual_seed(0)), 3)
    values, counts = steps.unique(return_counts=True)
    assert values.tolist() == [-3, -2, -1, 0, 1, 2, 3]
    assert counts.min() > 9500 and counts.max() < 10500
    below_one = torch.tensor(1.0).nextafter(torch.tensor(0.0))
    assert whole_steps(below_one, 3) == 3


def test_it_is_a_function_of_its_arguments(x, uniforms):
    first = augment(x, uniforms)
    torch.manual_seed(7)
    before = x.clone()
    assert torch.equal(augment(x, uniforms), first) and torch.equal(x, before)
    assert first.shape == x.shape and first.min() >= 0 and first.max() <= 1
    one_by_one = [augment(x[i : i + 1], uniforms[i : i + 1]) for i in range(5)]
    assert torch.equal(torch.cat(one_by_one), first)  # a sprite does not depend on its batch


def test_an_epoch_draws_what_it_takes(x):
    *_, uniforms = epoch_draws(
        41, 3, num_sprites=5, batch_size=5, latent_size=2, num_uniforms=NUM_UNIFORMS
    )
    assert augment(x, uniforms[0]).shape == x.shape
