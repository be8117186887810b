import sys

import numpy as np
import pytest
import torch

from model import VAE, initialize_from_data
from utils.cli import InputError
from utils.data_utils import to_float
from utils.sprites import workers
from utils.sprites.hybrid import hybrid
from utils.sprites.monsters import draw_monster
from utils.training import hybrids
from utils.training.draws import epoch_draws, hybrid_draws
from utils.training.engine import Config, Parts, Progress, encode, new_optimizer, train
from utils.training.hybrids import (
    STEPS,
    Hybrids,
    draw_hybrids,
    hybrid_pairs,
    mixtures,
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


def test_a_tenth_of_the_pairs_is_left_out_by_the_seed(pixels):
    groups = np.arange(12)
    taught, left_out = hybrid_pairs(pixels, groups, 1)
    everything = pair_set(hybrids.near_pairs(pixels, groups, hybrids.MOST_PAIRS))
    assert pair_set(taught, left_out) == everything
    assert len(left_out) == len(everything) // 10 > 0
    assert pair_set(left_out) != pair_set(hybrid_pairs(pixels, groups, 2)[1])
    assert pair_set(left_out) == pair_set(hybrid_pairs(pixels, groups, 1)[1])


def test_pictures_of_a_pair_lie_together_and_processes_draw_the_same(pixels, monkeypatch, capsys):
    pairs = np.array([[0, 3], [5, 2], [7, 11]])
    alone = draw_hybrids(pixels, pairs)
    a, b = (np.ascontiguousarray(pixels[i].transpose(1, 2, 0)) for i in pairs[1])
    expected = np.stack([hybrid(a, b, step / 8) for step in range(1, 8)])
    assert np.array_equal(alone[7:14].numpy().transpose(0, 2, 3, 1), expected)

    monkeypatch.setattr(hybrids, "MANY", 2)
    monkeypatch.setattr(hybrids, "CHUNK", 2)
    monkeypatch.setattr(workers, "num_cores", lambda: 2)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(hybrids, "hybrid", None)  # nothing is drawn here
    assert torch.equal(draw_hybrids(pixels, pairs), alone)
    assert "/3 " in capsys.readouterr().err


def test_mixtures_are_of_the_posteriors_of_both_parents():
    pairs = torch.tensor([[0, 1], [2, 0]])
    pictures = torch.arange(2 * STEPS, dtype=torch.uint8).reshape(-1, 1, 1, 1)
    mu, logvar = torch.tensor([[0.0], [8.0], [16.0]]), torch.tensor([[-8.0], [0.0], [0.0]])
    taught = Hybrids(pairs, pictures, (mu, logvar))
    x, (mixed_mu, mixed_logvar) = mixtures(taught, torch.tensor([0, 6, STEPS + 2]))
    assert mixed_mu.flatten().tolist() == [1, 7, 10]  # 1/8 and 7/8 of the way, and 3/8
    assert mixed_logvar.flatten().tolist() == [-7, -1, -3]
    assert torch.equal(x, to_float(pictures[[0, 6, STEPS + 2]]))


def start(pixels, groups=None, seed=0):
    """Return a model whose decoder alone is trained, its optimiser, and all sprites."""
    torch.manual_seed(seed)
    model = VAE(40, 16, 3)
    sprites = torch.from_numpy(pixels)
    initialize_from_data(model, sprites)
    groups = np.arange(len(pixels)) if groups is None else groups
    taught = taught_hybrids(sprites, groups, 41)
    model.encoder.requires_grad_(False)
    return model, new_optimizer(model, 1e-3), Parts(sprites, sprites[:2], taught)


def weights(network):
    return torch.cat([value.flatten() for value in network.state_dict().values()])


def test_a_step_is_of_sprites_and_hybrids_and_leaves_the_encoder_as_it_is(pixels):
    model, optimizer, parts = start(pixels)
    encoder, decoder = weights(model.encoder), weights(model.decoder)
    order, eps, _ = epoch_draws(41, 0, num_sprites=12, batch_size=4, latent_size=3)
    which, more = hybrid_draws(
        41, 0, steps=3, count=8, num_hybrids=len(parts.hybrids.pictures), latent_size=3
    )
    taught = parts.hybrids._replace(posteriors=encode(model, parts.train))
    x, (mu, logvar) = mixtures(taught, which[0])
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
    keys = {"steps": 2, "count": 5, "num_hybrids": 100, "latent_size": 3}
    which, eps = hybrid_draws(1, 2, **keys)
    assert which.shape == (2, 5) and eps.shape == (2, 5, 3) and which.max() < 100
    assert torch.equal(hybrid_draws(1, 2, **keys)[0], which)
    for other in ((2, 2), (1, 3)):
        assert not torch.equal(hybrid_draws(*other, **keys)[0], which)


def test_one_creature_has_no_pairs(pixels):
    with pytest.raises(InputError, match="two creatures"):
        start(pixels, np.zeros(12, int))
