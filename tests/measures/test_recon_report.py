import pytest
import torch

from model import VAE, initialize_from_data
from utils.measures import recon_report
from utils.measures.metrics import reconstruction_metrics
from utils.training.draws import held_out_noise
from utils.training.engine import evaluate


@pytest.fixture(scope="module")
def parts():
    pixels = torch.randint(
        0, 256, (30, 3, 16, 16), dtype=torch.uint8, generator=torch.manual_seed(0)
    )
    return {"training": pixels[:24], "held out": pixels[24:]}


@pytest.fixture(scope="module")
def model(parts):
    torch.manual_seed(0)
    model = VAE(16, 32, 3)
    initialize_from_data(model, parts["training"])
    return model


@pytest.fixture(scope="module")
def report(model, parts):
    return recon_report.measure(model, parts, seed=5)


def test_figures_are_those_of_the_loss_and_of_the_metrics(model, parts, report):
    for part, sprites in parts.items():
        expected = reconstruction_metrics(model, sprites)
        for key in ("sse", "mse", "psnr", "ssim"):
            assert report[part][key][0] == pytest.approx(expected[key], rel=1e-4)
        loss = evaluate(model, sprites, held_out_noise(5, len(sprites), 3))[0].item()
        assert report[part]["loss"][0] == pytest.approx(loss, rel=1e-5)


def test_intervals_hold_their_value(report):
    for found in report.values():
        for key in found.keys() - {"sprites"}:
            value, low, high = found[key]
            assert low < value < high


def test_bound_and_baselines_are_of_the_held_out_sprites(report):
    assert "iw_bound" in report["held out"] and "iw_bound" not in report["training"]
    assert report["held out"]["iw_bound"][0] > report["held out"]["elbo"][0]
    names = ["mean sprite", "PCA, 3 components", "nearest training sprite"]
    assert list(report)[2:] == [f"{name}, held out" for name in names]


def test_the_table_has_a_line_for_each(report, model, parts):
    lines = recon_report.markdown(report).splitlines()
    assert len(lines) == 2 + 5 and len({line.count("|") for line in lines}) == 1
    assert lines[0].startswith("| | sprites | SSE |") and "10 SSE + KL" in lines[0]
    alone = recon_report.measure(model, {"all": parts["training"]})
    assert list(alone) == ["all"] and "iw_bound" not in alone["all"]
