import time

import cv2
import numpy as np
import pytest
import torch

from utils.data_utils import load_sprites
from utils.measures.samples import RAW_CUTOFF, descriptors, silhouettes, sprite_distances
from utils.pictures.finish import (
    CLEAN,
    NEARLY_CLEAN,
    NEARLY_SHARP,
    SHARP,
    SHARP_ENOUGH,
    SPOTLESS,
    edge,
    finish,
    finisher,
    light,
    roughness,
    with_contrast,
)

CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


def dark_rim(images):
    """The share of dark pixels among those that touch the outside of a silhouette."""
    masks = silhouettes(images)
    inner = np.stack([cv2.erode(mask.astype(np.uint8), CROSS, borderValue=0) for mask in masks])
    rim = images.transpose(0, 2, 3, 1)[masks & ~inner.astype(bool)]
    return (rim @ (0.299, 0.587, 0.114) < 0.45 * 255).mean()


def num_colors(images):
    """The mean number of colours of a picture."""
    return np.mean([len(np.unique(image.reshape(3, -1), axis=1).T) for image in images])


@pytest.fixture(scope="module")
def sprites():
    return load_sprites("monsters").pixels[::8]  # 99 of them


def sse(images, others):
    return (images.float() / 255 - others.float() / 255).square().flatten(1).sum(1)


def rough(sprites):
    """Two sprites in one picture, with noise: like a decoded latent between them."""
    mixed = sprites.numpy() / 2 + sprites.roll(1, 0).numpy() / 2
    noise = np.random.default_rng(0).normal(0, 25, sprites.shape)
    mixed = np.where(mixed.min(1, keepdims=True) < 240, mixed + noise, mixed)
    return torch.from_numpy(np.clip(mixed, 0, 255) / 255).float()


def test_sprites_pass_nearly_unchanged(sprites):
    assert sse(finish(sprites), sprites).mean() < 1


def test_a_sharp_reconstruction_only_loses_noise(sprites):
    noise = 0.015 * torch.randn(sprites.shape, generator=torch.manual_seed(0))
    sharp = (sprites / 255 + noise).clamp(0, 1)
    finished = finish(sharp)
    assert sse(finished, sharp * 255).mean() < 3
    assert sse(finished, sprites).mean() < 0.7 * sse(sharp * 255, sprites).mean()


def test_a_reconstruction_at_35_db_comes_closer_to_its_sprite(sprites):
    noise = 0.018 * torch.randn(sprites.shape, generator=torch.manual_seed(1))
    noisy = (sprites / 255 + noise).clamp(0, 1)
    assert (sse(finish(noisy), sprites) < sse(noisy * 255, sprites)).all()


def test_real_sprites_pass_nearly_unchanged(real_sprites):
    pixels = load_sprites(real_sprites).pixels[::8]
    assert sse(finish(pixels), pixels).mean() < 1


def test_a_rough_picture_becomes_a_sprite(sprites):
    raw = rough(sprites)
    finished = finish(raw).numpy()
    real = descriptors(sprites.numpy())
    before = sprite_distances(descriptors(raw.numpy(), RAW_CUTOFF), real)[0]
    assert sprite_distances(descriptors(finished), real)[0] < 0.8 * before
    assert dark_rim(finished) > 0.98
    assert num_colors(finished) < 16 < 60 < num_colors((raw * 255).byte().numpy())
    for image in finished[:20]:  # one component, on pure white
        drawn = (image.min(0) < 255).astype(np.uint8)
        assert cv2.connectedComponents(drawn, connectivity=4)[0] <= 2


def test_the_same_picture_is_finished_alike_alone_and_in_a_batch(sprites):
    raw = rough(sprites)[:6]
    finished = finish(raw)
    assert finished.dtype == torch.uint8 and finished.shape == raw.shape
    cv2.setRNGSeed(7)
    for i in range(6):
        assert torch.equal(finish(raw[i, None])[0], finished[i])


def test_bytes_and_floats_are_finished_alike(sprites):
    raw = (rough(sprites)[:4] * 255).round().to(torch.uint8)
    assert torch.equal(finish(raw), finish(raw.float() / 255))


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("size", [1, 8, 40])
def test_plain_and_tiny_pictures(value, size):
    assert finish(torch.full((1, 3, size, size), value)).shape == (1, 3, size, size)


def test_noise_is_finished_without_complaint():
    for size in (1, 2, 5, 40):
        images = torch.rand(3, 3, size, size, generator=torch.manual_seed(size))
        assert finish(images).shape == (3, 3, size, size)


