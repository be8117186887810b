import json

import pytest
import torch

from model import VAE, initialize_from_data
from utils.data_utils import fingerprint, fingerprints, load_sprites
from utils.latents.runs import known_split, open_run
from utils.measures import metrics
from utils.measures.metrics import measure_reconstructions, measure_samples, summarize
from utils.run.checkpoint import save_weights
from utils.training.engine import evaluate


@pytest.fixture
def sprites(sprite_folder):
    return load_sprites(sprite_folder)


@pytest.fixture
def run(tmp_path, sprites):
    torch.manual_seed(0)
    model = VAE(40, 8, 2)
    initialize_from_data(model, sprites.pixels)
    save_weights(tmp_path / "checkpoint_3.pt", model)
    settings = {"seed": 41, "val_ratio": 0.2, "recon_weight": 10.0, "kl_weight": 2.0}
    settings["sprites_sha256"] = fingerprint(fingerprints(sprites))
    (tmp_path / "args.json").write_text(json.dumps(settings))
    return open_run(str(tmp_path), None)


def test_the_summary_of_a_run(run, sprites):
    parts = known_split(run, sprites)
    found = summarize(run, parts)
    assert found["sprites"] == {"training": 10, "held out": 2}
    for part, pixels in parts.items():
        sse = evaluate(run.model, pixels)[1].item()
        assert found["reconstruction"][part]["sse"] == pytest.approx(sse)
    assert found["kl"] == pytest.approx(evaluate(run.model, parts["training"])[2:].sum().item())
    assert found["reconstruction"]["training"]["ssim"] is None  # of the last part alone
    assert found["reconstruction"]["held out"]["ssim"] is not None


def test_the_weight_of_the_error_is_relative_to_that_of_the_kl(run, sprites, capsys):
    parts = {"training": known_split(run, sprites)["training"]}
    measured = measure_reconstructions(run, parts)
    assert "| 5 SSE + KL |" in capsys.readouterr().out
    assert 0 <= len(measured["active_dimensions"]) <= 2
    run.settings["recon_weight"] = 0.0
    measure_reconstructions(run, parts)
    assert "| 10 SSE + KL |" in capsys.readouterr().out


def test_the_closest_samples_come_first(run, sprites, capsys, monkeypatch):
    monkeypatch.setattr(metrics, "NUM_SAMPLES", 20)
    measured, closest = measure_samples(run, sprites, "neighbours", 0)
    assert next(iter(measured)) == "held-out sprites" and "prior, finished" in measured
    assert closest.ratios == sorted(closest.ratios) and len(closest.ratios) == 10
    assert closest.samples.shape == closest.sprites.shape == (10, 3, 40, 40)
    assert "| neighbours, finished | 20 |" in capsys.readouterr().out
