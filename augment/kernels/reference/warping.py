"""A run of warps in one pass: every output pixel is traced back to the source, which is sampled there once.

The result is the same as after each motion by itself, borders included, without the blur of repeated resampling.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from augment.data.constants import constant
from augment.data.known import unpacked, whole_size
from augment.data.operator import operator
from augment.data.pixels import dtype_of, each, per_sample, planes, stacked, to_float
from augment.data.subset import Drawn, Parts, on_chosen, takes_rows
from augment.data.types import Bool, Images, Planes
from augment.geometry.fill import by_channel, in_bytes
from augment.geometry.interpolation import Grid, clamp, kernel_name
from augment.geometry.motion import Motion, look, project
from augment.geometry.reach import antialiased, footprint_of, window_of
from augment.kernels.reference.sampling import SampledImages, SampledPlanes, sample
from augment.kernels.source import Source

Outside = list[tuple[Grid, Grid, Motion]]
"""Motions that fill pixels outside their input frame, each with the positions x, y in that frame."""

Geometry = Callable[[Drawn, Source], list[Motion]]
"""Makes the motions of a run from the raw draws of some samples and their images."""


@operator
def warp(
    image: Source,
    chosen: Bool[Tensor, " b"] | None,
    drawn: Drawn,
    geometry: Geometry,
    interpolation: str,
    plain: bool,
    gpu_dtype: torch.dtype,
) -> SampledImages | SampledPlanes:
    """Applies a run of warps to images.

    Args:
        image: (B, C, H, W), C planes (B, H, W) or packed images, uint8 or float.
        chosen: (B,) bool, which samples the run moves if it keeps the size of the images; None if all may move.
        drawn: raw draws of the run's layers.
        geometry: makes the motions of the run from the draws.
        interpolation: "nearest", "bilinear" or "bicubic".
        plain: whether the run is one affine map with a fill value outside the image.
        gpu_dtype: type in which a GPU kernel may return interpolated values: a float type, or uint8.

    Returns:
        The image's own type for "nearest", otherwise floats in [0, 1], which bicubic interpolation may overshoot.
    """
    if chosen is None or not takes_rows(chosen):  # a gate is part of each matrix
        return resample(image, geometry(drawn, image), interpolation, gpu_dtype)

    def resampled(parts: Parts, params: Drawn) -> Parts:
        (images,) = parts
        return (stacked(resample(images, geometry(params, images), interpolation, gpu_dtype)),)

    before = stacked(unpacked(image))
    before = before if interpolation == "nearest" else to_float(before)
    return on_chosen(chosen, resampled, (before,), drawn)[0]


@operator
def resample(
    image: Source, motions: list[Motion], interpolation: str, gpu_dtype: torch.dtype
) -> SampledImages | SampledPlanes:
    """Samples images once where a run of motions looks; the last motion fixes the size. See `warp`."""
    x, y, outside = trace(motions, whole_size(motions[-1].out_size))
    kernel = kernel_name(interpolation, interpolation == "bicubic" and antialiased(motions))
    sampled = sample(image, x, y, window_of(motions), kernel, footprint_of(motions), _moved(motions))
    return _fill_outside(sampled, outside, sharp=interpolation == "nearest")


def _moved(motions: Sequence[Motion]) -> Bool[Tensor, " b"] | None:
    """Returns (B,) which samples any of the motions moves; None for all."""
    gates = [motion.gate for motion in motions if motion.gate is not None]
    return torch.stack(gates).any(0) if len(gates) == len(motions) else None


def trace(motions: Sequence[Motion], size: tuple[int, int]) -> tuple[Grid, Grid, Outside]:
    """Returns the source positions x, y of the output pixels (height, width), and the motions that fill pixels outside.

    Neighbouring matrices are multiplied first; positions are computed only where the border of a frame matters.
    """
    like = motions[0].matrix
    y = torch.arange(size[0], device=like.device, dtype=like.dtype)[None, :, None]
    x = torch.arange(size[1], device=like.device, dtype=like.dtype)[None, None, :]
    pending: list[Motion] = []
    outside: Outside = []
    for motion in reversed(motions):
        pending.insert(0, motion)
        if motion.padding == "none" and motion.displace is None and motion.copied is None:
            continue
        if motion.displace is None:
            x, y = project(pending, x, y)
        else:
            x, y = look(motion, *(project(pending[1:], x, y) if pending[1:] else (x, y)))
        pending = []
        if motion.copied is not None:
            x, y = motion.copied(x, y)
        if motion.padding == "zeros":
            outside.insert(0, (x, y, motion))
        else:
            height, width = motion.in_size
            x, y = _fold(x, width, motion.padding), _fold(y, height, motion.padding)
    if pending:
        x, y = project(pending, x, y)
    return x, y, outside


def _fold(position: Tensor, extent: int | Tensor, padding: str) -> Tensor:
    """Moves positions outside [0, extent) inside, to the border or to the mirrored position."""
    n = per_sample(extent)
    if padding == "none":
        return position
    if padding == "border":
        return clamp(position, (0, extent - 1))
    low, span = (-0.5, n) if padding == "reflection" else (0.0, n - 1)
    if isinstance(span, int) and span == 0:
        return torch.zeros_like(position)
    if isinstance(span, Tensor):  # the mirror image of a single pixel is that pixel
        phase = torch.remainder(position - low, 2 * span.clamp(min=1))
        return low + torch.minimum(phase, 2 * span - phase).clamp(min=0)
    phase = torch.remainder(position - low, 2 * span)
    return low + torch.minimum(phase, 2 * span - phase)


def _fill_outside(image: Images | Planes, outside: Outside, sharp: bool) -> Images | Planes:
    """Applies the fill values outside the frames: `sharp` replaces pixels, otherwise it blends over one pixel."""
    for x, y, motion in outside:
        image = _filled(image, x, y, motion) if sharp else _blended(image, x, y, motion)
    return image


def _filled(image: Images | Planes, x: Grid, y: Grid, motion: Motion) -> Images | Planes:
    """Replaces pixels at positions outside the input frame of a motion by its fill value."""
    inside = is_inside(x, motion.in_size[1]) & is_inside(y, motion.in_size[0])
    fill = in_bytes(motion.fill) if dtype_of(image) == torch.uint8 else motion.fill
    if isinstance(image, tuple):
        pairs = zip(image, by_channel(fill, len(image)), strict=True)
        return tuple(torch.where(inside, plane, value).to(plane.dtype) for plane, value in pairs)
    colour = constant(fill, image)[:, None, None] if isinstance(fill, tuple) else fill
    return torch.where(inside[:, None], image, colour).to(image.dtype)


def _blended(image: Images | Planes, x: Grid, y: Grid, motion: Motion) -> Planes:
    """Blends with the fill value of a motion by how much of a pixel at a position lies outside its input frame."""
    height, width = (per_sample(extent) for extent in motion.in_size)
    cover = (_cover(x, width) * _cover(y, height)).to(dtype_of(image))
    if isinstance(motion.fill, tuple):
        outside = 1 - cover
        pairs = zip(planes(image), motion.fill, strict=True)
        return tuple(plane * cover + value * outside for plane, value in pairs)
    rest = motion.fill * (1 - cover) if motion.fill else 0.0
    return each(image, lambda plane: plane * cover + rest)


def _cover(position: Tensor, extent: float | Tensor) -> Tensor:
    """Returns how much of a unit tent at a position lies in [0, extent): 1 inside, 0 from one pixel outside on."""
    return torch.minimum(position + 1, extent - position).clamp(0, 1)


def is_inside(position: Tensor, extent: int | Tensor) -> Tensor:
    """Whether the nearest pixel to a position is one of 0 ... extent - 1."""
    return (position >= -0.5) & (position < per_sample(extent) - 0.5)
