"""Sampling in eager mode by torch's own kernels: matrix products where rows stay rows, `grid_sample` elsewhere.

On a CPU, samples that shrink are antialiased, and the others are read with four pixels for each value.
"""

import math
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from augment.data.known import known
from augment.data.packed import PackedImages
from augment.data.pixels import per_sample, stacked, to_float
from augment.data.subset import rows_of
from augment.data.types import Images, Num, PerSample
from augment.geometry.interpolation import KERNELS, Footprint, Grid, Kernel, Tap, Window, clamp, inside, paired, taps_of
from augment.kernels.reference.filtering import total
from augment.kernels.source import Source, source_dtype

SampledImages = Num[Tensor, "b c oh ow"]


def _dense(image: Source) -> Images:
    """Returns float images (B, C, H, W); bytes become contiguous first, the order in which torch's kernels are fast."""
    image = image.padded() if isinstance(image, PackedImages) else stacked(image)
    return to_float(image.contiguous() if image.dtype == torch.uint8 else image)


def resized(image: Source, x: Grid, y: Grid, window: Window, footprint: Footprint, kernel: Kernel) -> SampledImages:
    """Samples by matrix products where rows stay rows and columns stay columns, with any interpolation."""
    value = _dense(image).contiguous()
    products = partial(_matrix_products, kernel=kernel)
    if kernel.support > 1:
        return _within_bytes(products(value, x, y, window, footprint, limited=overshoots(image, kernel)), image)
    return _no_brighter(_by_need(value, x, y, window, footprint, products), value)


def resized_at_any_size(
    image: Source, x: Grid, y: Grid, window: Window, footprint: Footprint, kernel: Kernel
) -> SampledImages:
    """Samples as `resized` in exported code: the matrices have the image's size, and no number of taps is needed.

    Raises:
        ValueError: rows do not stay rows.
    """
    if not footprint.separable:
        raise ValueError(
            "a program for images of any size cannot hold an antialiased resize that is joined with a rotation or a "
            "shear: export it for one height and width."
        )
    value = _dense(image)
    return _within_bytes(
        _matrix_products(value, x, y, window, footprint, kernel, limited=overshoots(image, kernel)), image
    )


def grid_samples(
    image: Source,
    x: Grid,
    y: Grid,
    window: Window,
    footprint: Footprint,
    moved: PerSample | None,
) -> SampledImages:
    """Samples by torch's bilinear kernel at any positions; images that `moved` (B,) excludes stay exact to the bit."""
    value = _dense(image)
    out = _by_need(value, x, y, window, footprint, _fetched)
    if moved is not None and out.shape == value.shape:  # grid_sample rounds normalised coordinates
        out = torch.where(moved[:, None, None, None], out, value)
    return _no_brighter(out, value)


def overshoots(image: Source, kernel: Kernel) -> bool:
    """Whether values are cut to [0, 1] after the horizontal pass too: Pillow and torch do so with bytes."""
    return source_dtype(image) == torch.uint8 and kernel.support > 1 and not kernel.repeats


def _within_bytes(out: SampledImages, image: Source) -> SampledImages:
    """Clamps to [0, 1] if the source is bytes, because bicubic interpolation overshoots; floats have no range."""
    return out.clamp(0, 1) if source_dtype(image) == torch.uint8 else out


def _no_brighter(out: SampledImages, value: Images) -> SampledImages:
    """Clamps to each image's largest value, which rounding can exceed if all taps are equal; gradients ignore it."""
    with torch.no_grad():
        most = value.amax((1, 2, 3), keepdim=True)
        return out.clamp_(max=most.nan_to_num(nan=math.inf, posinf=math.inf))


Sampler = Callable[[Images, Grid, Grid, Window, Footprint], SampledImages]


