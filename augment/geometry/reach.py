"""What a run of motions may read of the source: the window that crops leave, and the antialiasing filter's reach."""

from collections.abc import Sequence

import torch
from torch import Tensor

from augment.data.types import Float, Matrices, Size
from augment.geometry import matrix as mat
from augment.geometry.interpolation import Footprint, Span, Window
from augment.geometry.motion import Motion, shrinks


def window_of(motions: Sequence[Motion]) -> Window:
    """What is left of the source by crops that come before any interpolation."""
    window = Window.whole(motions[0].in_size)
    before: list[Motion] = []
    for motion in motions:
        if motion.window is not None:
            top, left, height, width = motion.window
            x1, x2, y1, y2 = left, left + width - 1, top, top + height - 1
            if motion.padding in ("reflect", "reflection"):
                x1, x2 = _with_mirror_image(x1, x2, motion.in_size[1], motion.padding)
                y1, y2 = _with_mirror_image(y1, y2, motion.in_size[0], motion.padding)
            if before:
                m = mat.compose(*(s.matrix for s in before))
                x1, x2 = m[:, 0, 0] * x1 + m[:, 0, 2], m[:, 0, 0] * x2 + m[:, 0, 2]
                y1, y2 = m[:, 1, 1] * y1 + m[:, 1, 2], m[:, 1, 1] * y2 + m[:, 1, 2]
            window = Window(_meet(window.rows, y1, y2), _meet(window.columns, x1, x2))
        before.append(motion)
        if not (motion.stored or (motion.lattice and motion.separable and motion.padding == "none")):
            break  # what is interpolated before a crop is not limited by it
    return window


def _with_mirror_image(
    first: float | Tensor, last: float | Tensor, extent: int | Tensor, padding: str
) -> tuple[float | Tensor, float | Tensor]:
    """The span with the pixels that it shows mirrored, where it reaches beyond an axis."""
    repeated = 1 if padding == "reflection" else 0
    mirrored = -repeated - first, 2 * (extent - 1) + repeated - last
    if not any(isinstance(end, Tensor) for end in (first, last, extent)):
        return min(first, mirrored[1]), max(last, mirrored[0])
    like = next(end for end in (first, last, extent) if isinstance(end, Tensor))
    first, last, beyond, before = (torch.zeros_like(like) + end for end in (first, last, mirrored[1], mirrored[0]))
    return torch.minimum(first, beyond), torch.maximum(last, before)


def _meet(span: Span, first: float | Tensor, last: float | Tensor) -> Span:
    """The pixels of a span that lie between two positions, in whatever order; its nearest if none does."""
    low, high = span
    like = next((end for end in (first, last, low, high) if isinstance(end, Tensor)), None)
    if like is None:
        return min(max(low, min(first, last)), high), max(min(high, max(first, last)), low)
    first, last = (end if isinstance(end, Tensor) else torch.zeros_like(like) + end for end in (first, last))
    return _limited(first.minimum(last).round(), span), _limited(first.maximum(last).round(), span)


def _limited(position: Tensor, span: Span) -> Tensor:
    """A position brought into a span."""
    low, high = span
    position = position.maximum(low) if isinstance(low, Tensor) else position.clamp(min=low)
    return position.minimum(high) if isinstance(high, Tensor) else position.clamp(max=high)


def antialiased(motions: Sequence[Motion]) -> bool:
    """Whether any motion changes the size with antialiasing."""
    return any(isinstance(shrink, Tensor) or shrink != 1 for motion in motions for shrink in motion.shrink)


def footprint_of(motions: Sequence[Motion]) -> Footprint:
    """Filter radii: the minification of the whole run per sample, at least 1 and at most what its motions ask for.

    It is the length of the source axis' row of the Jacobian at the centre of the output: 1 for a rotation, a crop's
    size over the output's for a resized crop.
    """
    separable = all(motion.separable for motion in motions)
    limits, bounds = shrinks(motions)
    if max(bounds) == 1:
        return Footprint(separable=separable)
    m = mat.compose(*(motion.matrix for motion in motions))
    if any(motion.projective for motion in motions):
        m = _tangent(m, motions[-1].out_size)
    radii = []
    for length, limit in zip(mat.lengths(m[:, :2, :2]).unbind(1), reversed(limits), strict=True):
        length = length.minimum(limit.to(length.dtype)) if isinstance(limit, Tensor) else length.clamp(max=limit)
        radii.append(length.clamp(min=1))
    return Footprint((radii[1], radii[0]), bounds, separable)


def _tangent(m: Matrices, size: Size) -> Float[Tensor, "b 2 2"]:
    """The Jacobian of a projective map at the centre of an output of a size."""
    height, width = size
    u, v, w = (m[:, i, 0] * ((width - 1) / 2) + m[:, i, 1] * ((height - 1) / 2) + m[:, i, 2] for i in range(3))
    rows = [[(m[:, i, j] - at / w * m[:, 2, j]) / w for j in range(2)] for i, at in enumerate((u, v))]
    return torch.stack([torch.stack(row, 1) for row in rows], 1)
