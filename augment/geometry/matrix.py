"""3x3 matrices in pixel coordinates, batched (B, 3, 3).

Conventions, tested in tests/geometry/test_matrix.py:
- x is the column and y the row, in the order (x, y). The centre of the top-left pixel is (0, 0), as in OpenCV and
  Kornia. An image of width W covers x from -1/2 to W - 1/2, and its centre is (W - 1) / 2.
- A warp's matrix maps an *output* pixel to the *input* position that it shows. Chained warps multiply from the left:
  first.matrix @ second.matrix maps a pixel of the second output to a position in the first input.

Products are written out instead of calling matmul, which TF32 and autocast round to 10 or 8 bits. A rotation rounded in
this way is wrong by more than a pixel.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from augment.data.context import compiling, exporting, on_cpu
from augment.data.memory import has_memory
from augment.data.types import Bool, Float, Matrices, Shaped

Number = float | Shaped[Tensor, "b"]
Linear = tuple[tuple[Number, Number], tuple[Number, Number]]
"""Rows of a linear map of (x, y)."""

Points = Float[Tensor, "b n 2"]


def matrix(rows: tuple[tuple[Number, ...], ...], like: Float[Tensor, "b ..."]) -> Matrices:
    """Builds (B, 3, 3) from three rows of numbers and (B,) tensors."""
    entries = [entry for row in rows for entry in row]
    if has_memory(like):
        return _stacked(entries, like)
    return side_by_side(entries, like).unflatten(-1, (3, 3))


def side_by_side(entries: Sequence[Number], like: Float[Tensor, "b ..."]) -> Float[Tensor, "b n"]:
    """Stacks numbers and (B,) tensors as columns without copies from the host, which would wait for a GPU."""
    if compiling() and not on_cpu(like.device):
        return _selected(entries, like)
    full = [e.to(like.dtype) if isinstance(e, Tensor) else like.new_full((), e) for e in entries]
    return torch.stack([entry.expand(like.shape[0]) for entry in full], dim=-1)


def _stacked(entries: list[Number], like: Float[Tensor, "b ..."]) -> Matrices:
    """The eager version, with few operators: each costs as much as arithmetic on thousands of numbers."""
    batch, tensors = like.shape[0], [entry for entry in entries if isinstance(entry, Tensor)]
    if not tensors:
        return like.new_tensor(entries).view(3, 3).expand(batch, 3, 3)
    if any(entry.dtype != like.dtype or entry.shape != (batch,) for entry in tensors):
        entries = [e.to(like.dtype).expand(batch) if isinstance(e, Tensor) else e for e in entries]
    number = {value: like.new_full((batch,), value) for value in {e for e in entries if not isinstance(e, Tensor)}}
    columns = [entry if isinstance(entry, Tensor) else number[entry] for entry in entries]
    return torch.stack(columns, dim=-1).view(batch, 3, 3)


def _selected(entries: Sequence[Number], like: Float[Tensor, "b ..."]) -> Float[Tensor, "b n"]:
    """The compiled GPU version as one expression; a stack would need one kernel per entry."""
    place = torch.arange(len(entries), device=like.device)
    out = like.new_zeros(like.shape[0], len(entries))
    for k, entry in enumerate(entries):
        if isinstance(entry, Tensor):
            out = torch.where(place == k, entry.to(like.dtype)[:, None], out)
        elif entry != 0:
            out = torch.where(place == k, float(entry), out)
    return out


def identity(like: Float[Tensor, "b ..."]) -> Matrices:
    return torch.eye(3, dtype=like.dtype, device=like.device).expand(like.shape[0], 3, 3)


def translation(x: Number, y: Number, like: Float[Tensor, "b ..."]) -> Matrices:
    return matrix(((1.0, 0.0, x), (0.0, 1.0, y), (0.0, 0.0, 1.0)), like)


def crop_resize(
    top: Number, left: Number, crop: tuple[Number, Number], out: tuple[Number, Number], like: Float[Tensor, "b ..."]
) -> Matrices:
    """Returns the matrix that resizes the box of size `crop` (height, width) at (left, top) to size `out`.

    The edges of box and output are aligned, not the centres of their corner pixels, as in Pillow and OpenCV and with
    Kornia's align_corners=False: x_in = (x_out + 1/2) * crop / out - 1/2 + left.
    """
    sy, sx = crop[0] / out[0], crop[1] / out[1]
    return matrix(((sx, 0.0, left + (sx - 1) / 2), (0.0, sy, top + (sy - 1) / 2), (0.0, 0.0, 1.0)), like)


def times(first: Linear, second: Linear) -> Linear:
    """Multiplies two linear maps."""
    (a, b), (c, d) = first
    (e, f), (g, h) = second
    return (a * e + b * g, a * f + b * h), (c * e + d * g, c * f + d * h)


def about(
    centre: tuple[Number, Number], linear: Linear, like: Float[Tensor, "b ..."], shift: tuple[Number, Number] = (0, 0)
) -> Matrices:
    """Returns the matrix of centre + linear (position - shift - centre), for shifts (x, y).

    It is built from its entries, because each product of matrices would be a separate kernel on a GPU.
    """
    (a, b), (c, d) = linear
    x, y = centre[0] + shift[0], centre[1] + shift[1]
    rows = (a, b, centre[0] - (a * x + b * y)), (c, d, centre[1] - (c * x + d * y)), (0.0, 0.0, 1.0)
    return matrix(rows, like)


def compose(*matrices: Matrices) -> Matrices:
    """Multiplies matrices from left to right in their own precision."""
    product = matrices[0]
    for m in matrices[1:]:
        product = (product.unsqueeze(3) * m.unsqueeze(1)).sum(2)
    return product


def lengths(m: Float[Tensor, "b n 2"]) -> Float[Tensor, "b n"]:
    """Returns the length of each row; ONNX has no function for `hypot`, which only matters for rows near overflow."""
    return m.square().sum(2).sqrt() if exporting() else torch.hypot(m[..., 0], m[..., 1])


def inverse(m: Matrices) -> Matrices:
    """Inverts by cofactors, without host synchronisation and exactly for flips and whole-pixel shifts."""
    rows = m.unbind(1)
    cofactors = torch.stack([torch.linalg.cross(rows[i], rows[j], dim=-1) for i, j in ((1, 2), (2, 0), (0, 1))], dim=-1)
    determinant = (rows[0] * cofactors[..., 0]).sum(-1)
    return cofactors / determinant[:, None, None]


def mirrors(m: Matrices) -> Bool[Tensor, " b"]:
    """Whether a map shows the mirror image: its determinant is negative."""
    first, second, third = m.unbind(1)
    return (first * torch.linalg.cross(second, third, dim=-1)).sum(-1) < 0


def apply(m: Matrices, points: Points) -> Points:
    """Maps points (B, N, 2) in (x, y) order."""
    x, y = points[..., 0], points[..., 1]
    u, v, w = (m[:, i, 0, None] * x + m[:, i, 1, None] * y + m[:, i, 2, None] for i in range(3))
    return torch.stack([u / w, v / w], dim=-1)


def homography(start: Float[Tensor, "b 4 2"], end: Float[Tensor, "b 4 2"]) -> Matrices:
    """Returns the projective map from four points to four others in closed form (Heckbert 1989, section 2.2.3).

    It composes the inverse of the map from the unit square to the start with the map from the unit square to the end.
    """
    return compose(_square_to(end), inverse(_square_to(start)))


def _square_to(corners: Float[Tensor, "b 4 2"]) -> Matrices:
    """Returns the projective map of (0,0), (1,0), (1,1), (0,1) to four corners in that order."""
    p0, p1, p2, p3 = corners.unbind(1)
    d1, d2, d3 = p1 - p2, p3 - p2, p0 - p1 + p2 - p3

    def cross(a: Tensor, b: Tensor) -> Tensor:
        return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]

    area = cross(d1, d2)
    g, h = cross(d3, d2) / area, cross(d1, d3) / area
    column_x = p1 - p0 + g[:, None] * p1
    column_y = p3 - p0 + h[:, None] * p3
    bottom = torch.stack([g, h, torch.ones_like(g)], dim=-1)
    return torch.cat([torch.stack([column_x, column_y, p0], dim=-1), bottom[:, None]], dim=1)
