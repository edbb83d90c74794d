"""A run of warps as one pass: fold the maps, trace every output pixel back to the source, sample there once.

The result is what applying the steps one by one would give, frames and borders included, without the blur of
resampling again and again. Masks, boxes and keypoints take the same way.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from augment import matrix as mat
from augment.batch import Batch, PackedImages
from augment.interpolation import Footprint, Grid, Span, Window, clamp
from augment.pixels import dtype_of, each, per_sample
from augment.resample import sample
from augment.types import Float, Images, Matrices, PerSample, Planes, Size

Map = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
Box = tuple[float | Tensor, float | Tensor, float | Tensor, float | Tensor]
PADDINGS = ("zeros", "border", "reflection", "reflect")


@dataclass(frozen=True)
class Step:
    """One warp of a run: where each pixel of its output looks in its input.

    Attributes:
        matrix: output pixel -> input position, (B, 3, 3).
        in_size, out_size: (height, width) of the frames before and after.
        padding: what lies outside the input frame: "none" if the step never looks there, "zeros" for `fill`,
            "border" for the nearest pixel, "reflection" for the mirror image with the border pixel repeated,
            "reflect" for the mirror image without.
        fill: the value outside for padding "zeros", in [0, 1].
        lattice: pixel centres are mapped onto pixel centres (flips, quarter turns, whole-pixel crops).
        separable: rows stay rows and columns stay columns (crops, resizes, flips).
        projective: the matrix's last row is not (0, 0, 1).
        shrink: the minification to antialias (vertical, horizontal), numbers or (B,) tensors; 1 asks for none.
        bound: static upper bounds of it.
        displace: a further map (x, y) -> (x, y) within the input frame, applied after the matrix.
        window: the box of the input, (top, left, height, width) in whole pixels, that the step cuts out first: nothing
            outside of it bleeds into the result.
        gate: (B,) bool, which samples are moved at all; None for all of them.
    """

    matrix: Matrices
    in_size: Size
    out_size: Size
    padding: str = "none"
    fill: float = 0.0
    lattice: bool = False
    separable: bool = False
    projective: bool = False
    shrink: tuple[float | Tensor, float | Tensor] = (1.0, 1.0)
    bound: tuple[float, float] = (1.0, 1.0)
    displace: Map | None = None
    window: Box | None = None
    gate: PerSample | None = field(default=None, repr=False)


Outside = list[tuple[Grid, Grid, Step]]
"""Frames that show what lies outside of them: the positions in the frame, and its step."""


def warp(batch: Batch, steps: Sequence[Step], interpolation: str = "bilinear") -> Batch:
    """Applies a run of steps to the image and to every annotation of a batch."""
    size = steps[-1].out_size
    if not all(isinstance(extent, int) for extent in size):
        raise ValueError(
            "the images of this batch still differ in size after the last warp: end it with a layer that fixes the "
            "size, such as CenterCrop, RandomResizedCrop or Resize with (height, width)."
        )
    x, y, outside = _trace(steps, size)
    if all(step.lattice for step in steps):
        interpolation = "nearest"  # and exact
    sharp = interpolation == "nearest"
    gates = [step.gate for step in steps]
    moved = None if any(gate is None for gate in gates) else torch.stack(gates).any(0)
    image = sample(batch.image, x, y, _window(steps), interpolation, _footprint(steps), moved)
    changes = {"image": _fill_outside(image, outside, sharp)}
    if batch.mask is not None:
        if isinstance(batch.image, PackedImages):
            raise ValueError("masks need images of one size: packed images carry none.")
        changes["mask"] = _warp_mask(batch.mask, x, y, outside)
    if batch.keypoints is not None:
        changes["keypoints"] = _forward(steps, batch.keypoints)
    if batch.boxes is not None:
        changes["boxes"] = _warp_boxes(steps, batch.boxes, size)
    return batch.replace(**changes)


def _trace(steps: Sequence[Step], size: tuple[int, int]) -> tuple[Grid, Grid, Outside]:
    """Source positions x, y of the output pixels, and for each frame that shows its outside the positions in it.

    Neighbouring matrices are multiplied first; positions are materialised only where a frame's border acts.
    """
    like = steps[0].matrix
    y = torch.arange(size[0], device=like.device, dtype=like.dtype)[None, :, None]
    x = torch.arange(size[1], device=like.device, dtype=like.dtype)[None, None, :]
    pending: list[Step] = []
    outside: Outside = []
    for step in reversed(steps):
        pending.insert(0, step)
        if step.padding == "none" and step.displace is None:
            continue
        x, y = _project(pending, x, y)
        pending = []
        if step.displace is not None:
            moved = step.displace(x, y)
            x, y = (_select(step.gate, new, old) for new, old in zip(moved, (x, y), strict=True))
        if step.padding == "zeros":
            outside.insert(0, (x, y, step))
        else:
            height, width = step.in_size
            x, y = _fold(x, width, step.padding), _fold(y, height, step.padding)
    if pending:
        x, y = _project(pending, x, y)
    return x, y, outside


def _project(steps: Sequence[Step], x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    m = mat.compose(*(step.matrix for step in steps))

    def entry(i: int, j: int) -> Tensor:
        return m[:, i, j, None, None]

    if all(step.separable for step in steps):
        return entry(0, 0) * x + entry(0, 2), entry(1, 1) * y + entry(1, 2)
    u = entry(0, 0) * x + (entry(0, 1) * y + entry(0, 2))
    v = entry(1, 0) * x + (entry(1, 1) * y + entry(1, 2))
    if any(step.projective for step in steps):
        w = entry(2, 0) * x + (entry(2, 1) * y + entry(2, 2))
        return u / w, v / w
    return u, v


def _fold(position: Tensor, extent: int | Tensor, padding: str) -> Tensor:
    """Brings positions outside [0, extent) back in by repeating the border or by mirroring."""
    n = per_sample(extent)
    if padding == "none":
        return position
    if padding == "border":
        return clamp(position, (0, extent - 1))
    low, span = (-0.5, n) if padding == "reflection" else (0.0, n - 1)
    if isinstance(span, int) and span == 0:
        return torch.zeros_like(position)
    around = torch.remainder(position - low, 2 * span)
    return low + torch.minimum(around, 2 * span - around)


def _whole(size: Size) -> Window:
    return Window((0, size[0] - 1), (0, size[1] - 1))


def _window(steps: Sequence[Step]) -> Window:
    """What is left of the source by crops that come before any interpolation."""
    window = _whole(steps[0].in_size)
    before: list[Step] = []
    for step in steps:
        if step.window is not None:
            top, left, height, width = step.window
            x1, x2, y1, y2 = left, left + width - 1, top, top + height - 1
            if before:
                m = mat.compose(*(s.matrix for s in before))
                x1, x2 = m[:, 0, 0] * x1 + m[:, 0, 2], m[:, 0, 0] * x2 + m[:, 0, 2]
                y1, y2 = m[:, 1, 1] * y1 + m[:, 1, 2], m[:, 1, 1] * y2 + m[:, 1, 2]
            window = Window(_meet(window.rows, y1, y2), _meet(window.columns, x1, x2))
        before.append(step)
        if not (step.lattice and step.separable and step.padding == "none"):
            break  # what is interpolated before a crop is not limited by it
    return window


def _meet(span: Span, first: float | Tensor, last: float | Tensor) -> Span:
    """The pixels of a span that lie between two positions, in whatever order."""
    if not any(isinstance(end, Tensor) for end in (*span, first, last)):
        return max(span[0], min(first, last)), min(span[1], max(first, last))
    like = next(end for end in (first, last, *span) if isinstance(end, Tensor))
    first, last, low, high = (torch.zeros_like(like) + end for end in (first, last, *span))
    return (
        torch.maximum(low, torch.minimum(first, last).round()),
        torch.minimum(high, torch.maximum(first, last).round()),
    )


def _footprint(steps: Sequence[Step]) -> Footprint:
    """Filter radii: the minification of the whole run per sample, at least 1 and at most what its steps ask for.

    It is the length of the source axis' row of the Jacobian at the centre of the output: 1 for a rotation, a crop's
    size over the output's for a resized crop.
    """
    separable = all(step.separable for step in steps)
    bounds = [max(1.0, math.prod([step.bound[axis] for step in steps])) for axis in (0, 1)]
    limits = [math.prod([step.shrink[axis] for step in steps]) for axis in (0, 1)]
    if max(bounds) == 1:
        return Footprint(separable=separable)
    if not separable:  # turned axes take on each other's
        bounds, limits = [max(bounds)] * 2, [_larger(*limits)] * 2
    m = mat.compose(*(step.matrix for step in steps))
    height, width = steps[-1].out_size
    cx, cy = (width - 1) / 2, (height - 1) / 2
    u, v, w = (m[:, i, 0] * cx + m[:, i, 1] * cy + m[:, i, 2] for i in range(3))
    radii = []
    for row, position, limit in ((1, v, limits[0]), (0, u, limits[1])):
        gradient = [(m[:, row, j] - position / w * m[:, 2, j]) / w for j in range(2)]
        length = torch.hypot(*gradient)
        length = length.minimum(limit.to(length.dtype)) if isinstance(limit, Tensor) else length.clamp(max=limit)
        radii.append(length.clamp(min=1))
    return Footprint((radii[0], radii[1]), (bounds[0], bounds[1]), separable)


def _larger(a: float | Tensor, b: float | Tensor) -> float | Tensor:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return torch.maximum(a, b)
    return max(a, b)


def _fill_outside(image: Images | Planes, outside: Outside, sharp: bool) -> Images | Planes:
    """Blends to a frame's fill value where a position is outside of it, over one pixel as interpolation does.

    `sharp` changes over from one pixel to the next, as values that are not interpolated do.
    """
    for x, y, step in outside:
        dtype = dtype_of(image)
        height, width = (per_sample(extent) for extent in step.in_size)
        if sharp:
            inside = _inside(x, width) & _inside(y, height)
            fill = round(step.fill * 255) if dtype == torch.uint8 else step.fill
            image = each(image, lambda p, i=inside, f=fill: torch.where(i, p, f).to(p.dtype))
            continue
        cover = (_cover(x, width) * _cover(y, height)).to(dtype)
        rest = step.fill * (1 - cover) if step.fill else 0.0
        image = each(image, lambda p, c=cover, r=rest: p * c + r)
    return image


def _cover(position: Tensor, extent: int | Tensor) -> Tensor:
    """How much of a unit tent at a position lies inside [0, extent): 1 inside, 0 from one pixel outside on."""
    return torch.minimum(position + 1, extent - position).clamp(0, 1)


def _inside(position: Tensor, extent: int | Tensor) -> Tensor:
    return (position >= -0.5) & (position < extent - 0.5)


def _warp_mask(mask: Tensor, x: Grid, y: Grid, outside: Outside) -> Tensor:
    layered = mask if mask.ndim == 4 else mask[:, None]
    planes = sample(layered, x, y, _whole(layered.shape[-2:]), "nearest")
    for u, v, step in outside:
        height, width = (per_sample(extent) for extent in step.in_size)
        inside = _inside(u, width) & _inside(v, height)
        planes = each(planes, lambda p, i=inside: torch.where(i, p, 0).to(p.dtype))
    out = torch.stack(planes, dim=1)
    return out if mask.ndim == 4 else out[:, 0]


def _forward(steps: Sequence[Step], points: mat.Points) -> mat.Points:
    """Where points of the source end up in the output."""
    moved = points.to(steps[0].matrix.dtype)
    for step in steps:
        moved = mat.apply(mat.inverse(step.matrix), moved)
    return moved.to(points.dtype)


def _warp_boxes(steps: Sequence[Step], boxes: Float[Tensor, "b n 4"], size: tuple[int, int]) -> Float[Tensor, "b n 4"]:
    """The upright boxes around the mapped corners, clipped to the output."""
    x1, y1, x2, y2 = boxes.unbind(-1)
    corners = torch.stack([x1, y1, x2, y1, x2, y2, x1, y2], dim=-1).unflatten(-1, (4, 2)) - 0.5
    moved = _forward(steps, corners.flatten(1, 2)).unflatten(1, corners.shape[1:3]) + 0.5
    low, high = moved.amin(2), moved.amax(2)
    x1, y1, x2, y2 = *low.unbind(-1), *high.unbind(-1)
    return torch.stack(
        [edge.clamp(0, limit) for edge, limit in zip((x1, y1, x2, y2), (size[1], size[0]) * 2, strict=True)],
        dim=-1,
    )


def _select(gate: PerSample | None, chosen: Tensor, other: Tensor) -> Tensor:
    return chosen if gate is None else torch.where(gate[:, None, None], chosen, other)
