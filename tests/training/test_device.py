import pytest
import torch
from torch import nn

from model import VAE
from utils.data_utils import to_float
from utils.training import device as module
from utils.training.device import (
    PRECISIONS,
    autocast,
    choose_device,
    choose_precision,
    products_in,
    why_no_cuda,
)
from utils.training.engine import Config, new_optimizer, train_step

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def no_accelerator(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(module, "has_nvidia_card", lambda: False)


def test_cpu_where_there_is_nothing_else(no_accelerator):
    device, line = choose_device()
    assert device.type == "cpu" and line.startswith("Device: cpu (") and "NVIDIA" not in line


def test_a_card_that_torch_cannot_use_is_explained(no_accelerator, monkeypatch):
    monkeypatch.setattr(module, "has_nvidia_card", lambda: True)
    device, line = choose_device()
    assert device.type == "cpu"
    assert "NVIDIA card" in line and "https://" in line and "\n" not in line


def test_mps_and_cuda_are_preferred(no_accelerator, monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device()[0].type == "mps"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "a card")
    assert choose_device() == (torch.device("cuda"), "Device: cuda (a card).")


def test_explicit_cuda_without_a_gpu(no_accelerator):
    with pytest.raises(ValueError, match=r"--device cuda:1: .*https://"):
        choose_device("cuda:1")


@pytest.mark.parametrize("name", ["gpu", "cpu:x", "meta", ""])
def test_what_torch_does_not_know_or_cannot_read_from(name):
    with pytest.raises(ValueError, match=f"--device {name}: torch cannot use it"):
        choose_device(name)


def test_reasons_why_there_is_no_cuda(monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", None)
    assert "build without CUDA" in why_no_cuda()

    def too_old():
        raise RuntimeError("The NVIDIA driver on your system is too old (found 11040). Please ...")

    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "init", too_old)
    assert "too old (found 11040) (torch" in why_no_cuda() and "update the" in why_no_cuda()


@pytest.mark.parametrize("name", PRECISIONS)
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
        config = Config(epochs=1, precision=precision)
        for _ in range(5):
            losses[precision] = train_step(
                model, optimizer, to_float(sprites), torch.zeros(16, 3), config
            )
        assert {weight.dtype for weight in model.parameters()} == {torch.float32}
        moments = next(iter(optimizer.state.values()))
        assert moments["exp_avg"].dtype == torch.float32
    assert not torch.equal(losses["fp32"], losses["bf16"])
    assert losses["bf16"][0].item() == pytest.approx(losses["fp32"][0].item(), rel=1e-2)
