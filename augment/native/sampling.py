"""Sampling on a CPU by the kernels of sampling.cpp, as `interpolation` defines it."""

import torch
from torch import Tensor

from augment.batch import PackedImages
from augment.interpolation import Footprint, Grid, Window
from augment.native import library
from augment.native.library import address, kernels, longs
from augment.pixels import compute_dtype, dtype_of, stacked, to_float
from augment.types import Float, Images, Planes, UInt8

Source = Images | PackedImages | Planes


def serves(image: Source, x: Grid, y: Grid, footprint: Footprint) -> bool:
    """Whether the kernels can do it: on a CPU, in float32, and nobody asks for a gradient."""
    parts = (image.data,) if isinstance(image, PackedImages) else image if isinstance(image, tuple) else (image,)
    if {compute_dtype(parts[0].dtype), x.dtype, y.dtype} != {torch.float32}:
        return False
    if _extent(image) >= 2**31:  # they count in 32 bits within an image
        return False
    return library.serves(*parts, x, y, *(radius for radius in footprint.radius if isinstance(radius, Tensor)))


def _extent(image: Images | PackedImages | Planes) -> int:
    """How far apart values of one image lie in memory, in elements; at least that."""
    if isinstance(image, PackedImages):
        return image.max_size[0] * image.max_size[1] * image.channels
    plane = image[0] if isinstance(image, tuple) else image
    return sum(extent * stride for extent, stride in zip(plane.shape[-2:], plane.stride()[-2:], strict=True))


def bilinear(image: Source, x: Grid, y: Grid, window: Window, footprint: Footprint) -> Float[Tensor, "b c oh ow"]:
    """Values in [0, 1] at positions x, y, antialiased with the footprint's radii; see `resample.sample`."""
    if not isinstance(image, PackedImages) and dtype_of(image) != torch.uint8:
        image = to_float(stacked(image))
    return _sampled(False, image, x, y, window, footprint)


def serves_nearest(image: Source, x: Grid, y: Grid) -> bool:
    """The same for the nearest pixels, which keep their type."""
    known = isinstance(image, PackedImages) or dtype_of(image) in (torch.uint8, torch.float32)
    return known and serves(image, x, y, Footprint())


def nearest(image: Source, x: Grid, y: Grid, window: Window) -> UInt8[Tensor, "b c oh ow"] | Float[Tensor, "b c oh ow"]:
    """The nearest pixels to positions x, y, as they are."""
    return _sampled(True, image, x, y, window, Footprint())


def _sampled(nearest: bool, image: Source, x: Grid, y: Grid, window: Window, footprint: Footprint) -> Tensor:
    sample = _operator if torch.compiler.is_compiling() else _sample
    batch = max(len(x), len(y))
    spans = _columns(batch, x, *window.rows, *window.columns)
    radii = _columns(batch, x, *footprint.radius)
    if isinstance(image, PackedImages):
        return sample(nearest, image.data, image.offsets, image.sizes, image.channels, x, y, spans, radii)
    dense = stacked(image)
    return sample(nearest, dense, None, None, dense.shape[1], x, y, spans, radii)


def _columns(batch: int, like: Tensor, *values: float | Tensor) -> Float[Tensor, "b n"]:
    return torch.stack([(like.new_zeros(batch) + value).to(like.dtype) for value in values], dim=1)


def _sample(
    nearest: bool,
    image: Tensor,
    offsets: Tensor | None,
    sizes: Tensor | None,
    channels: int,
    x: Tensor,
    y: Tensor,
    spans: Tensor,
    radii: Tensor,
) -> Tensor:
    out = _output(nearest, image, channels, x, y)
    batch, _, height, width = out.shape
    if offsets is None:
        _, channel_stride, row, column_stride = image.stride()
        offsets = torch.arange(batch) * image.stride(0)
        rows = torch.full((batch,), row)
    else:
        channel_stride, column_stride = 1, channels
        offsets, rows = offsets.long().contiguous(), sizes[:, 1].long() * channels
    straight = x.shape[1] == 1 and y.shape[2] == 1
    elements = image.untyped_storage().nbytes() // image.element_size() - image.storage_offset()
    x, y = x.expand(batch, height, width), y.expand(batch, height, width)
    spans, radii = spans.contiguous(), radii.contiguous()
    kernels().augment_sample(
        *(nearest, address(image), image.dtype == torch.float32, address(offsets), address(rows)),
        *(column_stride, channel_stride, channels, elements),
        *(address(x), longs(*x.stride()), address(y), longs(*y.stride())),
        *(address(spans), address(radii), straight),
        *(batch, height, width, address(out), torch.get_num_threads()),
    )
    return out


def _output(nearest: bool, image: Tensor, channels: int, x: Tensor, y: Tensor) -> Tensor:
    batch, height, width = torch.broadcast_shapes(x.shape, y.shape)
    return x.new_empty(batch, channels, height, width, dtype=image.dtype if nearest else torch.float32)


_operator = torch.library.custom_op("augment::sample", mutates_args=())(_sample)
"""The same for compiled code; in eager mode it would load the compiler."""

_operator.register_fake(
    lambda nearest, image, offsets, sizes, channels, x, y, spans, radii: _output(nearest, image, channels, x, y)
)
