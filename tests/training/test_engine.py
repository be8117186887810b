import math
from dataclasses import replace
from unittest.mock import patch

import pytest
import torch

from model import VAE, initialize_from_data, vae_loss
from utils.data_utils import to_float
from utils.lr_sched import learning_rate
from utils.training.augment import Augmentation
from utils.training.draws import epoch_draws, held_out_noise
from utils.training.engine import (
    Config,
    Parts,
    Progress,
    evaluate,
    loss_vector,
    new_optimizer,
    psnr,
    reconstruct,
    train,
    train_step,
)

CONFIG = Config(epochs=3, batch_size=4, lr=2**-10, min_lr=0.0)


@pytest.fixture
def sprites():
    return torch.randint(0, 256, (14, 3, 8, 8), dtype=torch.uint8, generator=torch.manual_seed(0))


def start(sprites):
    torch.manual_seed(1)
    model = VAE(8, 32, 3)
    initialize_from_data(model, sprites)
    return model, torch.optim.Adam(model.parameters(), fused=True)


def run(sprites, config=CONFIG, **options):
    """Train on the first 12 sprites; return the model and its reports."""
    model, optimizer = start(sprites)
    parts = Parts(sprites[:12], sprites[12:])
    return model, list(train(model, optimizer, parts, config, Progress(), **options))


def weights(model):
    return torch.cat([value.flatten() for value in model.state_dict().values()])


def test_a_run_is_the_steps_that_its_draws_name(sprites):
    model, reports = run(sprites)

    twin, adam = start(sprites)
    for epoch in range(3):
        lr = learning_rate(epoch, lr=2**-10, min_lr=0.0, warmup_epochs=0, epochs=3)
        adam.param_groups[0]["lr"] = lr
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
        assert reports[epoch].lr == lr
    assert torch.equal(weights(model), weights(twin))
    expected = evaluate(twin, sprites[12:], held_out_noise(41, 2, 3))
    assert torch.equal(reports[-1].val, expected)
    assert [report.num_sprites for report in reports] == [12, 12, 12]


class Darken:
    """An augmentation that keeps what it is given."""

    num_uniforms = 7

    def __init__(self, factor=0.5):
        self.factor, self.seen, self.shares = factor, [], []

    def __call__(self, x, uniforms, done):
        self.seen.append(uniforms)
        self.shares.append(done)
        return self.factor * x


def test_augmentation_is_handed_each_batch_and_its_uniforms(sprites):
    darken = Darken()
    ends = [weights(run(sprites, replace(CONFIG, augmentation=darken))[0])]
    for epoch in range(3):
        *_, uniforms = epoch_draws(
            41, epoch, num_sprites=12, batch_size=4, latent_size=3, num_uniforms=7
        )
        assert torch.equal(torch.stack(darken.seen[3 * epoch : 3 * epoch + 3]), uniforms)
    assert darken.shares == [0, 0, 0, 1 / 3, 1 / 3, 1 / 3, 2 / 3, 2 / 3, 2 / 3]

    ends += [weights(run(sprites, replace(CONFIG, augmentation=a))[0]) for a in (None, Darken(1))]
    assert not torch.equal(ends[0], ends[1])
    assert torch.equal(ends[1], ends[2])  # its random numbers leave all others as they are


def test_same_seed_same_weights_bit_for_bit(sprites):
    a, b, c = (weights(run(sprites, replace(CONFIG, seed=seed))[0]) for seed in (41, 41, 42))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_it_stops_before_the_step_when_asked(sprites):
    model, optimizer = start(sprites)
    answers = iter([False] * 4 + [True])
    progress = Progress()
    parts = Parts(sprites[:12], sprites[12:])
    reports = train(model, optimizer, parts, CONFIG, progress, lambda: next(answers))
    assert [report.epoch for report in reports] == [0]  # three steps; the fourth is of epoch 1
    assert optimizer.state[model.decoder[0].weight]["step"] == 4
    assert (progress.epoch, progress.step) == (1, 1)


