"""Sampling on a CPU by the kernels of sampling.cpp, as `interpolation` defines it."""

import torch
from torch import Tensor

from augment.batch import PackedImages
from augment.interpolation import Footprint, Grid, Window
from augment.native import library
from augment.native.library import address, kernels, longs, operator
from augment.pixels import compute_dtype, dtype_of, stacked, to_float
from augment.types import Float, Images, Planes, UInt8

Source = Images | PackedImages | Planes


def serves(image: Source, x: Grid, y: Grid, footprint: Footprint) -> bool:
    """Whether the kernels can sample an image at positions x, y."""
    return reads(image, x, y, *(radius for radius in footprint.radius if isinstance(radius, Tensor)))


def reads(image: Source, *where: Tensor) -> bool:
    """Whether the kernels can do it: on a CPU, in float32, and nobody asks for a gradient.

    Args:
        image: what they read.
        where: tensors that say where they read it.
    """
    parts = (image.data,) if isinstance(image, PackedImages) else image if isinstance(image, tuple) else (image,)
    if {compute_dtype(parts[0].dtype), *(tensor.dtype for tensor in where)} != {torch.float32}:
        return False
    if extent(image) >= 2**31:  # they count in 32 bits within an image
        return False
    return library.serves(*parts, *where)


def extent(image: Images | PackedImages | Planes) -> int:
    """How far apart values of one image lie in memory, in elements; at least that."""
    if isinstance(image, PackedImages):
        return image.max_size[0] * image.max_size[1] * image.channels
    plane = image[0] if isinstance(image, tuple) else image
    return sum(extent * stride for extent, stride in zip(plane.shape[-2:], plane.stride()[-2:], strict=True))


def bilinear(image: Source, x: Grid, y: Grid, window: Window, footprint: Footprint) -> Float[Tensor, "b c oh ow"]:
    """Values in [0, 1] at positions x, y, antialiased with the footprint's radii; see `resample.sample`."""
    return _sampled(False, pixels(image), x, y, window, footprint)


def pixels(image: Source) -> tuple[Tensor, Tensor | None, Tensor | None, int]:
    """Bytes or float32: dense, or packed with offsets and sizes; and the number of channels."""
    if not isinstance(image, PackedImages) and dtype_of(image) != torch.uint8:
        image = to_float(stacked(image))
    return unchanged(image)


def unchanged(image: Source) -> tuple[Tensor, Tensor | None, Tensor | None, int]:
    if isinstance(image, PackedImages):
        return image.data, image.offsets, image.sizes, image.channels
    dense = stacked(image)
    return dense, None, None, dense.shape[1]


def serves_nearest(image: Source, x: Grid, y: Grid) -> bool:
    """The same for the nearest pixels, which keep their type."""
    known = isinstance(image, PackedImages) or dtype_of(image) in (torch.uint8, torch.float32)
    return known and serves(image, x, y, Footprint())


def nearest(image: Source, x: Grid, y: Grid, window: Window) -> UInt8[Tensor, "b c oh ow"] | Float[Tensor, "b c oh ow"]:
    """The nearest pixels to positions x, y, as they are."""
    return _sampled(True, unchanged(image), x, y, window, Footprint())


def _sampled(nearest: bool, image: tuple, x: Grid, y: Grid, window: Window, footprint: Footprint) -> Tensor:
    batch = max(len(x), len(y))
    spans = columns(batch, x, *window.rows, *window.columns)
    return _sample(nearest, *image, x, y, spans, columns(batch, x, *footprint.radius))


def columns(batch: int, like: Tensor, *values: float | Tensor) -> Float[Tensor, "b n"]:
    """Numbers and (B,) tensors side by side."""
    if not any(isinstance(value, Tensor) for value in values):
        return like.new_tensor(values).expand(batch, len(values))
    return torch.stack([(like.new_zeros(batch) + value).to(like.dtype) for value in values], dim=1)


def _output(nearest: bool, image: Tensor, channels: int, x: Tensor, y: Tensor) -> Tensor:
    batch, height, width = torch.broadcast_shapes(x.shape, y.shape)
    return x.new_empty(batch, channels, height, width, dtype=image.dtype if nearest else torch.float32)


@operator(
    "sample",
    lambda nearest, image, offsets, sizes, channels, x, y, spans, radii: _output(nearest, image, channels, x, y),
)
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
    straight = x.shape[1] == 1 and y.shape[2] == 1
    x, y = x.expand(batch, height, width), y.expand(batch, height, width)
    spans, radii = spans.contiguous(), radii.contiguous()
    kernels().augment_sample(
        *(nearest, *source(image, offsets, sizes, channels)),
        *(address(x), longs(*x.stride()), address(y), longs(*y.stride())),
        *(address(spans), address(radii), straight),
        *(batch, height, width, address(out), torch.get_num_threads()),
    )
    return out


def source(image: Tensor, offsets: Tensor | None, sizes: Tensor | None, channels: int) -> tuple:
    """What a kernel is told about the images that it reads: see `Source` in taps.h."""
    if offsets is None:
        sample, channel_stride, row, column_stride = image.stride()
        starts, rows = [b * sample for b in range(len(image))], [row] * len(image)
    else:
        channel_stride, column_stride = 1, channels
        starts, rows = offsets.tolist(), [width * channels for width in sizes[:, 1].tolist()]
    elements = image.untyped_storage().nbytes() // image.element_size() - image.storage_offset()
    return (
        *(address(image), image.dtype == torch.float32, longs(*starts), longs(*rows)),
        *(column_stride, channel_stride, channels, elements),
    )
