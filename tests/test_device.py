import pytest
import torch

from utils import device as module
from utils.device import choose_device, why_no_cuda


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
