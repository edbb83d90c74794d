"""Sampling dense images in eager mode by torch's own kernels: matrix products where rows stay rows, or `grid_sample`.

On a CPU each sample is given what it needs: four pixels for a value if it is enlarged, more only if it shrinks.
"""

import math
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from augment.data.packed import PackedImages
from augment.data.pixels import dtype_of, per_sample, stacked, to_float
from augment.data.subset import rows_of
from augment.data.types import Images, Num, PerSample, Planes
from augment.geometry.interpolation import KERNELS, Footprint, Grid, Kernel, Window, clamp, inside, paired, taps_of

SampledImages = Num[Tensor, "b c oh ow"]


def _dense(image: Images | PackedImages | Planes) -> Images:
    """A float image in the planar order that the eager kernels are fast on."""
    image = image.padded() if isinstance(image, PackedImages) else stacked(image)
    return to_float(image.contiguous() if image.dtype == torch.uint8 else image)


def resized(
    image: Images | PackedImages | Planes, x: Grid, y: Grid, window: Window, footprint: Footprint, kernel: Kernel
) -> SampledImages:
    """By matrix products, where rows stay rows and columns stay columns. For any interpolation."""
    value = _dense(image).contiguous()
    products = partial(_matrix_products, kernel=kernel)
    if kernel.support > 1:
        return _within_bytes(products(value, x, y, window, footprint), image)
    return _no_brighter(_by_need(value, x, y, window, footprint, products), value)


def grid_samples(
    image: Images | PackedImages | Planes,
    x: Grid,
    y: Grid,
    window: Window,
    footprint: Footprint,
    moved: PerSample | None,
) -> SampledImages:
    """By torch's bilinear kernel, at any positions."""
    value = _dense(image)
    out = _by_need(value, x, y, window, footprint, _fetched)
    if moved is not None and out.shape == value.shape:  # grid_sample's normalised coordinates round
        out = torch.where(moved[:, None, None, None], out, value)
    return _no_brighter(out, value)


def _within_bytes(out: SampledImages, image: Images | PackedImages | Planes) -> SampledImages:
    """Cut to [0, 1] what bicubic interpolation takes beyond the range of bytes; floats have none."""
    bytes = isinstance(image, PackedImages) or dtype_of(image) == torch.uint8
    return out.clamp(0, 1) if bytes else out


def _no_brighter(out: SampledImages, value: Images) -> SampledImages:
    """Takes back what rounding adds to a mean of equal values, such as white; gradients are those of the mean."""
    with torch.no_grad():
        most = value.amax((1, 2, 3), keepdim=True)
        return out.clamp_(max=most.nan_to_num(nan=math.inf, posinf=math.inf))


Sampler = Callable[[Images, Grid, Grid, Window, Footprint], SampledImages]


def _by_need(
    value: Images, x: Grid, y: Grid, window: Window, footprint: Footprint, antialiased: Sampler
) -> SampledImages:
    """Antialiases the samples that shrink and interpolates the others, which is the same for them and takes less."""
    radii = [radius for radius in footprint.radius if isinstance(radius, Tensor)]
    shrinks = torch.stack([radius > 1 for radius in radii]).any(0) if radii else None
    rows = None if shrinks is None else rows_of(shrinks)
    if rows is None or len(rows) == len(value):
        return antialiased(value, x, y, window, footprint)
    rest = rows_of(~shrinks)
    enlarged = _fetched(value.index_select(0, rest), x[rest], y[rest], window.taken(rest), Footprint())
    if not len(rows):
        return enlarged
    some = value.index_select(0, rows)
    shrunk = antialiased(some, x[rows], y[rows], window.taken(rows), footprint.taken(rows))
    return torch.cat([shrunk, enlarged]).index_select(0, torch.cat([rows, rest]).argsort())


def _matrix_products(
    value: Images, x: Grid, y: Grid, window: Window, footprint: Footprint, kernel: Kernel
) -> SampledImages:
    """rows @ image @ columns. On a CPU only: on a GPU, TF32 may round the weights."""
    weights = []
    for position, span, pixels, radius in (
        (y[:, :, :1], window.rows, value.shape[-2], footprint.radius[0]),
        (x[:, 0, :, None], window.columns, value.shape[-1], footprint.radius[1]),
    ):
        pixel = torch.arange(pixels, device=position.device, dtype=position.dtype)
        distance = (clamp(position, span, margin=0.5) - pixel) / per_sample(radius)
        weight = kernel.weight(distance) * inside(pixel, span)
        weights.append((weight / weight.sum(-1, keepdim=True)).to(value.dtype))
    vertical, horizontal = weights
    batch, channels, height, width = value.shape
    # the channels as a batch, then as rows: broadcast products are twice as slow
    rows = vertical.repeat_interleave(channels, dim=0) @ value.reshape(batch * channels, height, width)
    lines = rows.reshape(batch, channels * vertical.shape[1], width) @ horizontal.mT
    return lines.unflatten(1, (channels, vertical.shape[1]))


def _fetched(value: Images, x: Grid, y: Grid, window: Window, footprint: Footprint) -> SampledImages:
    """The taps by torch's bilinear kernel, which fetches two neighbouring ones of an axis at once."""
    fetches = []
    spans = (window.rows, window.columns)
    for position, span, radius, bound in zip((y, x), spans, footprint.radius, footprint.bound, strict=True):
        if bound == 1:
            fetches.append([(clamp(position, span), None)])
        else:
            fetches.append(paired(taps_of(position, span, radius, math.ceil(2 * bound), KERNELS["bilinear"])))
    out = None
    for row, row_weight in fetches[0]:
        for column, column_weight in fetches[1]:
            fetched = _grid_sample(value, column, row)
            weights = [weight[:, None] for weight in (row_weight, column_weight) if weight is not None]
            fetched = math.prod(weights, start=fetched)
            out = fetched if out is None else out + fetched
    return out


def _grid_sample(image: Images, x: Grid, y: Grid) -> SampledImages:
    """Bilinear interpolation at positions inside the image."""
    height, width = image.shape[-2:]
    x, y = torch.broadcast_tensors((2 * x + 1) / width - 1, (2 * y + 1) / height - 1)
    grid = torch.stack([x, y], dim=-1).to(image.dtype)
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=False)