def _by_need(
    value: Images, x: Grid, y: Grid, window: Window, footprint: Footprint, antialiased: Sampler
) -> SampledImages:
    """Antialiases the samples that shrink and interpolates the others, for which the result is the same and cheaper."""
    radii = [radius for radius in footprint.radius if isinstance(radius, Tensor)]
    if not radii:
        return antialiased(value, x, y, window, footprint)
    shrinks = torch.stack([radius > 1 for radius in radii]).any(0)
    shrinking = rows_of(shrinks)
    if shrinking is None or len(shrinking) == len(value):
        return antialiased(value, x, y, window, footprint)
    if not len(shrinking):
        return _fetched(value, x, y, window, Footprint())
    others = known(rows_of(~shrinks))
    enlarged = _fetched(value.index_select(0, others), x[others], y[others], window.taken(others), Footprint())
    large = value.index_select(0, shrinking)
    shrunk = antialiased(large, x[shrinking], y[shrinking], window.taken(shrinking), footprint.taken(shrinking))
    return torch.cat([shrunk, enlarged]).index_select(0, torch.cat([shrinking, others]).argsort())


def _matrix_products(
    value: Images, x: Grid, y: Grid, window: Window, footprint: Footprint, kernel: Kernel, limited: bool = False
) -> SampledImages:
    """Computes vertical weights @ image @ horizontal weights. Only for a CPU: on a GPU, TF32 may round the weights.

    `limited` cuts to [0, 1] what the horizontal weights give; they then come first.
    """
    weights = []
    for position, span, pixels, radius in (
        (y[:, :, :1], window.rows, value.shape[-2], footprint.radius[0]),
        (x[:, 0, :, None], window.columns, value.shape[-1], footprint.radius[1]),
    ):
        pixel = torch.arange(pixels, device=position.device, dtype=position.dtype)
        distance = clamp(position, span, margin=0.5) - pixel
        weight = kernel.at(distance, per_sample(radius)) * inside(pixel, span)
        weights.append((weight / weight.sum(-1, keepdim=True)).to(value.dtype))
    vertical, horizontal = weights
    batch, channels, height, width = value.shape
    # channels are first part of the batch and then of the rows, because broadcast products are twice as slow
    if limited:
        half = (value.reshape(batch, channels * height, width) @ horizontal.mT).clamp(0, 1)
        half = half.reshape(batch * channels, height, horizontal.shape[1])
        return (vertical.repeat_interleave(channels, dim=0) @ half).unflatten(0, (batch, channels))
    half = vertical.repeat_interleave(channels, dim=0) @ value.reshape(batch * channels, height, width)
    out = half.reshape(batch, channels * vertical.shape[1], width) @ horizontal.mT
    return out.unflatten(1, (channels, vertical.shape[1]))


def _fetched(value: Images, x: Grid, y: Grid, window: Window, footprint: Footprint) -> SampledImages:
    """Sums taps that torch's bilinear kernel reads; one read gives two neighbouring taps along each axis."""
    fetches: list[list[Tap]] = []
    spans = (window.rows, window.columns)
    for position, span, radius, bound in zip((y, x), spans, footprint.radius, footprint.bound, strict=True):
        if bound == 1:
            fetches.append([(clamp(position, span), None)])
        else:
            fetches.append(paired(taps_of(position, span, radius, math.ceil(2 * bound), KERNELS["bilinear"])))
    return total(
        _weighted(_grid_sample(value, column, row), row_weight, column_weight)
        for row, row_weight in fetches[0]
        for column, column_weight in fetches[1]
    )


def _weighted(fetched: SampledImages, *weights: Tensor | None) -> SampledImages:
    """Multiplies by weights (B, H, W); None means 1."""
    for weight in weights:
        fetched = fetched if weight is None else fetched * weight[:, None]
    return fetched


def _grid_sample(image: Images, x: Grid, y: Grid) -> SampledImages:
    """Interpolates bilinearly at positions inside the image."""
    height, width = image.shape[-2:]
    x, y = torch.broadcast_tensors((2 * x + 1) / width - 1, (2 * y + 1) / height - 1)
    grid = torch.stack([x, y], dim=-1).to(image.dtype)
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=False)
