"""Motions of pixels: maps from output pixels to input positions, and their inverses."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor

from augment.data.types import Float, Matrices, PerSample, Size
from augment.geometry import matrix as mat
from augment.geometry.fill import Fill

Positions = Float[Tensor, "#b #oh #ow"]
Map = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
Box = tuple[float | Tensor, float | Tensor, float | Tensor, float | Tensor]
PADDINGS = ("zeros", "border", "reflection", "reflect")


@dataclass(frozen=True)
class Motion:
    """One warp of a run: a map from output pixels to input positions.

    Attributes:
        matrix: output pixel -> input position, (B, 3, 3).
        in_size, out_size: (height, width) of the frames before and after.
        padding: filling of pixels outside the input frame: "none" if the motion never reads there, "zeros" for `fill`,
            "border" for the nearest pixel, "reflection" for the mirror image with the border pixel repeated,
            "reflect" for the mirror image without it.
        fill: value outside with padding "zeros", in [0, 1], one number or one per channel.
        lattice: whether pixel centres map to pixel centres (flips, quarter turns, whole-pixel crops).
        separable: whether rows stay rows and columns stay columns (crops, resizes, flips).
        projective: whether the last row of the matrix is not (0, 0, 1).
        shrink: minification to antialias (vertical, horizontal), numbers or (B,) tensors; 1 means no antialiasing.
        bound: static upper bounds of `shrink`.
        displace: a further map (x, y) -> (x, y) within the input frame, applied after the matrix.
        undisplace: inverse of the whole motion if known; otherwise `find` iterates.
        window: box (top, left, height, width) of the input in whole pixels that it cuts out first; pixels outside
            the box do not affect the result.
        gate: (B,) bool, which samples the motion moves; None for all.
        copied: map from an input position to the centre of the pixel that a nearest resize copies there. Images and
            masks are read at it; boxes and keypoints move by the matrix alone.
        stored: whether it leads from the original image to the smaller one that a decoder made of it.
    """

    matrix: Matrices
    in_size: Size
    out_size: Size
    padding: str = "none"
    fill: Fill = 0.0
    lattice: bool = False
    separable: bool = False
    projective: bool = False
    shrink: tuple[float | Tensor, float | Tensor] = (1.0, 1.0)
    bound: tuple[float, float] = (1.0, 1.0)
    displace: Map | None = None
    undisplace: Map | None = None
    window: Box | None = None
    gate: PerSample | None = field(default=None, repr=False)
    copied: Map | None = None
    stored: bool = False

    def tensors(self) -> list[Tensor]:
        """What decides whether a kernel serves; see `data.operator`."""
        return [self.matrix]


def project(motions: Sequence[Motion], x: Positions, y: Positions) -> tuple[Positions, Positions]:
    """Maps positions through the matrices of neighbouring motions, from the last output to the first input."""
    m = mat.compose(*(motion.matrix for motion in motions))[..., None, None]
    if all(motion.separable for motion in motions):
        return m[:, 0, 0] * x + m[:, 0, 2], m[:, 1, 1] * y + m[:, 1, 2]
    u = m[:, 0, 0] * x + (m[:, 0, 1] * y + m[:, 0, 2])
    v = m[:, 1, 0] * x + (m[:, 1, 1] * y + m[:, 1, 2])
    if any(motion.projective for motion in motions):
        w = m[:, 2, 0] * x + (m[:, 2, 1] * y + m[:, 2, 2])
        return u / w, v / w
    return u, v


def look(motion: Motion, x: Positions, y: Positions) -> tuple[Positions, Positions]:
    """Maps output positions to input positions, including the displacement."""
    x, y = project([motion], x, y)
    if motion.displace is None:
        return x, y
    moved = motion.displace(x, y)
    if motion.gate is None:
        return moved
    gate = motion.gate[:, None, None]
    return torch.where(gate, moved[0], x), torch.where(gate, moved[1], y)


def copying(motion: Motion, offset: float) -> Motion:
    """Makes a resize copy pixels as torch does: output pixel i shows pixel floor((i + offset) * scale) of the box.

    Args:
        motion: a resize, with or without a crop.
        offset: 0 for torch's "nearest", 0.5 for its "nearest-exact".
    """
    return replace(motion, copied=partial(_copied, motion.matrix, offset))


def _copied(matrix: Matrices, offset: float, x: Positions, y: Positions) -> tuple[Positions, Positions]:
    found = []
    for axis, position in enumerate((x, y)):
        scale, shift = matrix[:, axis, axis, None, None], matrix[:, axis, 2, None, None]
        first = torch.round(shift - (scale - 1) / 2)  # first pixel of the box
        pixel = torch.round((position - shift) / scale)  # output pixel
        found.append(first + torch.floor((pixel + offset) * scale))
    return found[0], found[1]


def shrinks(motions: Sequence[Motion]) -> tuple[tuple[float | Tensor, float | Tensor], tuple[float, float]]:
    """Returns the minification of a run (vertical, horizontal) and its static upper bounds, at least 1."""
    bounds = [max(1.0, math.prod([motion.bound[axis] for motion in motions])) for axis in (0, 1)]
    limits = [math.prod([motion.shrink[axis] for motion in motions]) for axis in (0, 1)]
    if not all(motion.separable for motion in motions):  # a rotation can exchange the axes
        bounds, limits = [max(bounds)] * 2, [_larger(*limits)] * 2
    return (limits[0], limits[1]), (bounds[0], bounds[1])


def _larger(a: float | Tensor, b: float | Tensor) -> float | Tensor:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return torch.maximum(a, b)
    return max(a, b)


_NEWTON_STEPS = 8
_NEWTON_REACH = 8.0
"""Largest move of one iteration in pixels, so that it does not diverge at folds of a displacement."""


def find(motion: Motion, x: Positions, y: Positions) -> tuple[Positions, Positions]:
    """Inverts `look`: maps input positions to output positions, by Newton's method if there is a displacement."""
    if motion.undisplace is not None:
        return motion.undisplace(x, y)
    back = replace(motion, matrix=mat.inverse(motion.matrix), displace=None)
    u, v = project([back], x, y)
    if motion.displace is None:
        return u, v
    h = 0.5  # step of the difference quotients in pixels
    for _ in range(_NEWTON_STEPS):
        at_x, at_y = look(motion, u, v)
        right, below = look(motion, u + h, v), look(motion, u, v + h)
        a, c = (right[0] - at_x) / h, (right[1] - at_y) / h
        b, d = (below[0] - at_x) / h, (below[1] - at_y) / h
        determinant = a * d - b * c
        safe = torch.where(determinant.abs() < 1e-3, torch.full_like(determinant, 1e-3), determinant)
        error_x, error_y = at_x - x, at_y - y
        u = u - ((d * error_x - b * error_y) / safe).clamp(-_NEWTON_REACH, _NEWTON_REACH)
        v = v - ((a * error_y - c * error_x) / safe).clamp(-_NEWTON_REACH, _NEWTON_REACH)
    return u, v


def inverted(motion: Motion) -> Motion:
    """Returns the inverse motion; pixels that the motion cut off become 0."""
    if motion.displace is None:
        back = replace(motion, matrix=mat.inverse(motion.matrix))
    else:
        back = replace(
            motion,
            matrix=mat.identity(motion.matrix),
            displace=lambda x, y: find(motion, x, y),
            undisplace=lambda x, y: look(motion, x, y),
            separable=False,
        )
    return replace(
        back,
        in_size=motion.out_size,
        out_size=motion.in_size,
        padding="zeros",
        fill=0.0,
        window=None,
        shrink=(1.0, 1.0),
        bound=(1.0, 1.0),
        copied=None,
    )
