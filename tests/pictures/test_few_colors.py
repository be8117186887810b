import numpy as np
import pytest
import torch

from utils.data_utils import load_sprites
from utils.pictures.few_colors import HALO, without_halo
from utils.pictures.finish import FEW_COLORS, finish

PALE = 1 - HALO / 2


def test_a_halo_goes_and_what_an_outline_encloses_stays():
    picture = np.ones((9, 9, 3), np.float32)
    picture[2:7, 2:7] = 0.1  # an outline around
    picture[3:6, 3:6] = PALE
    expected = picture.copy()
    picture[0, 0] = picture[1, 4] = picture[4, 7:9] = PALE
    before = picture.copy()
    assert np.array_equal(without_halo(picture), expected)
    assert np.array_equal(picture, before)


def test_a_decoded_sprite_loses_its_halo_and_a_pale_sprite_of_few_colours_keeps_its_body():
    sprite = load_sprites("monsters").pixels[6:7]
    noise = 0.01 * torch.randn(sprite.shape, generator=torch.manual_seed(0))
    decoded = (sprite / 255 + noise).clamp(0, 1)
    decoded[..., 2:4, 2:4] = PALE
    assert len(decoded[0].flatten(1).unique(dim=1).T) > FEW_COLORS
    assert (finish(decoded)[..., 2:4, 2:4] == 255).all()

    pale = torch.full((1, 3, 40, 40), 255, dtype=torch.uint8)
    pale[..., 10:30, 10:30] = round(PALE * 255)
    assert torch.equal(finish(pale), pale)


@pytest.mark.parametrize("outline", ["none", "with a gap", "open at the border"])
def test_a_pale_body_stays_whatever_its_outline(outline):
    top, bottom = (16, 41) if outline == "open at the border" else (8, 32)
    sprite = torch.ones(1, 3, 40, 40)
    sprite[..., top:bottom, 8:32] = PALE if outline == "none" else 0.2
    sprite[..., top + 1 : bottom - 1, 9:31] = PALE
    sprite[..., top, 20] = PALE  # the gap
    noise = 0.01 * torch.randn(sprite.shape, generator=torch.manual_seed(0))
    decoded = torch.where(sprite < 1, (sprite + noise).clamp(0, 1), sprite)
    body = (sprite < 1).all(1, keepdim=True)
    assert (finish(decoded).amin(1, keepdim=True)[body] < 255).float().mean() > 0.97
