"""A run of warps as one pass: fold the maps, trace every output pixel back to the source, sample there once.

The result is what applying the steps one by one would give, frames and borders included, without the blur of
resampling again and again.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from augment.data.operator import operator
from augment.data.pixels import dtype_of, each, per_sample, stacked, to_float
from augment.data.subset import Drawn, Parts, on_chosen, takes_rows
from augment.data.types import Bool, Images, Planes
from augment.geometry.interpolation import Grid, clamp, kernel_name
from augment.geometry.motion import Step, look, project
from augment.geometry.reach import antialiased, footprint_of, window_of
from augment.kernels.reference.sampling import SampledImages, SampledPlanes, sample
from augment.kernels.source import Source

Outside = list[tuple[Grid, Grid, Step]]
"""Frames that show what lies outside of them: the positions in the frame, and its step."""

Geometry = Callable[[Drawn, Source], list[Step]]
"""The steps of a run, from the raw draws of some samples and their images."""


@operator
def warp(
    image: Source,
    chosen: Bool[Tensor, " b"] | None,
    drawn: Drawn,
    geometry: Geometry,
    interpolation: str,
    plain: bool,
    kept: torch.dtype,
) -> SampledImages | SampledPlanes:
    """Images through a run of warps.

    Args:
        image: (B, C, H, W), C planes (B, H, W) or packed images, uint8 or float.
        chosen: (B,) which samples the run moves, where it keeps the size of the images; None if all may move.
        drawn: the raw draws of the run's layers.
        geometry: makes its steps of them.
        interpolation: "nearest", "bilinear" or "bicubic".
        plain: whether the run is one affine map that shows a fill value outside of the image.
        kept: the type of floats that a kernel of a GPU may return, or uint8.

    Returns:
        The image's own type for "nearest", else floats in [0, 1] but for what bicubic overshoots.
    """
    if chosen is None or not takes_rows(chosen):  # a gate is part of each matrix
        return resample(image, geometry(drawn, image), interpolation, kept)

    def moved(some: Parts, params: Drawn) -> Parts:
        return (stacked(resample(some[0], geometry(params, some[0]), interpolation, kept)),)

    before = stacked(image) if interpolation == "nearest" else to_float(stacked(image))
    return on_chosen(chosen, moved, (before,), drawn)[0]


@operator
def resample(image: Source, steps: list[Step], interpolation: str, kept: torch.dtype) -> SampledImages | SampledPlanes:
    """Images sampled once where a run of steps looks, the last of which fixes the size; see `warp`."""
    x, y, outside = trace(steps, steps[-1].out_size)
    kernel = kernel_name(interpolation, interpolation == "bicubic" and antialiased(steps))
    image = sample(image, x, y, window_of(steps), kernel, footprint_of(steps), _moved(steps))
    return _fill_outside(image, outside, sharp=interpolation == "nearest")


def _moved(steps: Sequence[Step]) -> Bool[Tensor, " b"] | None:
    """Which samples any of the steps moves; None for all."""
    gates = [step.gate for step in steps]
    return None if any(gate is None for gate in gates) else torch.stack(gates).any(0)


def trace(steps: Sequence[Step], size: tuple[int, int]) -> tuple[Grid, Grid, Outside]:
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


def _fill_outside(image: Images | Planes, outside: Outside, sharp: bool) -> Images | Planes:
    """Blends to a frame's fill value where a position is outside of it, over one pixel as interpolation does.

    `sharp` changes over from one pixel to the next, as values that are not interpolated do.
    """
    for x, y, step in outside:
        dtype = dtype_of(image)
        height, width = (per_sample(extent) for extent in step.in_size)
        if sharp:
            inside = is_inside(x, step.in_size[1]) & is_inside(y, step.in_size[0])
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


def is_inside(position: Tensor, extent: int | Tensor) -> Tensor:
    return (position >= -0.5) & (position < per_sample(extent) - 0.5)
