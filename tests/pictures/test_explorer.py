"""What the page holds, and that it is what is said of it; the page itself is in tests/vis4."""

import json
import re

import numpy as np
import pytest
import torch
from torch import nn

from model import VAE, linear_layers
from utils.pictures.explorer import page
from utils.pictures.explorer.weights import (
    mean_inputs,
    pack,
    page_psnr,
    smallest,
    unpack,
    with_bits,
    with_packed,
)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return VAE(8, 33, 3)


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("shape", [(5, 7), (3, 1), (4, 8)])
def test_weights_come_back(bits, shape):
    layer = nn.Linear(shape[1], shape[0])
    layer.weight.data[0] = 0  # a row without a scale
    ((weight, bias),) = unpack(pack([layer], [bits]))
    exact = layer.weight.detach().numpy()
    step = np.abs(exact).max(1, keepdims=True) / (2 ** (bits - 1) - 1)
    assert (np.abs(weight - exact) <= 0.501 * step + 1e-9).all()
    assert np.array_equal(bias, layer.bias.detach().numpy())


def test_rounding_does_not_move_the_mean(model):
    x = torch.rand(64, 3, 8, 8) + 1
    means = mean_inputs(model.encoder, x)
    rounded = with_bits(model, "encoder", [8] * 5, means)
    first, exact = (linear_layers(m.encoder)[0] for m in (rounded, model))
    x = x.flatten(1)
    assert torch.allclose(first(x).mean(0), exact(x).mean(0), atol=1e-5)
    assert not torch.equal(first.weight, exact.weight)


@pytest.mark.parametrize("least", [40, 55])
def test_the_smallest_code_reaches_what_it_must(model, least):
    for layer in linear_layers(model.decoder):
        layer.weight.data *= 4
    z = torch.randn(50, 3)
    packed, psnrs = smallest(
        model, "decoder", z, lambda other: {"z": page_psnr(model, other, z)}, least
    )
    assert psnrs["z"] >= least
    assert psnrs["z"] == pytest.approx(page_psnr(model, with_packed(model, {"decoder": packed}), z))
    assert [layer[:2] for layer in packed.layers] == [
        tuple(layer.weight.shape) for layer in linear_layers(model.decoder)
    ]


def test_no_name_ends_a_block(model, tmp_path):
    names = ["</script><script>alert(1)</script>.png", "a\u2028b.png", "\udcff.png", "{{script}}"]
    packed = pack(linear_layers(model.decoder), [8] * 4)
    page.write_page(tmp_path / "page.html", {"names": names}, {"decoder": packed})
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    blocks = re.findall(r"<script[^>]*>", text)
    assert len(blocks) == 5  # facts, two networks, the worker, the script
    facts = json.loads(re.search(r'id="facts">(.*?)</script>', text, re.DOTALL)[1])
    assert facts["names"] == names


def test_sources_are_all_in_the_page():
    scripts = {path.stem for path in page.SOURCES.glob("*.js")}
    assert scripts == {*page.SCRIPTS, *page.WORKER}
