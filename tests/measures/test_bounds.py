import math

import pytest
import torch

from model import VAE, vae_loss
from utils.data_utils import to_float
from utils.measures.bounds import active_dimensions, elbo, importance_weighted_bound, sprite_losses

WEIGHT = 10.0
VARIANCE = 1 / (2 * WEIGHT)


@pytest.fixture
def sprites():
    return torch.randint(0, 256, (7, 3, 4, 4), dtype=torch.uint8, generator=torch.manual_seed(0))


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
