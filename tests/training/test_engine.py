import math
from copy import deepcopy
from unittest.mock import patch

import pytest
import torch

from model import VAE, initialize_from_data, vae_loss
from utils.data_utils import to_float
from utils.training.augment import NUM_UNIFORMS, augment
from utils.training.draws import epoch_draws, held_out_noise
from utils.training.engine import (
    evaluate,
    loss_vector,
    new_optimizer,
    psnr,
    reconstruct,
    train,
    train_step,
    update_average,
)

SETTINGS = {
    "epochs": 3,
    "batch_size": 4,
    "schedule": lambda epoch: 2.0**-10 / (epoch + 1) ** 2,
    "seed": 41,
    "recon_weight": 10.0,
    "kl_weight": 1.0,
}


@pytest.fixture
def sprites():
    return torch.randint(0, 256, (14, 3, 8, 8), dtype=torch.uint8, generator=torch.manual_seed(0))


def start(sprites):
    torch.manual_seed(1)
    model = VAE(8, 32, 3)
    initialize_from_data(model, sprites)
    return model, torch.optim.Adam(model.parameters(), fused=True)


def weights(model):
    return torch.cat([value.flatten() for value in model.state_dict().values()])


def test_a_run_is_the_steps_that_its_draws_name(sprites):
    model, optimizer = start(sprites)
    reports = list(train(model, optimizer, sprites[:12], sprites[12:], **SETTINGS))

    twin, adam = start(sprites)
    for epoch in range(3):
        adam.param_groups[0]["lr"] = torch.tensor(2.0**-10 / (epoch + 1) ** 2).item()
        order, eps, _ = epoch_draws(41, epoch, num_sprites=12, batch_size=4, latent_size=3)
        losses = []
        for indices, noise in zip(order, eps, strict=True):
            x = to_float(sprites[indices])
            recon, mu, logvar = twin(x, noise)
            loss, *_ = vae_loss(recon, x, mu, logvar)
            adam.zero_grad()
            loss.backward()
            adam.step()
            losses.append(loss.item())
        assert reports[epoch].train[0].item() == pytest.approx(sum(losses) / 3, rel=1e-5)
        assert reports[epoch].lr == 2.0**-10 / (epoch + 1) ** 2
    assert torch.equal(weights(model), weights(twin))
    expected = evaluate(twin, sprites[12:], held_out_noise(41, 2, 3))
    assert torch.equal(reports[-1].val, expected)
    assert [report.num_sprites for report in reports] == [12, 12, 12]


def test_augmentation_is_handed_each_batch_and_its_uniforms(sprites):
    seen, shares = [], []

    def darken(x, uniforms, done):
        seen.append(uniforms)
        shares.append(done)
        return 0.5 * x

    model, optimizer = start(sprites)
    list(train(model, optimizer, sprites[:12], sprites[12:], augment=darken, **SETTINGS))
    for epoch in range(3):
        *_, uniforms = epoch_draws(
            41, epoch, num_sprites=12, batch_size=4, latent_size=3, num_uniforms=NUM_UNIFORMS
        )
        assert torch.equal(torch.stack(seen[3 * epoch : 3 * epoch + 3]), uniforms)
    assert shares == [0, 0, 0, 1 / 3, 1 / 3, 1 / 3, 2 / 3, 2 / 3, 2 / 3]

    ends = [weights(model)]
    for change in (None, lambda x, *_: x):
        model, optimizer = start(sprites)
        list(train(model, optimizer, sprites[:12], sprites[12:], augment=change, **SETTINGS))
        ends.append(weights(model))
    assert not torch.equal(ends[0], ends[1])
    assert torch.equal(ends[1], ends[2])  # its random numbers leave all others as they are


def test_the_average_by_hand(sprites):
    model, optimizer = start(sprites)
    average = deepcopy(model)
    expected, steps = weights(model), 0

    def look():  # before each step, so that the weights are those after the step before
        nonlocal expected, steps
        if steps:
            d = min(0.5, (1 + steps) / (10 + steps))
            expected = d * expected + (1 - d) * weights(model)
            assert torch.allclose(weights(average), expected, atol=1e-6)
        steps += 1
        return False

    options = {"average": average, "decay": 0.5, "should_stop": look}
    settings = SETTINGS | {"epochs": 5}
    reports = list(train(model, optimizer, sprites[:12], sprites[12:], **settings, **options))
    assert steps == 15  # the bound of the decay changes at step 8
    # Held-out losses are the average's, and the model is trained as without one.
    eps = held_out_noise(41, 2, 3)
    assert torch.equal(reports[-1].val, evaluate(average, sprites[12:], eps))
    assert not torch.equal(reports[-1].val, evaluate(model, sprites[12:], eps))
    twin, optimizer = start(sprites)
    list(train(twin, optimizer, sprites[:12], sprites[12:], **settings))
    assert torch.equal(weights(model), weights(twin))


