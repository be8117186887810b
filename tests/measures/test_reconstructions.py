import math

import pytest
import torch

from model import VAE, initialize_from_data, vae_loss
from utils.data_utils import to_float
from utils.measures import reconstructions
from utils.measures.reconstructions import (
    active_dimensions,
    baseline_errors,
    elbo,
    importance_weighted_bound,
    measure,
    reconstruction_metrics,
    sprite_losses,
    table,
)
from utils.training.draws import held_out_noise
from utils.training.engine import evaluate, reconstruct

WEIGHT = 10.0
VARIANCE = 1 / (2 * WEIGHT)


def random_sprites(count, side):
    generator = torch.manual_seed(0)
    return torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, generator=generator)


@pytest.fixture
def sprites():
    return random_sprites(7, 4)


@pytest.fixture(scope="module")
def parts():
    pixels = random_sprites(30, 16)
    return {"training": pixels[:24], "held out": pixels[24:]}


@pytest.fixture(scope="module")
def model(parts):
    torch.manual_seed(0)
    model = VAE(16, 32, 3)
    initialize_from_data(model, parts["training"])
    return model


@pytest.fixture(scope="module")
def measured(model, parts):
    return measure(model, parts, seed=5)


# ---- errors


def test_metrics_by_hand(model, parts):
    sprites = parts["held out"]
    found = reconstruction_metrics(model, sprites)
    error = (reconstruct(model, sprites) - to_float(sprites)).square()
    assert found["sse"] == pytest.approx(error.flatten(1).sum(1).mean().item(), rel=1e-5)
    assert found["mse"] == pytest.approx(error.mean().item(), rel=1e-5)
    assert 10 ** (-found["psnr"] / 10) == pytest.approx(found["mse"])


def test_similarity_is_one_for_equal_pictures_and_falls_with_noise(model, parts, monkeypatch):
    sprites = parts["held out"]
    found = []
    for noise in (0, 0.05, 0.3):
        noisy = (to_float(sprites) + noise * torch.randn(6, 3, 16, 16)).clamp(0, 1)
        monkeypatch.setattr(reconstructions, "reconstruct", lambda *_, noisy=noisy: noisy)
        found.append(reconstruction_metrics(model, sprites)["ssim"])
    assert found[0] == pytest.approx(1)
    assert found[0] > found[1] > found[2]


def test_similarity_is_left_out_on_request_and_for_tiny_sprites(sprites):
    assert reconstruction_metrics(VAE(4, 8, 2), sprites)["ssim"] is None
    assert reconstruction_metrics(VAE(16, 8, 2), random_sprites(2, 16), ssim=False)["ssim"] is None


def test_measures_are_those_of_the_loss_and_of_the_metrics(model, parts, measured):
    for part, sprites in parts.items():
        expected = reconstruction_metrics(model, sprites)
        for key in ("sse", "mse", "psnr", "ssim"):
            assert measured[part][key][0] == pytest.approx(expected[key], rel=1e-4)
        loss = evaluate(model, sprites, held_out_noise(5, len(sprites), 3))[0].item()
        assert measured[part]["loss"][0] == pytest.approx(loss, rel=1e-5)


def test_intervals_hold_their_value(measured):
    for found in measured.values():
        for key in found.keys() - {"sprites"}:
            value, low, high = found[key]
            assert low < value < high


def test_bound_and_baselines_are_of_the_held_out_sprites(measured):
    assert "iw_bound" in measured["held out"] and "iw_bound" not in measured["training"]
    assert measured["held out"]["iw_bound"][0] > measured["held out"]["elbo"][0]
    names = ["mean sprite", "PCA, 3 components", "nearest training sprite"]
    assert list(measured)[2:] == [f"{name}, held out" for name in names]


def test_the_table_has_a_line_for_each(measured, model, parts):
    lines = table(measured).splitlines()
    assert len(lines) == 2 + 5 and len({line.count("|") for line in lines}) == 1
    assert lines[0].startswith("| | sprites | SSE |") and "10 SSE + KL" in lines[0]
    alone = measure(model, {"all": parts["training"]})
    assert list(alone) == ["all"] and "iw_bound" not in alone["all"]


# ---- bounds


class LinearGaussian(VAE):
    """Probabilistic PCA, whose posterior and likelihood are known: x = W z + mean + noise."""

    def __init__(self, offset=0.0):
        super().__init__(4, 8, 2)
        generator = torch.Generator().manual_seed(1)
        axes, _ = torch.linalg.qr(torch.randn(48, 2, generator=generator))
        self.w = axes * torch.tensor([1.5, 0.7])
        self.offset = offset  # of the posterior's mean, which makes it a wrong one

    def encode(self, x):
        precision = 1 + self.w.square().sum(0) / VARIANCE
        mu = (x.flatten(1) - 0.5) @ self.w / VARIANCE / precision + self.offset
        return mu, -precision.log().expand_as(mu)

    def decode(self, z):
        return (z @ self.w.T + 0.5).view(-1, 3, 4, 4)

    def log_likelihood(self, sprites):
        covariance = self.w @ self.w.T + VARIANCE * torch.eye(48)
        normal = torch.distributions.MultivariateNormal(torch.full((48,), 0.5), covariance)
        return normal.log_prob(to_float(sprites).flatten(1))


