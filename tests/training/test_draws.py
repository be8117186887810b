import pytest
import torch

from utils.data_utils import split
from utils.sprites.names import number_of
from utils.training.draws import epoch_draws, held_out_noise, prior_noise

SIZES = {"num_sprites": 1000, "batch_size": 256, "latent_size": 16}


def test_an_epoch_visits_each_sprite_at_most_once_in_full_batches():
    order, eps, _ = epoch_draws(41, 7, **SIZES)
    assert order.shape == (3, 256) and eps.shape == (3, 256, 16)
    assert len(order.unique()) == 768 and order.min() >= 0 and order.max() < 1000


def test_a_small_set_is_one_batch_of_its_own_size():
    order, eps, _ = epoch_draws(41, 0, num_sprites=5, batch_size=256, latent_size=2)
    assert sorted(order[0].tolist()) == [0, 1, 2, 3, 4]
    assert eps.shape == (1, 5, 2)


def test_draws_depend_on_seed_and_epoch_alone():
    first = epoch_draws(41, 7, **SIZES, num_uniforms=3)
    torch.manual_seed(0)
    again = epoch_draws(41, 7, **SIZES, num_uniforms=3)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    for seed, epoch in ((41, 8), (42, 7)):
        other = epoch_draws(seed, epoch, **SIZES, num_uniforms=3)
        assert not any(torch.equal(a, b) for a, b in zip(first, other, strict=True))


def test_uniforms_come_last_and_leave_the_rest_as_it_is():
    order, eps, none = epoch_draws(41, 7, **SIZES)
    again, eps_again, uniforms = epoch_draws(41, 7, **SIZES, num_uniforms=5)
    assert torch.equal(order, again) and torch.equal(eps, eps_again)
    assert none.shape == (3, 256, 0) and uniforms.shape == (3, 256, 5)
    assert uniforms.dtype == torch.float32
    assert uniforms.min() >= 0 and uniforms.max() < 1 and abs(uniforms.mean() - 0.5) < 0.02


def test_noise_is_standard_normal_and_each_use_has_its_own():
    _, eps, _ = epoch_draws(41, 0, **SIZES)
    assert abs(eps.mean()) < 0.05 and abs(eps.std() - 1) < 0.05
    first = [eps[0, :100], held_out_noise(41, 100, 16), prior_noise(41, 100, 16)]
    assert not any(torch.equal(first[i], first[j]) for i in range(3) for j in range(i))


@pytest.mark.parametrize(
    ("num_sprites", "ratio", "held_out"),
    [(792, 0.01, 8), (792, 0.1, 79), (10, 0.01, 1), (2, 0.9, 1), (50, 0, 1)],
)
def test_split_sizes(num_sprites, ratio, held_out):
    train, val = split(num_sprites, ratio, 41)
    assert len(val) == held_out
    assert sorted([*train.tolist(), *val.tolist()]) == list(range(num_sprites))


def test_split_depends_on_the_seed_alone():
    assert torch.equal(split(792, 0.01, 1)[1], split(792, 0.01, 1)[1])
    assert not torch.equal(split(792, 0.01, 1)[1], split(792, 0.01, 2)[1])


def test_one_sprite_cannot_be_split():
    with pytest.raises(ValueError, match="at least 2"):
        split(1, 0.01, 41)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("003MMS.png", "3"),
        ("shiny/3.png", "3"),
        ("12_3.png", "12"),
        ("12/dragon.png", "12/dragon.png"),
        ("dragon12.png", "dragon12.png"),
    ],
)
def test_the_number_is_the_one_that_the_file_name_begins_with(name, number):
    assert number_of(name) == number


def test_a_split_by_number_keeps_sprites_of_one_number_together():
    names = [f"{index // 3:03d}{form}.png" for index in range(300) for form in ("A",)]
    names += [f"none{index}.png" for index in range(20)]
    train, val = split(320, 0.1, 41, names)
    assert sorted([*train.tolist(), *val.tolist()]) == list(range(320))
    assert train.tolist() == sorted(train.tolist()) and val.tolist() == sorted(val.tolist())
    numbers = [{number_of(names[index]) for index in part} for part in (train, val)]
    assert not numbers[0] & numbers[1]
    assert len(numbers[1]) == 12  # a tenth of 100 numbers and 20 names without one
    assert torch.equal(split(320, 0.1, 41, names)[1], val)
    assert not torch.equal(split(320, 0.1, 42, names)[1], val)


def test_names_without_numbers_are_split_as_files():
    names = [f"name{index}.png" for index in range(50)]
    assert torch.equal(split(50, 0.1, 3, names)[1], split(50, 0.1, 3)[1])


def test_one_number_cannot_be_split():
    with pytest.raises(ValueError, match="all 2 sprites have one number"):
        split(2, 0.01, 41, ["1a.png", "1b.png"])
