import pytest
import torch
from torch import nn

from model import VAE
from utils import precision as module
from utils.engine import new_optimizer, to_float, train_step
from utils.precision import autocast, choose_precision, products_in

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize("name", module.PRECISIONS)
def test_what_is_named_is_taken(name):
    assert choose_precision(name, CUDA) == (name, f"Precision: {name}.")


def test_tf32_is_fp32_where_there_is_none():
    expected = ("fp32", "Precision: fp32 (cpu has no TF32).")
    assert choose_precision("tf32", CPU) == expected


def test_auto_takes_tf32_on_cuda_and_fp32_elsewhere():
    assert choose_precision("auto", CPU) == ("fp32", "Precision: fp32.")
    assert choose_precision("auto", CUDA)[0] == "tf32"
    assert choose_precision("auto", torch.device("mps"))[0] == "fp32"


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