def test_the_weights_of_the_loss_are_those_of_the_config(sprites):
    for changed in ({"recon_weight": 3.0}, {"kl_weight": 2.0}, {"huber": 0.1}):
        model, optimizer = start(sprites)
        x, eps = to_float(sprites), torch.zeros(14, 3)
        recon, mu, logvar = model(x, eps)
        expected = loss_vector(*vae_loss(recon, x, mu, logvar, **changed))
        losses = train_step(model, optimizer, x, eps, replace(CONFIG, **changed))
        assert torch.allclose(losses, expected)
        gradient = model.decoder[6].weight.grad
        assert torch.allclose(gradient, gradient_of(sprites, changed), atol=1e-6)
        model, (report,) = run(sprites, replace(CONFIG, epochs=1, **changed))
        held_out = evaluate(model, sprites[12:], held_out_noise(41, 2, 3), **changed)
        assert torch.equal(report.val, held_out)


def gradient_of(sprites, weights):
    """Return the gradient of the last layer at the start, under some weights of the loss."""
    model, _ = start(sprites)
    recon, mu, logvar = model(to_float(sprites), torch.zeros(14, 3))
    loss, *_ = vae_loss(recon, to_float(sprites), mu, logvar, **weights)
    return torch.autograd.grad(loss, model.decoder[6].weight)[0]


def test_training_learns(sprites):
    model, optimizer = start(sprites)
    before = evaluate(model, sprites)[1]
    config = replace(CONFIG, epochs=150, lr=1e-3, min_lr=1e-3)
    list(train(model, optimizer, Parts(sprites, sprites[:2]), config, Progress()))
    assert evaluate(model, sprites)[1] < 0.25 * before


def test_evaluate_is_the_loss_of_all_sprites_at_once(sprites, monkeypatch):
    model, _ = start(sprites)
    x, eps = to_float(sprites), torch.randn(14, 3)
    recon, mu, logvar = model(x, eps)
    weights = {"recon_weight": 3.0, "kl_weight": 2.0, "huber": 0.2}
    expected = loss_vector(*vae_loss(recon, x, mu, logvar, **weights))
    monkeypatch.setattr("utils.training.engine.EVAL_BATCH", 4)
    assert torch.allclose(evaluate(model, sprites, eps, **weights), expected)
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
    augment = Augmentation()
    uniforms = torch.zeros(4, augment.num_uniforms, device="meta")
    x = augment(to_float(sprites[torch.arange(4, device="meta")]), uniforms)
    assert x.shape == (4, 3, 8, 8)
    with pytest.raises((RuntimeError, NotImplementedError)):
        x.mean().item()
    with patch.object(optimizer, "step", lambda: None):  # Adam's own kernels are torch's matter
        losses = train_step(model, optimizer, x, torch.zeros(4, 3, device="meta"), CONFIG)
    assert losses.shape == (5,) and losses.device.type == "meta"
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


def test_a_model_without_an_encoder_has_no_rate_for_it():
    with pytest.raises(ValueError, match="this --model has no attribute `encoder`"):
        new_optimizer(torch.nn.Linear(2, 2), 1e-3, encoder_lr=1e-4)


def test_the_encoder_can_have_a_rate_of_its_own(sprites):
    config = replace(CONFIG, epochs=1, batch_size=12)  # one step, by which Adam moves by its rate
    ends = {}
    for encoder_lr in (None, 2**-10, 2**-14):
        model, _ = start(sprites)
        optimizer = new_optimizer(model, 2**-10, encoder_lr=encoder_lr)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        list(train(model, optimizer, Parts(sprites[:12], sprites[12:]), config, Progress()))
        ends[encoder_lr] = weights(model)
    assert torch.equal(ends[None], ends[2**-10])
    for name, value in model.state_dict().items():
        rate = 2**-14 if name.startswith("encoder.") else 2**-10
        assert (value - before[name]).abs().max().item() == pytest.approx(rate, rel=1e-2), name
