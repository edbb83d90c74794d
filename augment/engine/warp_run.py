"""A run of warps as one pass: fold the maps, trace every output pixel back to the source, sample there once.

The result is what applying the steps one by one would give, frames and borders included, without the blur of
resampling again and again. Masks, boxes and keypoints take the same way.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from augment.data.batch import Batch
from augment.data.pixels import dtype_of, each, per_sample
from augment.data.types import Bool, Images, Planes
from augment.engine.annotations import warp_boxes, warp_keypoints, warp_mask
from augment.geometry import matrix as mat
from augment.geometry.interpolation import Footprint, Grid, Span, Window, clamp, kernel_name
from augment.geometry.motion import Step, look, project, shrinks
from augment.kernels.cpu import warping as native
from augment.kernels.cuda import warping as gpu
from augment.kernels.reference.sampling import sample

Outside = list[tuple[Grid, Grid, Step]]
"""Frames that show what lies outside of them: the positions in the frame, and its step."""


def warp(batch: Batch, steps: Sequence[Step], interpolation: str = "bilinear") -> Batch:
    """Applies a run of steps, the last of which fixes the size, to the image and to every annotation of a batch."""
    size = steps[-1].out_size
    if all(step.lattice for step in steps):
        interpolation = "nearest"  # and exact
    on_cpu = native.serves(batch.image, steps, interpolation)
    on_gpu = gpu.serves(batch.image, steps, interpolation)
    if not (on_cpu or on_gpu) or batch.mask is not None:
        x, y, outside = _trace(steps, size)
    if on_cpu:
        image = native.warped(batch.image, steps, _window(steps), _footprint(steps))
    elif on_gpu:
        image = gpu.warped(batch.image, steps, _window(steps), interpolation, batch.between)
    else:
        kernel = kernel_name(interpolation, interpolation == "bicubic" and _antialiased(steps))
        image = sample(batch.image, x, y, _window(steps), kernel, _footprint(steps), _moved(steps))
        image = _fill_outside(image, outside, sharp=interpolation == "nearest")
    changes = {"image": image}
    if batch.mask is not None:
        inside = [_inside(u, step.in_size[1]) & _inside(v, step.in_size[0]) for u, v, step in outside]
        changes["mask"] = warp_mask(batch.mask, x, y, inside)
    if batch.keypoints is not None:
        changes |= warp_keypoints(steps, batch)
    if batch.boxes is not None:
        changes |= warp_boxes(steps, batch)
    return batch.replace(**changes)


def _moved(steps: Sequence[Step]) -> Bool[Tensor, " b"] | None:
    """Which samples any of the steps moves; None for all."""
    gates = [step.gate for step in steps]
    return None if any(gate is None for gate in gates) else torch.stack(gates).any(0)


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
        if step.padding == "none" and step.displace is None and step.copied is None:
            continue
        if step.displace is None:
            x, y = project(pending, x, y)
        else:
            x, y = look(step, *(project(pending[1:], x, y) if pending[1:] else (x, y)))
        pending = []
        if step.copied is not None:
            x, y = step.copied(x, y)
        if step.padding == "zeros":
            outside.insert(0, (x, y, step))
        else:
            height, width = step.in_size
            x, y = _fold(x, width, step.padding), _fold(y, height, step.padding)
    if pending:
        x, y = project(pending, x, y)
    return x, y, outside


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
    if isinstance(span, Tensor):  # the mirror image of a single pixel is that pixel
        around = torch.remainder(position - low, 2 * span.clamp(min=1))
        return low + torch.minimum(around, 2 * span - around).clamp(min=0)
    around = torch.remainder(position - low, 2 * span)
    return low + torch.minimum(around, 2 * span - around)


def _window(steps: Sequence[Step]) -> Window:
    """What is left of the source by crops that come before any interpolation."""
    window = Window.whole(steps[0].in_size)
    before: list[Step] = []
    for step in steps:
        if step.window is not None:
            top, left, height, width = step.window
            x1, x2, y1, y2 = left, left + width - 1, top, top + height - 1
            if step.padding in ("reflect", "reflection"):
                x1, x2 = _with_mirror_image(x1, x2, step.in_size[1], step.padding)
                y1, y2 = _with_mirror_image(y1, y2, step.in_size[0], step.padding)
            if before:
                m = mat.compose(*(s.matrix for s in before))
                x1, x2 = m[:, 0, 0] * x1 + m[:, 0, 2], m[:, 0, 0] * x2 + m[:, 0, 2]
                y1, y2 = m[:, 1, 1] * y1 + m[:, 1, 2], m[:, 1, 1] * y2 + m[:, 1, 2]
            window = Window(_meet(window.rows, y1, y2), _meet(window.columns, x1, x2))
        before.append(step)
        if not (step.lattice and step.separable and step.padding == "none"):
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
    if not any(isinstance(end, Tensor) for end in (*span, first, last)):
        low, high = span
        return min(max(low, min(first, last)), high), max(min(high, max(first, last)), low)
    like = next(end for end in (first, last, *span) if isinstance(end, Tensor))
    first, last, low, high = (torch.zeros_like(like) + end for end in (first, last, *span))
    return (
        torch.minimum(torch.maximum(low, torch.minimum(first, last).round()), high),
        torch.maximum(torch.minimum(high, torch.maximum(first, last).round()), low),
    )


def _antialiased(steps: Sequence[Step]) -> bool:
    """Whether any step changes the size with antialiasing."""
    return any(isinstance(shrink, Tensor) or shrink != 1 for step in steps for shrink in step.shrink)


def _footprint(steps: Sequence[Step]) -> Footprint:
    """Filter radii: the minification of the whole run per sample, at least 1 and at most what its steps ask for.

    It is the length of the source axis' row of the Jacobian at the centre of the output: 1 for a rotation, a crop's
    size over the output's for a resized crop.
    """
    separable = all(step.separable for step in steps)
    limits, bounds = shrinks(steps)
    if max(bounds) == 1:
        return Footprint(separable=separable)
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
    return Footprint((radii[0], radii[1]), bounds, separable)


def _fill_outside(image: Images | Planes, outside: Outside, sharp: bool) -> Images | Planes:
    """Blends to a frame's fill value where a position is outside of it, over one pixel as interpolation does.

    `sharp` changes over from one pixel to the next, as values that are not interpolated do.
    """
    for x, y, step in outside:
        dtype = dtype_of(image)
        height, width = (per_sample(extent) for extent in step.in_size)
        if sharp:
            inside = _inside(x, step.in_size[1]) & _inside(y, step.in_size[0])
            fill = round(step.fill * 255) if dtype == torch.uint8 else step.fill
            if isinstance(image, Tensor):
                image = torch.where(inside[:, None], image, fill).to(dtype)
            else:
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
    return (position >= -0.5) & (position < per_sample(extent) - 0.5)
