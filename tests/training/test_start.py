import numpy as np
import pytest
import torch
from torch import nn

from model import VAE, initialize_from_data
from utils.data_utils import built_in_sprites, to_float
from utils.training import start
from utils.training.draws import SOLVE
from utils.training.engine import evaluate
from utils.training.start import start_as_pca, start_solved

SHRUNK = torch.eye(24, 25, dtype=torch.float64)  # rows that shrink 24 weights, and no bias


@pytest.fixture(scope="module")
def monsters():
    return built_in_sprites(40).pixels


def random_start(sprites, hidden_size=64, latent_size=8):
    torch.manual_seed(0)
    model = VAE(sprites.shape[-1], hidden_size, latent_size)
    initialize_from_data(model, sprites)
    return model


def started(sprites, hidden_size=64, latent_size=8, noise_variance=1 / 20):
    model = random_start(sprites, hidden_size, latent_size)
    start_as_pca(model, sprites, noise_variance)
    return model


def solved(sprites, hidden_size=64, latent_size=8, seed=0):
    model = random_start(sprites, hidden_size, latent_size)
    start_solved(model, sprites, seed)
    return model


def all_finite(model, sprites, held_out):
    """Return whether weights are, and losses with z drawn, also of sprites that are not known."""
    losses = [
        evaluate(model, part, torch.ones(len(part), model.latent_size))
        for part in (sprites, held_out)
    ]
    return all(value.isfinite().all() for value in [*model.state_dict().values(), *losses])


def test_the_encoder_is_that_of_probabilistic_pca(monsters):
    model = started(monsters)
    x = monsters.flatten(1).double() / 255
    deviation = x - x.mean(0)
    _, singular, components = torch.linalg.svd(deviation, full_matrices=False)
    variance = singular[:8] ** 2 / len(x)
    with torch.no_grad():
        model.encoder[9].weight[:, 16:] = 0  # of the random units, which play along a little
        mu, logvar = model.encode(monsters.float() / 255)
    # W = V sqrt(v), M = I + W^T W / s: the posterior is N(M^-1 W^T (x - mean) / s, M^-1).
    expected = (deviation @ components[:8].T) * variance.sqrt() * 20 / (1 + 20 * variance)
    signs = (mu.double() * expected).sum(0).sign()
    assert torch.allclose(mu.double() * signs, expected, atol=1e-2)
    assert torch.allclose(logvar.double(), -(1 + 20 * variance).log().expand(792, 8), atol=1e-2)


def test_training_starts_far_ahead_of_the_mean_sprite(monsters):
    model = started(monsters, hidden_size=256, latent_size=16)
    x = monsters.flatten(1).float() / 255
    mean_sprite = (x - x.mean(0)).square().sum(1).mean()
    assert evaluate(model, monsters)[1] < 0.85 * mean_sprite


def test_all_other_units_start_as_they_were(monsters):
    model, plain = started(monsters), random_start(monsters)
    for index in (1, 3, 5, 7):
        ours, theirs = model.encoder[index].weight, plain.encoder[index].weight
        columns = slice(None) if index == 1 else slice(16, None)
        assert torch.equal(ours[16:, columns], theirs[16:, columns])


