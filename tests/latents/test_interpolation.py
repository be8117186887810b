import math

import pytest
import torch

from utils.latents.interpolation import (
    angle,
    lerp,
    manifold,
    path,
    plane,
    slerp,
    surface,
    traverse,
)


def column(*values):
    return torch.tensor(values)[:, None]


def test_slerp_by_hand():
    # A third of the way from (1, 0) to (0, 1): 30 of 90 degrees.
    a, b = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    expected = [math.cos(math.pi / 6), math.sin(math.pi / 6)]
    assert slerp(a, b, torch.tensor([1 / 3])).tolist() == pytest.approx(expected)


def test_slerp_stays_on_the_unit_sphere_at_even_angles():
    a, b = torch.nn.functional.normalize(torch.randn(2, 16), dim=1)
    points = path(a, b, 11, slerp)
    assert torch.allclose(points.norm(dim=1), torch.ones(11), atol=1e-5)
    steps = angle(points[:-1], points[1:])
    assert torch.allclose(steps, angle(a, b).expand(10) / 10, atol=1e-4)


def test_slerp_of_other_norms_ends_where_it_should():
    a, b = 3 * torch.randn(16), 0.1 * torch.randn(16)
    points = path(a, b, 5, slerp)
    assert torch.equal(points[0], a) and torch.equal(points[-1], b)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([1.0, 2.0], [2.0, 4.0]),  # parallel
        ([1.0, 2.0], [1.0, 2.0]),  # equal
        ([1.0, 2.0], [-2.0, -4.0]),  # opposite
        ([0.0, 0.0], [1.0, 2.0]),  # zero
        ([0.0, 0.0], [0.0, 0.0]),
    ],
)
def test_slerp_falls_back_to_lerp(a, b):
    a, b, t = torch.tensor(a), torch.tensor(b), column(0.0, 0.25, 1.0)
    assert torch.equal(slerp(a, b, t), lerp(a, b, t))


def test_slerp_takes_any_leading_shape():
    a, b = torch.randn(4, 3, 16), torch.randn(4, 3, 16)
    a[1, 2] = 0  # a degenerate case among others
    whole = slerp(a, b, torch.tensor([0.3]))
    for i in range(4):
        for j in range(3):
            assert torch.allclose(whole[i, j], slerp(a[i, j], b[i, j], torch.tensor([0.3])))


def test_slerp_near_its_degenerate_cases_is_continuous():
    a = torch.tensor([1.0, 0.0])
    for shift in (1e-2, 1.1e-3, 0.9e-3, 1e-5):
        b = torch.tensor([1.0, shift])
        assert torch.allclose(slerp(a, b, torch.tensor([0.5])), (a + b) / 2, atol=1e-4)


def test_angles_by_hand():
    a = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    b = torch.tensor([[0.0, 5.0], [-2.0, 0.0], [1.0, 1e-4], [1.0, 0.0]])
    expected = [math.pi / 2, math.pi, 1e-4, 0.0]
    assert angle(a, b).tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("mix", [lerp, slerp])
def test_corners_of_a_surface_are_exact(mix):
    corners = torch.randn(4, 16)
    z = surface(corners, 7, mix)
    assert z.shape == (7, 7, 16)
    assert torch.equal(torch.stack([z[0, 0], z[0, -1], z[-1, 0], z[-1, -1]]), corners)


def test_a_bilinear_surface_by_hand():
    corners = torch.tensor([[0.0], [1.0], [10.0], [13.0]])
    expected = [[0.0, 0.5, 1.0], [5.0, 6.0, 7.0], [10.0, 11.5, 13.0]]
    assert surface(corners, 3)[..., 0].tolist() == expected


def test_a_traversal_changes_one_dimension():
    z = traverse(torch.tensor([1.0, 2.0, 3.0]), 1, torch.tensor([-1.0, 0.0]))
    assert z.tolist() == [[1, -1, 3], [1, 0, 3]]


def test_a_plane_row_by_row():
    z = plane(torch.tensor([1.0, 2.0, 3.0]), 2, 0, torch.tensor([-1.0, 1.0]))
    assert z.tolist() == [[0, 2, 2], [0, 2, 4], [2, 2, 2], [2, 2, 4]]


def test_cells_of_the_manifold_are_equally_likely():
    z = manifold(4)
    shares = torch.special.ndtr(z)
    assert z.shape == (16, 2)
    assert shares[:4, 0].tolist() == pytest.approx([0.125, 0.375, 0.625, 0.875])  # to the right
    assert shares[::4, 1].tolist() == pytest.approx([0.125, 0.375, 0.625, 0.875])  # down
