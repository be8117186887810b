import numpy as np
import pytest
import torch

from model import VAE, initialize_from_data
from utils.cli import InputError
from utils.data_utils import to_float
from utils.sprites.hybrid import hybrids, layouts
from utils.sprites.monsters import draw_monster
from utils.sprites.near import nearest_others, pairs_among
from utils.training import hybrids as hybrids_module
from utils.training.draws import HybridDraws, epoch_draws, hybrid_draws
from utils.training.engine import Config, Parts, Progress, encode, new_optimizer, train
from utils.training.hybrids import (
    Hybrids,
    hybrid_pairs,
    mixtures,
    parents_of,
    taught_hybrids,
)

CONFIG = Config(epochs=2, batch_size=4, lr=1e-3, hybrids=2)


@pytest.fixture(scope="module")
def pixels():
    """Twelve monsters on white, uint8 (12, 3, 40, 40)."""
    rgba = np.stack([draw_monster(index) for index in range(12)]).astype(np.uint16)
    alpha = rgba[..., 3:]
    rgb = (rgba[..., :3] * alpha + 255 * (255 - alpha)) // 255
    return rgb.astype(np.uint8).transpose(0, 3, 1, 2).copy()


def pair_set(*arrays):
    return {tuple(pair) for pairs in arrays for pair in pairs.tolist()}


def test_a_tenth_of_the_pairs_is_left_out(pixels):
    groups = np.arange(12)
    taught, left_out = hybrid_pairs(pixels, groups)
    assert len(taught) + len(left_out) == 12 * 11 // 2  # there are fewer than are mixed
    assert len(left_out) == 7 and (left_out.sum(1) % 10 == 9).all()
    assert pair_set(taught).isdisjoint(pair_set(left_out))
    sprites = torch.from_numpy(pixels)
    assert pair_set(taught_hybrids(sprites, groups).pairs) == pair_set(taught)


def test_the_nearest_pairs_are_sampled_and_measured(pixels, monkeypatch):
    sprites, groups = torch.from_numpy(pixels), np.arange(12)
    monkeypatch.setattr(hybrids_module, "NEAREST", 3)
    nearest = pair_set(pairs_among(nearest_others(pixels, groups, 3)))
    taught = taught_hybrids(sprites, groups)
    assert taught.near.shape == (12, 11)
    assert pair_set(*hybrid_pairs(pixels, groups)) == nearest
    assert pair_set(taught.pairs) == {pair for pair in nearest if sum(pair) % 10 != 9}


