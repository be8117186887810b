import pytest
import torch
from torch import nn

from model import VAE
from utils import precision as module
from utils.engine import new_optimizer, seconds_a_step, to_float, train_step
from utils.precision import autocast, choose_precision, products_in

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def fast_bf16(monkeypatch):
    monkeypatch.setattr(module, "bf16_products_pay", lambda: True)


def no_trial(_precision):
    raise AssertionError("no trial is needed")


@pytest.mark.parametrize("name", module.PRECISIONS)
def test_what_is_named_is_taken(name):
    assert choose_precision(name, CPU, 10**6, no_trial) == (name, f"Precision: {name}.")


def test_auto_takes_tf32_on_cuda_and_fp32_elsewhere():
    assert choose_precision("auto", CUDA, 10**6, no_trial)[0] == "tf32"
    assert choose_precision("auto", torch.device("mps"), 10**6, no_trial)[0] == "fp32"


@pytest.mark.parametrize(
    ("bf16", "num_steps", "chosen"),
    [(0.5, 1000, "bf16"), (0.9, 1000, "fp32"), (2.0, 1000, "fp32"), (0.1, 59, "fp32")],
)
def test_auto_takes_bf16_where_a_trial_shows_a_fifth(fast_bf16, bf16, num_steps, chosen):
    name, line = choose_precision("auto", CPU, num_steps, {"fp32": 1.0, "bf16": bf16}.get)
    assert name == chosen and line.startswith(f"Precision: {chosen} (") and "\n" not in line


def test_no_whole_step_is_tried_where_one_product_is_slow(monkeypatch):
    monkeypatch.setattr(module, "bf16_products_pay", lambda: False)
    assert choose_precision("auto", CPU, 10**6, no_trial) == ("fp32", "Precision: fp32.")


def test_the_trial_times_the_step_and_leaves_the_model_alone():
    model = VAE(8, 16, 3)
    before = [weight.clone() for weight in model.parameters()]
    sprites = torch.randint(0, 256, (9, 3, 8, 8), dtype=torch.uint8)
    assert 0 < seconds_a_step(model, sprites, 4, "bf16") < 10
    assert all(map(torch.equal, before, model.parameters()))


def test_tf32_is_set_for_cuda_alone_and_only_within():
    before = torch.get_float32_matmul_precision()
    with products_in("tf32", "cuda"):
        assert torch.get_float32_matmul_precision() == "high"
    with products_in("tf32", "cpu"), products_in("fp32", "cuda"):
        assert torch.get_float32_matmul_precision() == before
    with pytest.raises(KeyError), products_in("tf32", "cuda"):
        raise KeyError
    assert torch.get_float32_matmul_precision() == before


def test_in_bf16_linear_layers_round_and_nothing_else_does():
    torch.manual_seed(0)
    model, x = VAE(8, 16, 3), torch.rand(5, 3, 8, 8)
    dtypes = set()
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            layer.register_forward_hook(lambda *args: dtypes.add(args[-1].dtype))
    with autocast("bf16", "cpu"):
        outputs = model(x, torch.zeros(5, 3))
    assert dtypes == {torch.bfloat16}
    assert {output.dtype for output in outputs} == {torch.float32}
    # A sigmoid in bf16 has no value between 0.996 and 1.
    with torch.no_grad(), autocast("bf16", "cpu"):
        model.decoder[-1].bias.fill_(6.5)
        recon = model.decode(torch.zeros(1, 3))
    assert 0.998 < recon.max() < 1


def test_a_bf16_step_is_an_fp32_step_but_for_rounding():
    sprites = torch.randint(0, 256, (16, 3, 8, 8), dtype=torch.uint8)
    losses = {}
    for precision in ("fp32", "bf16"):
        torch.manual_seed(0)
        model = VAE(8, 64, 3)
        optimizer = new_optimizer(model)
        for _ in range(5):
            losses[precision] = train_step(
                model,
                optimizer,
                to_float(sprites),
                torch.zeros(16, 3),
                recon_weight=10.0,
                kl_weight=1.0,
                precision=precision,
            )
        assert {weight.dtype for weight in model.parameters()} == {torch.float32}
        moments = next(iter(optimizer.state.values()))
        assert moments["exp_avg"].dtype == torch.float32
    assert not torch.equal(losses["fp32"], losses["bf16"])
    assert losses["bf16"][0].item() == pytest.approx(losses["fp32"][0].item(), rel=1e-2)
