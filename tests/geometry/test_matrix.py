"""The coordinate conventions, written down once in augment/geometry/matrix.py."""

import pytest
import torch

from augment.data.constants import constant
from augment.geometry import matrix as mat

LIKE = torch.empty(1, 0, dtype=torch.float64)


def point(m: torch.Tensor, x: float, y: float) -> list[float]:
    return mat.apply(m, torch.tensor([[[x, y]]], dtype=m.dtype))[0, 0].tolist()


def random_matrices(count: int = 5) -> torch.Tensor:
    return torch.eye(3, dtype=torch.float64) + 0.3 * torch.rand(count, 3, 3, dtype=torch.float64)


def test_x_comes_before_y():
    assert point(mat.translation(3.0, -1.0, LIKE), 10, 20) == [13, 19]


def test_products_read_from_the_first_warp_to_the_last():
    """An output pixel goes through the last warp's matrix first."""
    first, last = mat.translation(1.0, 0.0, LIKE), mat.about((0.0, 0.0), ((2.0, 0.0), (0.0, 2.0)), LIKE)
    assert point(mat.compose(first, last), 3, 0) == [7, 0]


def test_a_linear_map_about_a_centre_comes_after_a_shift():
    linear = mat.times(((2.0, 1.0), (0.0, 3.0)), ((0.0, -1.0), (1.0, 0.0)))
    m = mat.about((5.0, 2.0), linear, LIKE, (10.0, 20.0))
    assert point(m, 15, 22) == [5, 2]  # what was at the centre before the shift
    assert point(m, 16, 24) == [5 + (2 * -2 + 1), 2 + 3]


def test_resizing_compares_edges():
    """Doubling the size: the first output pixel looks a quarter pixel outside of the first input pixel's centre."""
    m = mat.crop_resize(0.0, 0.0, (4, 4), (8, 8), LIKE)
    assert point(m, 0, 0) == [-0.25, -0.25]
    assert point(m, 7, 7) == [3.25, 3.25]


def test_products_and_inverses_are_exact():
    a, b = random_matrices(), random_matrices()
    torch.testing.assert_close(mat.compose(a, b), a @ b)
    torch.testing.assert_close(mat.inverse(a), torch.linalg.inv(a))


def test_products_do_not_go_through_tensor_cores():
    """matmul may be rounded to 10 bits of mantissa by TF32, to 8 by autocast; element-wise products are not."""
    a = random_matrices().float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(mat.compose(a, a), mat.compose(a.clone(), a.clone()))
        assert mat.compose(a, a).dtype == torch.float32
    torch.testing.assert_close(mat.compose(a, a).double(), a.double() @ a.double(), rtol=0, atol=1e-6)


def test_flips_invert_to_the_bit():
    flip = mat.matrix(((-1.0, 0.0, 223.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)), LIKE.float())
    assert torch.equal(mat.inverse(flip), flip)


def test_homography_takes_corners_to_corners():
    start = torch.tensor([[[0, 0], [8, 0], [8, 5], [0, 5]]], dtype=torch.float64)
    end = torch.tensor([[[1, 0.5], [7, 1], [6, 4], [0.5, 5]]], dtype=torch.float64)
    torch.testing.assert_close(mat.apply(mat.homography(start, end), start), end)


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_constants_have_the_type_and_device_of_another_tensor(device):
    like = torch.empty(2, dtype=torch.float64, device=device)
    made = constant(((1, 2, 3), (4, 5, 6)), like)
    assert (made.shape, made.dtype, made.device) == ((2, 3), like.dtype, like.device)
    if device == "cpu":
        assert made.tolist() == [[1, 2, 3], [4, 5, 6]]
