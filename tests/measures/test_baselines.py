import pytest
import torch

from utils.data_utils import to_float
from utils.measures.baselines import baseline_errors


@pytest.fixture
def sprites():
    return torch.randint(0, 256, (9, 3, 4, 4), dtype=torch.uint8, generator=torch.manual_seed(0))


def means(errors):
    """The means over sprites, of the training and of the held-out ones."""
    return {name: [part.mean().item() for part in parts] for name, parts in errors.items()}


def test_mean_and_nearest_by_hand(sprites):
    train, val = sprites[:6], sprites[6:]
    errors = means(baseline_errors(train, val))
    x, y = to_float(train).flatten(1), to_float(val).flatten(1)
    expected = (y - x.mean(0)).square().sum(1).mean()
    assert errors["mean sprite"][1] == pytest.approx(expected.item(), rel=1e-5)
    distances = torch.stack([(a - x).square().sum(1) for a in y])
    found = errors["nearest training sprite"]
    assert found[1] == pytest.approx(distances.min(1).values.mean().item(), rel=1e-5)
    assert found[0] > 0  # not the sprite itself


def test_more_components_leave_less_and_all_of_them_nothing(sprites):
    errors = means(baseline_errors(sprites[:6], sprites[6:], components=(1, 3, 5)))
    train, val = zip(*(errors[f"PCA, {count} components"] for count in (1, 3, 5)), strict=True)
    assert errors["mean sprite"][0] > train[0] > train[1] > train[2]
    assert val[0] > val[1] > val[2] > 1e-3
    assert train[2] == pytest.approx(0, abs=1e-4)  # six sprites span five dimensions


def test_pca_is_the_best_linear_reconstruction(sprites):
    found = means(baseline_errors(sprites, sprites[:2], components=(2,)))["PCA, 2 components"][0]
    x = to_float(sprites).flatten(1)
    values = torch.linalg.eigvalsh((x - x.mean(0)).T @ (x - x.mean(0)))
    assert found == pytest.approx(values[:-2].sum().item() / len(x), rel=1e-4)