@pytest.mark.parametrize("begin", [started, solved])
@pytest.mark.parametrize(
    ("hidden_size", "latent_size", "count", "size"),
    [
        (5, 8, 99, 40),  # a layer narrower than twice the latents
        (1, 8, 2, 1),
        (64, 8, 8, 40),  # fewer components than latents
        (64, 8, 2, 40),
        (64, 8, 1, 40),
        (64, 8, 99, 1),
        (64, 1, 99, 40),
        (64, 2, 99, 40),
    ],
)
def test_where_less_fits_less_is_carried(
    monsters, begin, hidden_size, latent_size, count, size, capsys
):
    sprites, held_out = monsters[:, :, -size:, -size:].split([count, len(monsters) - count])
    assert all_finite(begin(sprites, hidden_size, latent_size), sprites, held_out)
    carried = min(hidden_size // 2, count - 1, latent_size)
    is_said = f"{carried} components for {latent_size} latents" in capsys.readouterr().out
    assert is_said == (carried < latent_size)


@pytest.mark.parametrize("begin", [started, solved])
@pytest.mark.parametrize("count", [1, 2, 20])
def test_equal_sprites_start_finite(monsters, begin, count):
    for sprite in (monsters[5], torch.full_like(monsters[5], 200)):
        sprites = sprite.expand(count, -1, -1, -1)
        model = begin(sprites)
        assert all_finite(model, sprites, monsters)
        assert model.encode(to_float(monsters))[0].abs().max() < 1e3  # no rounding is blown up


def test_without_noise_it_is_still_finite(monsters):
    assert all_finite(started(monsters, noise_variance=0.0), monsters, monsters)


def test_the_means_of_a_solved_start_are_whitened_components(monsters):
    mu, logvar = solved(monsters).encode(to_float(monsters))
    covariance = mu.T @ mu / len(mu)
    assert torch.allclose(covariance, torch.eye(8), atol=0.02)
    assert torch.equal(logvar, torch.full_like(logvar, 2 * np.log(start.SIGMA)))
    expected, _ = started(monsters).encode(to_float(monsters))
    correlation = nn.functional.cosine_similarity(mu, expected, dim=0)
    assert correlation.min() > 0.98  # each of a latent of its own


def test_latents_without_a_component_are_constant(monsters):
    mu, logvar = solved(monsters[:4]).encode(to_float(monsters))
    assert torch.equal(logvar, torch.full_like(logvar, 2 * np.log(start.SIGMA)))
    assert mu[:, 3:].abs().max() == 0 and mu[:, :3].std(0).min() > 0.1


def test_more_units_than_sprites_and_no_noise_are_exact_to_the_margin(monsters, monkeypatch):
    monkeypatch.setattr(start, "DRAWS", 0)
    monkeypatch.setattr(start, "RIDGE", 1e-10)
    sprites = monsters[:50]
    model = solved(sprites, hidden_size=128)
    x = to_float(sprites)
    recon = model.decode(model.encode(x)[0])
    assert torch.allclose(recon, x.clamp(start.MARGIN, 1 - start.MARGIN), atol=2e-4)
    assert evaluate(solved(sprites, hidden_size=16), sprites)[1] > 5  # fewer units cannot


def test_it_is_ridge_regression(monsters, monkeypatch):
    monkeypatch.setattr(start, "DRAWS", 1)
    monkeypatch.setattr(start, "RIDGE", 1e-2)
    sprites = monsters[:40]
    model = solved(sprites, hidden_size=24, seed=3)
    # By the rows of its definition instead of normal equations.
    mu, logvar = model.encode(to_float(sprites))
    eps = np.random.default_rng((3, *SOLVE)).standard_normal((40, 2, 8), np.float32)[:, 1]
    z = torch.cat([mu, model.reparameterize(mu, logvar, torch.from_numpy(eps))])
    features = model.decoder[:-1](z).detach().double()
    ridge = start.RIDGE * (features.square().sum() + len(features)) / 25
    rows = torch.cat([nn.functional.pad(features, (0, 1), value=1.0), ridge.sqrt() * SHRUNK])
    x = to_float(sprites).flatten(1).double().clamp(start.MARGIN, 1 - start.MARGIN)
    goals = torch.cat([torch.logit(x), torch.logit(x), torch.zeros(24, x.shape[1])])
    expected = torch.linalg.lstsq(rows, goals).solution.float()
    assert torch.allclose(model.decoder[-1].weight, expected[:-1].T, atol=1e-4)
    assert torch.allclose(model.decoder[-1].bias, expected[-1], atol=1e-4)


def test_blocks_give_the_same_solution(monsters, monkeypatch):
    monkeypatch.setattr(start, "RIDGE", 1e-3)  # with less, rounding shows in the weights
    sprites = monsters[:100]
    whole = solved(sprites).decoder[-1].weight
    monkeypatch.setattr(start, "BLOCK", 7)
    assert torch.allclose(solved(sprites).decoder[-1].weight, whole, atol=1e-3)
    assert not torch.allclose(solved(sprites, seed=1).decoder[-1].weight, whole, atol=1e-1)


def test_two_solved_starts_have_the_same_bits(monsters):
    one, other = solved(monsters[:100]).state_dict(), solved(monsters[:100]).state_dict()
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_solved_start_is_sharp(monsters):
    sprites = monsters[:200]
    noise = torch.randn(200, 8, generator=torch.Generator().manual_seed(1))
    start_as_solved = solved(sprites, hidden_size=256)
    assert evaluate(start_as_solved, sprites)[1] < 1  # 37 dB
    assert (
        evaluate(start_as_solved, sprites, noise)[1] < 0.1 * evaluate(started(sprites), sprites)[1]
    )
