"""Sampling of images at given positions.

`geometry.interpolation` defines pixels and weights, and tests compare the samplers with each other. In eager mode,
`box_resizing` is used on a CPU where a part of a resized box is shown, and `grid_sampling` elsewhere where torch has a
fast operator. Everywhere else taps are read one by one. This works for bytes, packed images and all filters, and
`torch.compile` fuses it with the code around it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from augment.data.context import exporting
from augment.data.operator import operator
from augment.data.packed import PackedImages
from augment.data.pixels import BYTE, any_size, compute_dtype, stacked
from augment.data.primitives import saturated
from augment.data.types import Num, PerSample
from augment.geometry.interpolation import KERNELS, Footprint, Grid, Tap, Window, clamp, taps_of
from augment.kernels.reference.box_resizing import resized_boxes
from augment.kernels.reference.grid_sampling import grid_samples, overshoots, resized, resized_at_any_size
from augment.kernels.reference.two_pass_sampling import two_limited_passes, two_passes
from augment.kernels.source import Source, source_dtype

SampledImages = Num[Tensor, "b c oh ow"]
SampledPlanes = tuple[Num[Tensor, "b oh ow"], ...]


@operator
def sample(
    image: Source,
    x: Grid,
    y: Grid,
    window: Window,
    interpolation: str = "bilinear",
    footprint: Footprint = Footprint(),
    moved: PerSample | None = None,
) -> SampledImages | SampledPlanes:
    """Returns the values at positions x, y; outside the window it repeats the value at the border.

    Args:
        image: (B, C, H, W), C planes (B, H, W) or packed images, uint8 or float.
        x, y: (B, oh, ow) positions in pixels, with size 1 along dimensions where they do not vary.
        window: part of the source that may be read.
        interpolation: "nearest" or a key of KERNELS. "nearest" keeps the dtype; the others give float, in [0, 1] except
            where bicubic interpolation of floats overshoots.
        footprint: area of the source that an output pixel covers, for antialiasing.
        moved: (B,) bool, False for samples of which no pixel moves, which stay exact to the bit; None for all True.
    """
    if interpolation == "nearest":
        return _nearest(image, x, y, window)
    kernel = KERNELS[interpolation]
    taps = [math.ceil(2 * kernel.support * bound) for bound in footprint.bound]
    if not torch.compiler.is_compiling():
        alone = footprint.separable and interpolation == "bilinear"
        boxes = resized_boxes(image, x, y, window, footprint) if alone else None
        if boxes is not None:
            return boxes
        on_cpu = (image.device if isinstance(image, PackedImages) else x.device).type == "cpu"
        if footprint.separable and max(taps) > 2 and on_cpu and not kernel.repeats:
            return resized(image, x, y, window, footprint, kernel)
        if interpolation == "bilinear" and (max(taps) <= 4 or on_cpu):
            return grid_samples(image, x, y, window, footprint, moved)
    if max(taps) > 2 * kernel.support and any_size(image):
        return resized_at_any_size(image, x, y, window, footprint, kernel)
    x, y = torch.nan_to_num(x), torch.nan_to_num(y)  # NaN is no valid index
    rows = taps_of(y, window.rows, footprint.radius[0], taps[0], kernel)
    columns = taps_of(x, window.columns, footprint.radius[1], taps[1], kernel)
    limited = footprint.separable and overshoots(image, kernel)
    planes = _by_taps(image, rows, columns, window, footprint.separable, limited)
    # rounding and bicubic sums slightly exceed [0, 1]
    return tuple(map(saturated, planes)) if source_dtype(image) == torch.uint8 else planes


def _by_taps(
    image: Source, rows: list[Tap], columns: list[Tap], window: Window, separable: bool, limited: bool
) -> SampledPlanes:
    """Returns weighted sums of taps as float planes: written out, along one axis after the other, or in a loop.

    `limited` cuts the sums of bytes along x to their range; these then come first.
    """
    device, count = rows[0][0].device, len(rows) * len(columns)
    if count <= (_PLAIN if separable and device.type == "cpu" else _UNROLLED):
        return _gather(image, rows, columns, limited)
    if separable and not isinstance(image, PackedImages):
        image = stacked(image)
        if limited:
            return _scaled(two_limited_passes(image, rows, columns, _WHITE), image.dtype)
        return _scaled(two_passes(image, rows, columns), image.dtype)
    gather = _looped if torch.compiler.is_compiling() and count > _UNROLLED else _gather
    if not separable or not isinstance(image, PackedImages):
        return gather(image, rows, columns)
    dtype = rows[0][0].dtype
    if limited:
        every_row = torch.arange(image.max_size[0], device=device, dtype=dtype)[None, :, None]
        half = gather(image, [(clamp(every_row, window.rows), None)], columns)
        half = tuple(plane.clamp(0, 1) for plane in half)
        every_column = torch.arange(half[0].shape[2], device=device, dtype=dtype)[None, None, :]
        return gather(half, rows, [(every_column, None)])
    every_column = torch.arange(image.max_size[1], device=device, dtype=dtype)[None, None, :]
    half = gather(image, rows, [(clamp(every_column, window.columns), None)])
    every_row = torch.arange(half[0].shape[1], device=device, dtype=dtype)[None, :, None]
    return gather(half, [(every_row, None)], columns)


# ------------------------------------------------------------------------------------------------------- unrolled taps


_WHITE = 255.0
"""The largest byte."""

_PLAIN = 4
"""Number of taps of bilinear interpolation. A CPU sums more of them faster along one axis after the other."""

_UNROLLED = 16
"""Most taps that are written out one by one; more become a loop, because compiling would take minutes."""


@dataclass(frozen=True)
class _Storage:
    """Pixels in a flat buffer: value (b, c, y, x) is at base[b] + c * channel + y * row + x * column.

    Attributes:
        flat: (N,) values.
        base: (B, 1, 1) offset of each image, in elements like all strides.
        channels: number of channels.
        channel, row, column: distance of neighbouring channels, rows and columns; (B, 1, 1) rows if sizes differ.
    """

    flat: Tensor
    base: Tensor
    channels: int
    channel: int
    row: int | Tensor
    column: int


def _storage(image: Source) -> _Storage:
    if isinstance(image, PackedImages):
        row = image.sizes[:, 1, None, None] * image.channels
        return _Storage(image.data, image.offsets[:, None, None], image.channels, 1, row, image.channels)
    image = stacked(image)
    batch, channels, height, width = image.shape
    index = torch.int64 if exporting() or image.numel() >= 2**31 else torch.int32  # a comparison limits a program
    base = (torch.arange(batch, device=image.device) * (channels * height * width)).to(index)[:, None, None]
    if channels > 1 and image.is_contiguous(memory_format=torch.channels_last):
        return _Storage(image.permute(0, 2, 3, 1).reshape(-1), base, channels, 1, width * channels, channels)
    return _Storage(image.reshape(-1), base, channels, height * width, width, 1)


def _nearest(image: Source, x: Grid, y: Grid, window: Window) -> SampledImages | SampledPlanes:
    """Copies the pixel nearest to each position."""
    row = clamp(torch.nan_to_num(torch.round(y)), window.rows)
    column = clamp(torch.nan_to_num(torch.round(x)), window.columns)
    if not isinstance(image, PackedImages) and not torch.compiler.is_compiling():
        # gather is twice as fast as index_select, and all channels share the index
        image = stacked(image)
        index = torch.add(column.to(torch.int64), row.to(torch.int64), alpha=image.shape[-1])
        channels = index.flatten(1)[:, None].expand(-1, image.shape[1], -1)
        return image.flatten(2).gather(2, channels).unflatten(2, index.shape[1:])
    storage = _storage(image)
    index = storage.base + row.to(storage.base.dtype) * storage.row
    index = index + column.to(storage.base.dtype) * storage.column
    return tuple(_fetched(storage, index, c) for c in range(storage.channels))


def _fetched(storage: _Storage, index: Tensor, channel: int) -> Tensor:
    """Returns pixels of one channel at offsets; unlike indexing, index_select takes 32-bit offsets unconverted."""
    return storage.flat.index_select(0, (index + channel * storage.channel).reshape(-1)).view(index.shape)


def _gather(image: Source, rows: list[Tap], columns: list[Tap], limited: bool = False) -> SampledPlanes:
    """Sums over column taps, then over row taps; in this order no sum exceeds the largest value."""
    storage = _storage(image)
    integer, flat = storage.base.dtype, storage.flat
    dtype = compute_dtype(flat.dtype)
    planes: list[Tensor] = []
    for row, row_weight in rows:
        start = storage.base + row.to(integer) * storage.row
        sums: list[Tensor] = []
        for column, weight in columns:
            index = start + column.to(integer) * storage.column
            fetched = (_fetched(storage, index, c).to(dtype) for c in range(storage.channels))
            sums = _added(sums, [_weighted(value, weight) for value in fetched])
        if limited:
            sums = [value.clamp(0, _WHITE) for value in sums]
        planes = _added(planes, [_weighted(value, row_weight) for value in sums])
    return _scaled(planes, flat.dtype)


def _weighted(value: Tensor, weight: Tensor | None) -> Tensor:
    return value if weight is None else value * weight


def _added(sums: list[Tensor], values: list[Tensor]) -> list[Tensor]:
    return [total + value for total, value in zip(sums, values, strict=True)] if sums else values


def _looped(image: Source, rows: list[Tap], columns: list[Tap]) -> SampledPlanes:
    """Sums over taps in two further dimensions, which compiles into a loop."""
    storage = _storage(image)
    integer, flat = storage.base.dtype, storage.flat
    row, row_weight = _along(rows, -1)
    column, column_weight = _along(columns, -2)
    base = storage.base[..., None, None]
    stride = storage.row[..., None, None] if isinstance(storage.row, Tensor) else storage.row
    index = base + row.to(integer) * stride + column.to(integer) * storage.column
    weight = _joint(row_weight, column_weight)
    values = (_fetched(storage, index, c).to(compute_dtype(flat.dtype)) for c in range(storage.channels))
    return _scaled([(value * weight).sum((-2, -1)) for value in values], flat.dtype)


def _along(taps: list[Tap], dim: int) -> Tap:
    """Stacks taps in the last dimension, and adds a dimension of size 1 at `dim` for taps of the other axis."""
    pixels, weights = zip(*taps, strict=True)
    weight = None if weights[0] is None else torch.stack(weights, dim=-1).unsqueeze(dim)
    return torch.stack(pixels, dim=-1).unsqueeze(dim), weight


def _joint(first: Tensor | None, second: Tensor | None) -> Tensor | float:
    """Multiplies two weights; None means 1."""
    weights = [weight for weight in (first, second) if weight is not None]
    return math.prod(weights) if weights else 1.0


def _scaled(planes: Sequence[Tensor], source: torch.dtype) -> SampledPlanes:
    """Converts sums of levels to [0, 1] if the source is bytes."""
    return tuple(plane * BYTE for plane in planes) if source == torch.uint8 else tuple(planes)