def test_losses_of_sprites_are_those_of_the_batch(sprites):
    torch.manual_seed(0)
    model, eps = VAE(4, 8, 2), torch.randn(7, 2)
    x = to_float(sprites)
    recon, mu, logvar = model(x, eps)
    _, recon_error, kl = vae_loss(recon, x, mu, logvar)
    found = sprite_losses(model, sprites, eps)
    assert found[0].mean().item() == pytest.approx(recon_error.item(), rel=1e-5)
    assert found[1].mean().item() == pytest.approx(kl.sum().item(), rel=1e-5)
    from_mean, _ = sprite_losses(model, sprites)
    assert torch.allclose(from_mean, (model.decode(mu) - x).square().flatten(1).sum(1))


def test_the_bound_of_the_true_posterior_is_the_likelihood_with_any_draws(sprites):
    model = LinearGaussian()
    for draws in (1, 250):
        bound = importance_weighted_bound(model, sprites, WEIGHT, draws)
        assert torch.allclose(bound.float(), model.log_likelihood(sprites), rtol=1e-4)


def test_the_elbo_is_below_the_likelihood_by_the_kl_of_the_posterior(sprites):
    model = LinearGaussian(offset=0.1)
    noise = torch.Generator().manual_seed(0)
    drawn = [
        elbo(*sprite_losses(model, sprites, torch.randn(7, 2, generator=noise)), 48, WEIGHT)
        for _ in range(2000)
    ]
    precision = 1 + model.w.square().sum(0) / VARIANCE
    gap = 0.5 * (0.01 * precision).sum()  # of two Gaussians of one variance, 0.1 apart
    expected = model.log_likelihood(sprites).mean() - gap
    assert torch.stack(drawn).mean().item() == pytest.approx(expected.item(), abs=0.05)
    # More draws close the gap.
    likelihood = model.log_likelihood(sprites).mean().item()
    bound = importance_weighted_bound(model, sprites, WEIGHT, 3000).mean().item()
    assert bound == pytest.approx(likelihood, abs=0.05) and bound > expected + 0.5 * gap


def test_a_sprite_that_is_met_exactly_has_the_constant():
    found = elbo(torch.zeros(1), torch.zeros(1), 48, WEIGHT).item()
    assert found == pytest.approx(-24 * math.log(2 * math.pi * VARIANCE))


def test_active_dimensions(sprites):
    model = LinearGaussian()
    assert active_dimensions(model, sprites) == [0, 1]
    model.w[:, 1] *= 1e-4
    assert active_dimensions(model, sprites) == [0]


# ---- baselines


def means(errors):
    """The means over sprites, of the training and of the held-out ones."""
    return {name: [part.mean().item() for part in parts] for name, parts in errors.items()}


def test_mean_and_nearest_by_hand(sprites):
    train, val = sprites[:6], sprites[6:]
    errors = means(baseline_errors(train, val))
    x, y = to_float(train).flatten(1), to_float(val).flatten(1)
    expected = (y - x.mean(0)).square().sum(1).mean()
    assert errors["mean sprite"][1] == pytest.approx(expected.item(), rel=1e-5)
    distances = torch.stack([(a - x).square().sum(1) for a in y])
    found = errors["nearest training sprite"]
    assert found[1] == pytest.approx(distances.min(1).values.mean().item(), rel=1e-5)
    assert found[0] > 0  # not the sprite itself


def test_more_components_leave_less_and_all_of_them_nothing(sprites):
    errors = means(baseline_errors(sprites[:6], sprites[6:], components=(1, 3, 5)))
    train, val = zip(*(errors[f"PCA, {count} components"] for count in (1, 3, 5)), strict=True)
    assert errors["mean sprite"][0] > train[0] > train[1] > train[2]
    assert val[0] > val[1] > val[2] > 1e-3
    assert train[2] == pytest.approx(0, abs=1e-4)  # six sprites span five dimensions


def test_pca_is_the_best_linear_reconstruction(sprites):
    found = means(baseline_errors(sprites, sprites[:2], components=(2,)))["PCA, 2 components"][0]
    x = to_float(sprites).flatten(1)
    values = torch.linalg.eigvalsh((x - x.mean(0)).T @ (x - x.mean(0)))
    assert found == pytest.approx(values[:-2].sum().item() / len(x), rel=1e-4)
