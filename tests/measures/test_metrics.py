import pytest
import torch

from model import VAE
from utils.data_utils import to_float
from utils.measures import metrics
from utils.measures.metrics import reconstruction_metrics
from utils.training.engine import reconstruct


@pytest.fixture
def model():
    torch.manual_seed(0)
    return VAE(16, 8, 2)


@pytest.fixture
def sprites():
    return torch.randint(0, 256, (6, 3, 16, 16), dtype=torch.uint8, generator=torch.manual_seed(0))


def test_metrics_by_hand(model, sprites):
    found = reconstruction_metrics(model, sprites)
    error = (reconstruct(model, sprites) - to_float(sprites)).square()
    assert found["sse"] == pytest.approx(error.flatten(1).sum(1).mean().item(), rel=1e-5)
    assert found["mse"] == pytest.approx(error.mean().item(), rel=1e-5)
    assert 10 ** (-found["psnr"] / 10) == pytest.approx(found["mse"])


def test_similarity_is_one_for_equal_pictures_and_falls_with_noise(model, sprites, monkeypatch):
    found = []
    for noise in (0, 0.05, 0.3):
        noisy = (to_float(sprites) + noise * torch.randn(6, 3, 16, 16)).clamp(0, 1)
        monkeypatch.setattr(metrics, "reconstruct", lambda *_, noisy=noisy: noisy)
        found.append(reconstruction_metrics(model, sprites)["ssim"])
    assert found[0] == pytest.approx(1)
    assert found[0] > found[1] > found[2]
