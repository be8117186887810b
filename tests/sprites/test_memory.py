"""A set that does not fit says what it needs, and what would fit."""

import pytest
import torch

import main
from utils.cli import InputError
from utils.sprites import memory
from utils.training import device


def test_the_line_says_how_much_is_needed_and_what_fits(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 480_000_000)
    assert memory.empty_pixels(100_000, 40).shape == (100_000, 3, 40, 40)
    with pytest.raises(InputError) as caught:
        memory.empty_pixels(1_000_000, 40)
    assert str(caught.value).startswith(
        "1,000,000 sprites of 4,800 bytes need 4.8 GB of memory, and 0.5 are free, enough for "
        "100,000; take"
    )
    monkeypatch.setattr(memory, "free_memory", lambda: None)
    memory.check_memory(10**9, 10**9, None, "memory")  # a system that does not say


def test_a_run_that_does_not_fit_ends_in_one_line(run_script, monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 4_800_000)
    code, _, err = run_script(main, "--data_path", "monsters:2000", "--device", "cpu")
    assert code == 2 and "enough for 1,000" in err and err.count("\n") == 1


def test_a_gpu_is_asked_how_much_is_free(monkeypatch):
    pixels = torch.zeros(10, 3, 40, 40, dtype=torch.uint8)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda which: (24_000, 10**9))
    with pytest.raises(InputError, match=r"GB of memory on cuda, .* enough for 5;"):
        device.check_room(pixels, torch.device("cuda"), is_mapped=False)
    monkeypatch.setattr(device, "free_memory", lambda: 4_800)
    device.check_room(pixels, torch.device("cpu"), is_mapped=False)  # they are there already
    with pytest.raises(InputError, match="enough for 1;"):
        device.check_room(pixels, torch.device("cpu"), is_mapped=True)


@pytest.mark.parametrize("text", ["MemTotal: 9 kB\nMemAvailable:   12 kB\n", "MemTotal: 9 kB\n"])
def test_linux_says_what_is_available(tmp_path, monkeypatch, text):
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    memory.MEMINFO.write_text(text)
    free = memory.free_memory()
    assert free == 12 * 1024 if "Available" in text else free is None or free > 2**20
