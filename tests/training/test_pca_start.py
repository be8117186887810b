import pytest
import torch

from model import VAE, initialize_from_data
from utils.data_utils import built_in_sprites
from utils.training.engine import evaluate
from utils.training.pca_start import start_as_pca


@pytest.fixture(scope="module")
def monsters():
    return built_in_sprites(40).pixels


def started(monsters, hidden_size=64, latent_size=8, noise_variance=1 / 20):
    torch.manual_seed(0)
    model = VAE(40, hidden_size, latent_size)
    initialize_from_data(model, monsters)
    start_as_pca(model, monsters, noise_variance)
    return model


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
    model = started(monsters)
    torch.manual_seed(0)
    plain = VAE(40, 64, 8)
    initialize_from_data(plain, monsters)
    for index in (1, 3, 5, 7):
        ours, theirs = model.encoder[index].weight, plain.encoder[index].weight
        columns = slice(None) if index == 1 else slice(16, None)
        assert torch.equal(ours[16:, columns], theirs[16:, columns])


@pytest.mark.parametrize(
    ("hidden_size", "count", "size"),
    [(5, 99, 40), (64, 8, 40), (64, 2, 40), (64, 99, 1), (1, 2, 1)],
)
def test_where_less_fits_less_is_carried(monsters, hidden_size, count, size):
    sprites = monsters[:count, :, -size:, -size:]
    torch.manual_seed(0)
    model = VAE(size, hidden_size, 8)
    initialize_from_data(model, sprites)
    start_as_pca(model, sprites, 1 / 20)
    assert evaluate(model, sprites).isfinite().all()


def test_without_noise_it_is_still_finite(monsters):
    model = started(monsters, noise_variance=0.0)
    assert all(value.isfinite().all() for value in model.state_dict().values())
    assert evaluate(model, monsters).isfinite().all()


def test_equal_sprites_start_finite():
    sprites = torch.full((20, 3, 40, 40), 200, dtype=torch.uint8)
    model = started(sprites)
    assert all(value.isfinite().all() for value in model.state_dict().values())
