"""Hybrids: each parent shows a band of its own rows, as high as its weight."""

import pytest
import torch

from utils.sprites.hybrid import hybrids, layouts


def sprite(top, bottom, value, side=8):
    picture = torch.full((3, side, side), 255, dtype=torch.uint8)
    picture[:, top:bottom, 2:6] = value
    return picture


SPRITES = torch.stack([sprite(0, 8, 10), sprite(2, 6, 20), sprite(4, 8, 30), sprite(0, 0, 0)])


def made(parents, weights, sprites=SPRITES):
    """Return a hybrid whose bands are in the order of the set."""
    parents, weights = torch.tensor([parents]), torch.tensor([weights])
    in_order = torch.column_stack([layouts(sprites)[:, :2], torch.arange(len(sprites))])
    return hybrids(sprites, in_order, parents, weights)[0]


def test_layouts_are_the_rows_in_which_a_sprite_is_drawn_and_its_rank():
    x = SPRITES.flatten(1).float()
    distances = (x - x.mean(0)).norm(dim=1)
    assert distances.argsort(descending=True).tolist() == [0, 3, 1, 2]
    assert layouts(SPRITES).tolist() == [[0, 8, 0], [2, 6, 2], [4, 8, 3], [0, 8, 1]]


def test_ties_keep_the_order_of_the_set():
    many = layouts(SPRITES.repeat(600, 1, 1, 1))  # more than are looked at at once
    assert torch.equal(many[-4:, :2], layouts(SPRITES)[:, :2])
    for sprite, rank in enumerate((0, 2, 3, 1)):
        assert many[sprite::4, 2].tolist() == list(range(rank * 600, (rank + 1) * 600))


def test_the_mean_can_be_of_other_sprites():
    assert layouts(SPRITES, SPRITES[3:])[:, 2].tolist() == [0, 1, 2, 3]
    assert layouts(SPRITES, SPRITES[[0, 0, 3]])[:, 2].tolist() == [3, 1, 2, 0]


def test_the_sprite_further_from_the_mean_is_on_top():
    halves = torch.full((1, 2), 0.5)
    for parents in ([1, 3], [3, 1]):
        (found,) = hybrids(SPRITES, layouts(SPRITES), torch.tensor([parents]), halves)
        assert torch.equal(found[:, :4], SPRITES[3][:, :4])
        assert torch.equal(found[:, 4:], SPRITES[1][:, 4:])


@pytest.mark.parametrize("own", range(4))
@pytest.mark.parametrize("other", range(4))
def test_all_the_weight_on_one_parent_is_that_sprite(own, other):
    assert torch.equal(made([own, other], [1.0, 0.0]), SPRITES[own])
    assert torch.equal(made([other, own], [0.0, 1.0]), SPRITES[own])
    assert torch.equal(made([own, own, other, own], [0.2, 0.3, 0.0, 0.5]), SPRITES[own])


def test_the_first_is_on_top_in_proportion_to_its_weight():
    found = made([0, 2], [0.25, 0.75])
    assert torch.equal(found[:, :2], SPRITES[0][:, :2])
    assert torch.equal(found[:, 2:], SPRITES[2][:, 2:])
    assert torch.equal(made([2, 0], [0.75, 0.25]), found)
    # The rows that are divided are those of both: of 2 to 8, the middle is 5.
    halfway = made([2, 1], [0.5, 0.5])
    assert torch.equal(halfway[:, :5], SPRITES[1][:, :5])
    assert torch.equal(halfway[:, 5:], SPRITES[2][:, 5:])


def test_three_and_four_parents_make_as_many_bands():
    found = made([2, 0, 1], [0.25, 0.5, 0.25])
    for rows, parent in ((slice(0, 4), 0), (slice(4, 6), 1), (slice(6, 8), 2)):
        assert torch.equal(found[:, rows], SPRITES[parent][:, rows])
    found = made([3, 2, 1, 0], [0.25] * 4)
    assert torch.equal(found[:, 6:], SPRITES[3][:, 6:]) and found[0, 5, 3] == 30


def test_parents_without_weight_do_not_count():
    for weights in ([0.5, 0.5, 0.0, 0.0], [0.25, 0.75, 0.0, 0.0]):
        two = made([1, 2], weights[:2])
        assert torch.equal(made([1, 2, 0, 3], weights), two)
        assert torch.equal(made([3, 2, 0, 1], [0.0, weights[1], 0.0, weights[0]]), two)
    faint = SPRITES.clone()
    faint[2, :, 1] = 250  # a row above the box that is too faint to be seen
    assert torch.equal(made([0, 2], [0.0, 1.0], faint), faint[2])


def test_a_band_shows_the_same_in_whatever_company():
    torch.manual_seed(0)
    sprites = torch.randint(0, 200, (5, 3, 8, 8), dtype=torch.uint8)
    assert torch.equal(made([1, 3], [0.5, 0.5], sprites)[:, :4], sprites[1][:, :4])
    assert torch.equal(made([1, 4], [0.5, 0.5], sprites)[:, :4], sprites[1][:, :4])


def test_many_at_once_are_as_one_by_one():
    torch.manual_seed(0)
    parents, weights = torch.randint(0, 4, (20, 4)), torch.rand(20, 4)
    weights /= weights.sum(1, keepdim=True)
    together = hybrids(SPRITES, layouts(SPRITES), parents, weights)
    for row in range(20):
        alone = hybrids(SPRITES, layouts(SPRITES), parents[row, None], weights[row, None])
        assert torch.equal(together[row], alone[0])
    assert together.dtype == torch.uint8 and together.shape == (20, 3, 8, 8)
