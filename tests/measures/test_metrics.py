import numpy as np
import pytest
import torch

from model import VAE, initialize_from_data
from utils.data_utils import load_sprites
from utils.measures.metrics import measure_reconstructions, measure_samples, summarize
from utils.training.engine import decode, evaluate


@pytest.fixture
def parts(sprite_folder):
    pixels = load_sprites(sprite_folder).pixels
    return {"training": pixels[:10], "held out": pixels[10:]}


@pytest.fixture
def model(parts):
    torch.manual_seed(0)
    model = VAE(40, 8, 2)
    initialize_from_data(model, parts["training"])
    return model


def test_the_summary_of_a_model(model, parts):
    found = summarize(model, parts)
    assert found["sprites"] == {"training": 10, "held out": 2}
    for part, pixels in parts.items():
        sse = evaluate(model, pixels)[1].item()
        assert found["reconstruction"][part]["sse"] == pytest.approx(sse)
    assert found["kl"] == pytest.approx(evaluate(model, parts["training"])[2:].sum().item())
    assert found["reconstruction"]["training"]["ssim"] is None  # of the last part alone
    assert found["reconstruction"]["held out"]["ssim"] is not None


@pytest.mark.parametrize(("recon_weight", "weight"), [(10.0, 5), (0.0, 10)])
def test_the_weight_of_the_error_is_relative_to_that_of_the_kl(
    model, parts, capsys, recon_weight, weight
):
    settings = {"recon_weight": recon_weight, "kl_weight": 2.0}
    measured = measure_reconstructions(model, {"training": parts["training"]}, settings)
    assert f"| {weight} SSE + KL |" in capsys.readouterr().out
    assert 0 <= len(measured["active_dimensions"]) <= 2


def test_the_closest_samples_come_first(model, parts, capsys):
    noise = torch.Generator().manual_seed(0)
    decoded = {name: decode(model, torch.randn(20, 2, generator=noise)) for name in "ab"}
    measured, closest = measure_samples(decoded, parts, np.arange(10), turned=False)
    assert list(measured) == ["held-out sprites", "a", "a, finished", "b", "b, finished"]
    assert closest.ratios == sorted(closest.ratios) and len(closest.ratios) == 10
    assert closest.samples.shape == closest.sprites.shape == (10, 3, 40, 40)
    assert "| b, finished | 20 |" in capsys.readouterr().out
