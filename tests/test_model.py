import math

import pytest
import torch
from torch import nn
from torch.distributions import Normal, kl_divergence

from model import VAE, initialize_from_data, linear_layers, pixel_statistics, vae_loss
from utils.data_utils import load_sprites


@pytest.fixture(scope="module")
def monsters():
    return load_sprites("monsters").pixels


def test_state_dict_has_the_public_keys_and_shapes():
    shapes = {key: tuple(value.shape) for key, value in VAE().state_dict().items()}
    layers = {
        "encoder.1": (1024, 4800),
        "encoder.3": (1024, 1024),
        "encoder.5": (1024, 1024),
        "encoder.7": (1024, 1024),
        "encoder.9": (32, 1024),
        "decoder.0": (1024, 16),
        "decoder.2": (1024, 1024),
        "decoder.4": (1024, 1024),
        "decoder.6": (4800, 1024),
    }
    expected = {f"{name}.weight": shape for name, shape in layers.items()}
    expected |= {f"{name}.bias": shape[:1] for name, shape in layers.items()}
    assert shapes == expected
    assert sum(math.prod(shape) for shape in shapes.values()) == 15_134_432


def test_first_half_of_the_encoders_output_is_mu():
    model = VAE(8, 16, 3)
    x = torch.rand(5, 3, 8, 8)
    mu, logvar = model.encode(x)
    assert torch.equal(torch.cat([mu, logvar], 1), model.encoder(x))
    assert mu.shape == logvar.shape == (5, 3)


def test_reparameterize_is_mu_plus_sigma_eps():
    mu, logvar, eps = torch.tensor([[1.0]]), torch.tensor([[math.log(4.0)]]), torch.tensor([[0.5]])
    assert VAE(4, 4, 1).reparameterize(mu, logvar, eps).item() == pytest.approx(2.0)


def test_decode_needs_no_earlier_encode_and_takes_any_batch_size():
    model = VAE(8, 16, 3)
    z = torch.randn(7, 3)
    whole = model.decode(z)
    model.encode(torch.rand(2, 3, 8, 8))
    for size in (1, 3, 7):
        assert torch.allclose(model.decode(z[:size]), whole[:size], atol=1e-6)
    assert whole.shape == (7, 3, 8, 8)
    assert whole.min() >= 0 and whole.max() <= 1


def test_forward_is_encode_sample_decode():
    model = VAE(8, 16, 3)
    x, eps = torch.rand(4, 3, 8, 8), torch.randn(4, 3)
    recon, mu, logvar = model(x, eps)
    assert torch.equal(mu, model.encode(x)[0])
    assert torch.equal(recon, model.decode(mu + logvar.mul(0.5).exp() * eps))
    assert not torch.equal(model(x)[0], model(x)[0])  # without eps, each call draws its own


def test_gradients_flow_through_the_sampling():
    model = VAE(8, 16, 3)
    recon, _, _ = model(torch.rand(4, 3, 8, 8), torch.randn(4, 3))
    recon.sum().backward()  # the reconstruction alone: it reaches mu and logvar through z
    for half in model.encoder[9].weight.grad.chunk(2):
        assert half.abs().sum() > 0
    assert model.encoder[1].weight.grad.abs().sum() > 0


def test_loss_by_hand():
    recon = torch.zeros(2, 3, 1, 1)
    x = torch.tensor([1.0, 2.0, 0.0, 0.0, 0.0, 3.0]).view(2, 3, 1, 1)
    mu = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    logvar = torch.tensor([[0.0, math.log(2.0)], [0.0, 0.0]])
    loss, error, kl = vae_loss(recon, x, mu, logvar, recon_weight=10, kl_weight=3)
    # Squared errors of the two sprites: 1 + 4 and 9.
    assert error.item() == pytest.approx((5 + 9) / 2)
    # KL of N(m, v): (m^2 + v - 1 - log v) / 2.
    kl_0 = (0.5 + 0) / 2
    kl_1 = ((2 - 1 - math.log(2)) / 2 + 2) / 2
    assert kl.tolist() == pytest.approx([kl_0, kl_1])
    assert loss.item() == pytest.approx(10 * 7 + 3 * (kl_0 + kl_1))