def test_same_seed_same_weights_bit_for_bit(sprites):
    ends = []
    for seed in (41, 41, 42):
        model, optimizer = start(sprites)
        list(train(model, optimizer, sprites[:12], sprites[12:], **SETTINGS | {"seed": seed}))
        ends.append(weights(model))
    assert torch.equal(ends[0], ends[1])
    assert not torch.equal(ends[0], ends[2])


def test_it_stops_before_the_step_when_asked(sprites):
    model, optimizer = start(sprites)
    answers = iter([False] * 4 + [True])
    reports = train(
        model, optimizer, sprites[:12], sprites[12:], should_stop=lambda: next(answers), **SETTINGS
    )
    assert [report.epoch for report in reports] == [0]  # three steps; the fourth is of epoch 1
    assert optimizer.state[model.decoder[0].weight]["step"] == 4


def test_training_learns(sprites):
    model, optimizer = start(sprites)
    before = evaluate(model, sprites)[1]
    settings = SETTINGS | {"epochs": 150, "schedule": lambda _: 1e-3}
    list(train(model, optimizer, sprites, sprites[:2], **settings))
    assert evaluate(model, sprites)[1] < 0.25 * before


def test_evaluate_is_the_loss_of_all_sprites_at_once(sprites, monkeypatch):
    model, _ = start(sprites)
    x, eps = to_float(sprites), torch.randn(14, 3)
    recon, mu, logvar = model(x, eps)
    expected = loss_vector(*vae_loss(recon, x, mu, logvar, 3, 2))
    monkeypatch.setattr("utils.training.engine.EVAL_BATCH", 4)
    assert torch.allclose(evaluate(model, sprites, eps, recon_weight=3, kl_weight=2), expected)
    at_mean = evaluate(model, sprites)[1]
    error = (reconstruct(model, sprites) - x).square().sum() / 14
    assert at_mean.item() == pytest.approx(error.item(), rel=1e-5)


def test_psnr_by_hand():
    assert psnr(0.01) == pytest.approx(20)
    assert math.isfinite(psnr(0))


def test_nothing_in_a_step_waits_for_the_device_and_no_shape_depends_on_data():
    # Tensors on "meta" have shapes and no values: whatever needs a value of one raises.
    model = VAE(8, 32, 3).to("meta")
    optimizer = torch.optim.Adam(model.parameters())
    sprites = torch.zeros(14, 3, 8, 8, dtype=torch.uint8, device="meta")
    uniforms = torch.zeros(4, NUM_UNIFORMS, device="meta")
    x = augment(to_float(sprites[torch.arange(4, device="meta")]), uniforms)
    assert x.shape == (4, 3, 8, 8)
    with pytest.raises((RuntimeError, NotImplementedError)):
        x.mean().item()
    with patch.object(optimizer, "step", lambda: None):  # Adam's own kernels are torch's matter
        losses = train_step(
            model, optimizer, x, torch.zeros(4, 3, device="meta"), recon_weight=10.0, kl_weight=1.0
        )
    assert losses.shape == (5,) and losses.device.type == "meta"
    update_average(deepcopy(model), model, 0.9, 10)
    evaluated = evaluate(model, sprites, torch.zeros(14, 3, device="meta"))
    assert evaluated.device.type == "meta"


def test_weight_decay_is_that_of_adamw_and_none_is_plain_adam():
    results = []
    for make in (
        lambda m: new_optimizer(m, 1e-2),
        lambda m: torch.optim.Adam(m.parameters(), 1e-2, fused=True),
        lambda m: new_optimizer(m, 1e-2, 0.5),
        lambda m: torch.optim.AdamW(m.parameters(), 1e-2, weight_decay=0.5, fused=True),
    ):
        torch.manual_seed(0)
        model = VAE(8, 16, 3)
        optimizer = make(model)
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.ones(2, 3, 8, 8), torch.ones(2, 3))[0].sum().backward()
            optimizer.step()
        results.append(weights(model))
    assert torch.equal(results[0], results[1]) and torch.equal(results[2], results[3])
    assert not torch.equal(results[0], results[2])