def test_roughness_tells_sprites_from_noise(sprites):
    noise = np.random.default_rng(0).normal(0, 0.25, (40, 40, 3)).astype(np.float32)
    for clean in sprites[:30].permute(0, 2, 3, 1).numpy() / np.float32(255):
        noisy = np.where(clean.min(2, keepdims=True) < 0.9, clean + noise, clean).clip(0, 1)
        assert roughness(clean) < CLEAN / 2 < 0.12 < roughness(noisy)


def test_edges_tell_sprites_from_blurred_ones(sprites):
    for clean in sprites[:30].permute(0, 2, 3, 1).numpy() / np.float32(255):
        blurred = cv2.GaussianBlur(clean, (0, 0), 2)
        assert edge(clean) > SHARP_ENOUGH > 1.5 * edge(blurred)
        finished = finish(torch.from_numpy(blurred).permute(2, 0, 1)[None]).numpy()
        assert dark_rim(finished) > 0.95
    assert edge(np.ones((40, 40, 3), np.float32)) == 1


def test_thin_limbs_are_kept():
    picture = torch.ones(1, 3, 40, 40)
    picture[:, :, 10:26, 8:20] = torch.tensor([0.8, 0.3, 0.2])[:, None, None]
    picture[:, :, 16:18, 20:32] = 0.3  # an arm, two pixels wide
    picture = picture - 0.25 * torch.rand(picture.shape, generator=torch.manual_seed(0))
    picture = torch.where(picture > 0.7, 1.0, picture)
    assert (finish(picture)[0, :, 16:18, 20:31].amin(0) < 255).all()


def test_light_comes_from_above_left():
    mask = np.zeros((40, 40), bool)
    mask[10:30, 10:30] = True
    lit = light(mask)
    assert lit[11, 11] > 0 > lit[28, 28] and np.abs(lit[mask]).max() == pytest.approx(1)


def test_the_finish_is_optional():
    images = torch.rand(1, 3, 8, 8)
    assert finisher(False)(images) is images and finisher(True) is finish


def test_a_hundred_samples_in_about_a_second(sprites):
    raw = rough(sprites)
    started = time.process_time()
    finish(raw)
    assert time.process_time() - started < 4  # allows for slow machines


def test_a_nearly_clean_picture_keeps_its_details(sprites):
    x = sprites / 255
    noise = 0.07 * torch.randn(x.shape, generator=torch.manual_seed(0))
    soft = 0.85 * x + 0.15 * x.roll(1, 0)
    soft = torch.where(soft.amin(1, keepdim=True) < 0.94, soft + noise, soft).clamp(0, 1)
    pictures = soft.permute(0, 2, 3, 1).numpy()
    nearly = [edge(p) > NEARLY_SHARP and CLEAN < roughness(p) < NEARLY_CLEAN for p in pictures]
    assert sum(nearly) > 20
    finished = finish(soft[nearly])
    assert sse(finished, sprites[nearly]).mean() < 20  # painted anew they would be off by 37
    eyes = sprites[nearly].amax(1) < 70
    assert (finished.amax(1)[eyes] < 120).float().mean() > 0.95
    assert dark_rim(finished.numpy()) > 0.9
    raw = num_colors((soft[nearly] * 255).byte().numpy())
    assert num_colors(finished.numpy()) < 0.4 * raw


def test_a_clean_but_rough_picture_gains_contrast(sprites):
    x = sprites / 255
    drawn = x.amin(1, keepdim=True) < 1
    mean = (x * drawn).sum((2, 3), keepdim=True) / drawn.sum((2, 3), keepdim=True)
    noise = 0.05 * torch.randn(x.shape, generator=torch.manual_seed(0))
    dull = torch.where(drawn, mean + 0.9 * (x - mean) + noise, x).clamp(0, 1)
    pictures = dull.permute(0, 2, 3, 1).numpy()
    clean = [SPOTLESS + 0.01 < roughness(p) < CLEAN and edge(p) > SHARP for p in pictures]
    assert sum(clean) > 20
    drawn, x = drawn[clean, 0], x[clean].permute(0, 2, 3, 1)
    wanted = torch.stack([part[mask].std() for part, mask in zip(x, drawn, strict=True)])
    finished = (finish(dull[clean]) / 255).permute(0, 2, 3, 1)
    found = torch.stack([part[mask].std() for part, mask in zip(finished, drawn, strict=True)])
    assert (found / wanted).mean() == pytest.approx(1, abs=0.03)
    blank = np.ones((40, 40, 3), np.float32)
    assert np.array_equal(with_contrast(blank, 1.2), blank)