def test_larger_errors_than_huber_grow_along_the_tangent():
    x = torch.tensor([0.1, 0.25, 1.0]).view(1, 3, 1, 1)
    recon, mu = torch.zeros(1, 3, 1, 1, requires_grad=True), torch.ones(1, 2)
    loss, error, _ = vae_loss(recon, x, mu, torch.zeros(1, 2), huber=0.25)
    assert error.item() == pytest.approx(0.01 + 0.0625 + 1)  # the squared error all the same
    assert loss.item() == pytest.approx(10 * (0.01 + 0.0625 + (0.5 - 0.0625)) + 1)
    loss.backward()
    assert recon.grad.flatten().tolist() == pytest.approx([-2.0, -5.0, -5.0])
    squared, *_ = vae_loss(recon, x, mu, torch.zeros(1, 2), huber=1.0)
    nearly, *_ = vae_loss(recon, x, mu, torch.zeros(1, 2), huber=1 - 1e-6)
    assert nearly.item() == pytest.approx(squared.item())


def test_kl_is_that_of_torch_distributions():
    mu, logvar = torch.randn(50, 6), torch.randn(50, 6)
    x = torch.rand(50, 3, 2, 2)
    _, _, kl = vae_loss(x, x, mu, logvar)
    expected = kl_divergence(Normal(mu, logvar.mul(0.5).exp()), Normal(0.0, 1.0)).mean(0)
    assert torch.allclose(kl, expected, atol=1e-6)


def test_loss_is_the_negative_elbo_of_a_gaussian_decoder_of_variance_a_twentieth():
    mu, logvar = torch.randn(8, 4), torch.randn(8, 4)
    x, recon = torch.rand(8, 3, 5, 5), torch.rand(8, 3, 5, 5)
    loss, _, kl = vae_loss(recon, x, mu, logvar)
    log_likelihood = Normal(recon, math.sqrt(1 / 20)).log_prob(x).flatten(1).sum(1).mean()
    constant = 75 * 0.5 * math.log(2 * math.pi / 20)
    assert loss.item() == pytest.approx(-(log_likelihood - kl.sum()).item() - constant, rel=1e-4)


def test_initialisation_starts_near_the_mean_sprite(monsters):
    torch.manual_seed(0)
    model = VAE()
    initialize_from_data(model, monsters)
    mean = monsters.float().mean(0) / 255
    start = model.decode(torch.zeros(1, 16))[0]
    assert (start - mean).abs().max() < 0.025  # the range that keeps logits finite costs 0.02


def test_initialisation_keeps_the_variance_of_every_layer(monsters):
    torch.manual_seed(0)
    model = VAE()
    initialize_from_data(model, monsters)
    values = []
    for layer in linear_layers(model.encoder)[:-1] + linear_layers(model.decoder)[:-1]:
        layer.register_forward_hook(lambda _, __, output: values.append(output))
    with torch.no_grad():
        model.encode(monsters[:256].float() / 255)
        model.decode(torch.randn(256, 16))
    assert len(values) == 7
    for value in values:
        assert 0.3 < value.var() < 6


def test_pytorchs_own_initialisation_does_not(monsters):
    # The reason for the test above: it would fail without the initialisation.
    torch.manual_seed(0)
    model = VAE()
    with torch.no_grad():
        x = monsters[:256].float() / 255
        spread = model.encoder[:8](x).var(0).mean()
    assert spread < 0.01


def test_standardisation_is_folded_into_the_first_layer(monsters):
    torch.manual_seed(0)
    model = VAE()
    initialize_from_data(model, monsters)
    mean, std = pixel_statistics(monsters)
    x = (monsters[:64].float() / 255).flatten(1)
    first = model.encoder[1]
    plain = nn.functional.linear((x - mean) / std, first.weight * std)
    assert torch.allclose(first(x), plain, atol=1e-3)


def test_pixel_statistics_by_hand():
    sprites = torch.tensor([[0, 255, 51], [102, 255, 51]], dtype=torch.uint8).view(2, 3, 1, 1)
    mean, std = pixel_statistics(sprites)
    assert mean.tolist() == pytest.approx([0.2, 1.0, 0.2])
    assert std == pytest.approx(math.sqrt(0.04 / 3))


def test_equal_sprites_do_not_divide_by_zero():
    model = VAE(4, 8, 2)
    initialize_from_data(model, torch.full((3, 3, 4, 4), 200, dtype=torch.uint8))
    assert all(value.isfinite().all() for value in model.state_dict().values())


def test_weights_of_either_initialisation_load_alike(monsters):
    plain, scaled = VAE(hidden_size=32), VAE(hidden_size=32)
    initialize_from_data(scaled, monsters)
    plain.load_state_dict(scaled.state_dict())
    scaled.load_state_dict(VAE(hidden_size=32).state_dict())
