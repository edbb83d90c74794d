"""The only place that samples pixels by coordinates.

The definition is in `interpolation`. Several samplers implement it, and tests hold them to each other: those of
`dense_samplers` in eager mode and on a CPU; taps read one by one everywhere else, which fuses into the kernel around
it under `torch.compile` and reads bytes, packed images and any filter.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from augment.data.operator import operator
from augment.data.packed import PackedImages
from augment.data.pixels import BYTE, compute_dtype, dtype_of, stacked
from augment.data.primitives import saturated
from augment.data.types import Images, Num, PerSample, Planes
from augment.geometry.interpolation import KERNELS, Footprint, Grid, Tap, Window, clamp, taps_of
from augment.kernels.reference.grid_sampling import grid_samples, resized
from augment.kernels.reference.two_pass_sampling import two_passes

SampledImages = Num[Tensor, "b c oh ow"]
SampledPlanes = tuple[Num[Tensor, "b oh ow"], ...]


@operator
def sample(
    image: Images | PackedImages | Planes,
    x: Grid,
    y: Grid,
    window: Window,
    interpolation: str = "bilinear",
    footprint: Footprint = Footprint(),
    moved: PerSample | None = None,
) -> SampledImages | SampledPlanes:
    """Values at positions x, y; positions outside of the window take the value at its border.

    Args:
        image: the source, uint8 or float.
        x, y: (B, H, W), or with extents of 1 where they do not vary.
        window: the part of the source to read.
        interpolation: "nearest" or one of KERNELS; "nearest" keeps the image's dtype, the others give float, in [0, 1]
            but for what bicubic overshoots.
        footprint: for antialiasing.
        moved: (B,) bool, samples of which no pixel moves are False; they stay exact to the bit.
    """
    if interpolation == "nearest":
        return _nearest(image, x, y, window)
    kernel = KERNELS[interpolation]
    taps = [math.ceil(2 * kernel.support * bound) for bound in footprint.bound]
    if not torch.compiler.is_compiling():
        on_cpu = (image.device if isinstance(image, PackedImages) else x.device).type == "cpu"
        if footprint.separable and max(taps) > 2 and on_cpu and not kernel.repeats:
            return resized(image, x, y, window, footprint, kernel)
        if interpolation == "bilinear" and (max(taps) <= 4 or on_cpu):
            return grid_samples(image, x, y, window, footprint, moved)
    x, y = torch.nan_to_num(x), torch.nan_to_num(y)  # what is no number would be read from anywhere
    rows = taps_of(y, window.rows, footprint.radius[0], taps[0], kernel)
    columns = taps_of(x, window.columns, footprint.radius[1], taps[1], kernel)
    planes = _by_taps(image, rows, columns, window, footprint.separable)
    bytes = isinstance(image, PackedImages) or dtype_of(image) == torch.uint8
    return tuple(map(saturated, planes)) if bytes else planes  # rounding and bicubic sums go a little beyond [0, 1]


def _by_taps(
    image: Images | PackedImages | Planes, rows: list[Tap], columns: list[Tap], window: Window, separable: bool
) -> SampledPlanes:
    """The weighted sums of taps, written out, along one axis after the other, or in a loop; bytes as floats."""
    device, count = rows[0][0].device, len(rows) * len(columns)
    if count <= (_PLAIN if separable and device.type == "cpu" else _UNROLLED):
        return _gather(image, rows, columns)
    if separable and not isinstance(image, PackedImages):
        image = stacked(image)
        return _scaled(two_passes(image, rows, columns), image.dtype)
    gather = _looped if torch.compiler.is_compiling() and count > _UNROLLED else _gather
    if not separable:
        return gather(image, rows, columns)
    dtype = rows[0][0].dtype
    every_column = torch.arange(image.max_size[1], device=device, dtype=dtype)[None, None, :]
    half = gather(image, rows, [(clamp(every_column, window.columns), None)])
    every_row = torch.arange(half[0].shape[1], device=device, dtype=dtype)[None, :, None]
    return gather(half, [(every_row, None)], columns)


# ------------------------------------------------------------------------------------------------------- unrolled taps


_PLAIN = 4
"""Taps of bilinear interpolation. A CPU is faster with more of them along one axis after the other."""

_UNROLLED = 16
"""Most taps that are written out one by one: beyond, code that the compiler unrolls takes minutes to compile."""


@dataclass(frozen=True)
class _Storage:
    """Pixels in a flat buffer: value (b, c, y, x) stands at base[b] + c * channel + y * row + x * column."""

    flat: Tensor
    base: Tensor
    channels: int
    channel: int
    row: int | Tensor
    column: int


def _storage(image: Images | PackedImages | Planes) -> _Storage:
    if isinstance(image, PackedImages):
        row = image.sizes[:, 1, None, None] * image.channels
        return _Storage(image.data, image.offsets[:, None, None], image.channels, 1, row, image.channels)
    image = stacked(image)
    batch, channels, height, width = image.shape
    index = torch.int32 if image.numel() < 2**31 else torch.int64
    base = (torch.arange(batch, device=image.device) * (channels * height * width)).to(index)[:, None, None]
    if channels > 1 and image.is_contiguous(memory_format=torch.channels_last):
        return _Storage(image.permute(0, 2, 3, 1).reshape(-1), base, channels, 1, width * channels, channels)
    return _Storage(image.reshape(-1), base, channels, height * width, width, 1)


def _nearest(image: Images | PackedImages | Planes, x: Grid, y: Grid, window: Window) -> SampledImages | SampledPlanes:
    row = clamp(torch.nan_to_num(torch.round(y)), window.rows)
    column = clamp(torch.nan_to_num(torch.round(x)), window.columns)
    if not isinstance(image, PackedImages) and not torch.compiler.is_compiling():
        # gather is twice as fast as index_select, and all channels share an index
        image = stacked(image)
        index = torch.add(column.to(torch.int64), row.to(torch.int64), alpha=image.shape[-1])
        channels = index.flatten(1)[:, None].expand(-1, image.shape[1], -1)
        return image.flatten(2).gather(2, channels).unflatten(2, index.shape[1:])
    storage = _storage(image)
    index = storage.base + row.to(storage.base.dtype) * storage.row
    index = index + column.to(storage.base.dtype) * storage.column
    return tuple(_fetched(storage, index, c) for c in range(storage.channels))


def _fetched(storage: _Storage, index: Tensor, channel: int) -> Tensor:
    """The pixels at offsets, of one channel; unlike indexing, it takes 32-bit offsets as they are."""
    return storage.flat.index_select(0, (index + channel * storage.channel).reshape(-1)).view(index.shape)


def _gather(image: Images | PackedImages | Planes, rows: list[Tap], columns: list[Tap]) -> SampledPlanes:
    """The weighted sum over row taps of those over column taps, so that no sum is more than its largest value."""
    storage = _storage(image)
    integer, flat = storage.base.dtype, storage.flat
    dtype = compute_dtype(flat.dtype)
    planes: list[Tensor] = []
    for row, row_weight in rows:
        start = storage.base + row.to(integer) * storage.row
        lines: list[Tensor] = []
        for column, weight in columns:
            index = start + column.to(integer) * storage.column
            fetched = (_fetched(storage, index, c).to(dtype) for c in range(storage.channels))
            lines = _added(lines, [_weighed(value, weight) for value in fetched])
        planes = _added(planes, [_weighed(line, row_weight) for line in lines])
    return _scaled(planes, flat.dtype)


def _weighed(value: Tensor, weight: Tensor | None) -> Tensor:
    return value if weight is None else value * weight


def _added(sums: list[Tensor], values: list[Tensor]) -> list[Tensor]:
    return [total + value for total, value in zip(sums, values, strict=True)] if sums else values


def _looped(image: Images | PackedImages | Planes, rows: list[Tap], columns: list[Tap]) -> SampledPlanes:
    """The same with the taps as two further dimensions that are summed over, which compiles into a loop."""
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
    """Taps stacked into the last dimension, with a dimension of 1 at `dim` for those of the other axis."""
    pixels, weights = zip(*taps, strict=True)
    weight = None if weights[0] is None else torch.stack(weights, dim=-1).unsqueeze(dim)
    return torch.stack(pixels, dim=-1).unsqueeze(dim), weight


def _joint(first: Tensor | None, second: Tensor | None) -> Tensor | float:
    weights = [weight for weight in (first, second) if weight is not None]
    return math.prod(weights) if weights else 1.0


def _scaled(planes: Sequence[Tensor], source: torch.dtype) -> SampledPlanes:
    return tuple(plane * BYTE for plane in planes) if source == torch.uint8 else tuple(planes)