def test_no_two_parents_are_a_pair_that_is_left_out(pixels, monkeypatch):
    monkeypatch.setattr(hybrids_module, "NEAR", 12)
    many = np.concatenate([pixels, 255 - pixels, pixels // 2, pixels[:, ::-1]])
    taught = taught_hybrids(torch.from_numpy(many), np.arange(48))
    draws, _ = hybrid_draws(1, 0, shape=(3000,), near=taught.near.shape, latent_size=0)
    parents = parents_of(taught, draws)
    sums = parents[:, :, None] + parents[:, None]
    different = parents[:, :, None] != parents[:, None]
    assert not (different & (sums % 10 == 9)).any()
    assert torch.equal(parents[:, 0], draws.first)
    near = nearest_others(many, np.arange(48), 12)
    assert all(set(row.tolist()) <= {row[0].item(), *near[row[0]]} for row in parents)
    assert (parents[:, 1:] == parents[:, :1]).float().mean() < 0.25


def test_mixtures_are_of_the_posteriors_of_the_parents():
    sprites = torch.randint(0, 250, (3, 3, 8, 8), dtype=torch.uint8)
    mu, logvar = torch.tensor([[0.0], [8.0], [16.0]]), torch.tensor([[-8.0], [0.0], [4.0]])
    near = torch.tensor([[1, 2], [0, 2], [0, 1]])
    taught = Hybrids(torch.tensor([[0, 1], [0, 2], [1, 2]]), near, layouts(sprites), (mu, logvar))
    draws = HybridDraws(
        torch.tensor([0, 2]),
        torch.tensor([[0, 1, 1], [1, 0, 0]]),
        torch.tensor([[0.25, 0.75, 0.0, 0.0], [0.5, 0.25, 0.25, 0.0]]),
    )
    x, (mixed_mu, mixed_logvar) = mixtures(sprites, taught, draws)
    assert mixed_mu.flatten().tolist() == [6, 10] and mixed_logvar.flatten().tolist() == [-2, 0]
    parents = torch.tensor([[0, 1, 2, 2], [2, 1, 0, 0]])
    assert torch.equal(x, to_float(hybrids(sprites, taught.layout, parents, draws.weights)))


def start(pixels, groups=None, seed=0):
    """Return a model whose decoder alone is trained, its optimiser, and all sprites."""
    torch.manual_seed(seed)
    model = VAE(40, 16, 3)
    sprites = torch.from_numpy(pixels)
    initialize_from_data(model, sprites)
    groups = np.arange(len(pixels)) if groups is None else groups
    taught = taught_hybrids(sprites, groups)
    model.encoder.requires_grad_(False)
    return model, new_optimizer(model, 1e-3), Parts(sprites, sprites[:2], taught)


def weights(network):
    return torch.cat([value.flatten() for value in network.state_dict().values()])


def test_a_step_is_of_sprites_and_hybrids_and_leaves_the_encoder_as_it_is(pixels):
    model, optimizer, parts = start(pixels)
    encoder, decoder = weights(model.encoder), weights(model.decoder)
    order, eps, _ = epoch_draws(41, 0, num_sprites=12, batch_size=4, latent_size=3)
    draws, more = hybrid_draws(41, 0, shape=(3, 8), near=parts.hybrids.near.shape, latent_size=3)
    taught = parts.hybrids._replace(posteriors=encode(model, parts.train))
    some = HybridDraws(*(part[0] for part in draws))
    x, (mu, logvar) = mixtures(parts.train, taught, some)
    mu, logvar = (
        torch.cat([own[order[0]], mixed])
        for own, mixed in zip(taught.posteriors, (mu, logvar), strict=True)
    )
    z = model.reparameterize(mu, logvar, torch.cat([eps[0], more[0]]))
    x = torch.cat([to_float(parts.train[order[0]]), x])
    expected = (model.decode(z) - x).square().sum() / 12

    progress = Progress()
    stop_after_one = iter([False, True])
    list(train(model, optimizer, parts, CONFIG, progress, lambda: next(stop_after_one)))
    assert progress.totals[1].item() == pytest.approx(expected.item(), rel=1e-5)
    list(train(model, optimizer, parts, CONFIG, Progress()))
    assert torch.equal(weights(model.encoder), encoder)
    assert not torch.equal(weights(model.decoder), decoder)


def test_a_run_that_stops_within_an_epoch_comes_out_as_an_unbroken_one(pixels):
    whole, optimizer, parts = start(pixels)
    list(train(whole, optimizer, parts, CONFIG, Progress()))

    model, optimizer, parts = start(pixels)
    progress = Progress()
    answers = iter([False] * 4 + [True])
    list(train(model, optimizer, parts, CONFIG, progress, lambda: next(answers)))
    assert (progress.epoch, progress.step) == (1, 1)
    twin, other, parts = start(pixels, seed=1)  # which its weights of the start come from
    twin.load_state_dict(model.state_dict())
    other.load_state_dict(optimizer.state_dict())
    list(train(twin, other, parts, CONFIG, progress))
    assert torch.equal(weights(whole), weights(twin))


def test_draws_depend_on_seed_and_epoch_alone():
    keys = {"shape": (2, 500), "near": (100, 7), "latent_size": 3}
    draws, eps = hybrid_draws(1, 2, **keys)
    assert eps.shape == (2, 500, 3)
    assert draws.first.shape == (2, 500) and draws.first.max() == 99
    assert draws.others.shape == (2, 500, 3) and draws.others.max() == 6
    weights = draws.weights
    assert weights.shape == (2, 500, 4) and weights.dtype == torch.float32
    assert torch.allclose(weights.sum(2), torch.ones(2, 500))
    in_eighths = (weights * 8 % 1 == 0).all(2)
    third = torch.tensor(1 / 3)
    assert ((weights[~in_eighths] == third) == torch.tensor([True, True, True, False])).all()
    assert 0 < (~in_eighths).float().mean() < 0.06  # equal parts of three: 1 / 48
    two = weights[weights[..., 2:].sum(2) == 0]
    assert len(two) / 1000 == pytest.approx(0.836, abs=0.05)
    halves = 1 / 4 + 3 / 4 * 70 / 256
    assert (two[:, 0] == 0.5).float().mean().item() == pytest.approx(halves, abs=0.06)
    assert (weights[..., 3] > 0).float().mean().item() == pytest.approx(0.077, abs=0.04)
    assert torch.equal(hybrid_draws(1, 2, **keys)[0].weights, weights)
    for other in ((2, 2), (1, 3)):
        assert not torch.equal(hybrid_draws(*other, **keys)[0].first, draws.first)


def test_one_creature_has_no_pairs(pixels):
    with pytest.raises(InputError, match="no pair to teach"):
        start(pixels, np.zeros(12, int))


def test_all_pairs_may_be_left_out():
    # Ten sprites of two creatures; the nearest of sprite i, by grey, is 9 - i.
    greys = torch.tensor([10, 60, 110, 160, 210, 211, 161, 111, 61, 11], dtype=torch.uint8)
    sprites = greys[:, None, None, None].expand(10, 3, 4, 4).contiguous()
    with pytest.raises(InputError, match="no pair to teach"):
        taught_hybrids(sprites, np.arange(10) // 5)
