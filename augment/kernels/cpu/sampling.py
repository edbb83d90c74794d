"""Sampling on a CPU by the kernels of sampling.cpp, as `interpolation` defines it."""

import torch
from torch import Tensor

from augment.data.batch import PackedImages
from augment.data.pixels import compute_dtype, dtype_of, stacked, to_float
from augment.data.types import Float, Images, Planes, UInt8
from augment.geometry.interpolation import Footprint, Grid, Window
from augment.kernels.cpu import library
from augment.kernels.cpu.boundary import require, require_images, require_within
from augment.kernels.cpu.library import address, kernels, longs, operator

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
    return can_be_counted(image) and library.serves(*parts, *where)


LARGEST_SIDE = 2**24
"""Pixels of an image along an axis: float32 counts no further in steps of one."""

_COUNTED = 2**31
"""Numbers in memory: the kernels count in 32 bits within an image."""


def can_be_counted(image: Source) -> bool:
    """Whether kernels count right within an image: along its sides as float32, in memory with 32 bits."""
    plane = image[0] if isinstance(image, tuple) else image
    size = image.max_size if isinstance(image, PackedImages) else plane.shape[-2:]
    return max(size) <= LARGEST_SIDE and extent(image) < _COUNTED


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
    require("sample", x=(x, torch.float32, x.shape), y=(y, torch.float32, y.shape))
    require("sample", spans=(spans, torch.float32, (batch, 4)), radii=(radii, torch.float32, (batch, 2)))
    straight = x.shape[1] == 1 and y.shape[2] == 1
    x, y = x.expand(batch, height, width), y.expand(batch, height, width)
    spans, radii = spans.contiguous(), radii.contiguous()
    kernels().augment_sample(
        *(nearest, *source("sample", batch, image, offsets, sizes, channels)),
        *(address(x), longs(*x.stride()), address(y), longs(*y.stride())),
        *(address(spans), address(radii), straight),
        *(batch, height, width, address(out), torch.get_num_threads()),
    )
    return out


def source(
    kernel: str, batch: int, image: Tensor, offsets: Tensor | None, sizes: Tensor | None, channels: int
) -> tuple:
    """What a kernel is told about the images that it reads, one a sample: see `Source` in taps.h.

    Raises:
        TypeError, ValueError: it would read beyond them.
    """
    if offsets is None:
        require_images(kernel, image, torch.uint8, torch.float32)
        require(kernel, images=(image, image.dtype, (batch, channels, *image.shape[2:])))
        sample, channel_stride, row, column_stride = image.stride()
        sides, counted = [*image.shape[2:]] * batch, can_be_counted(image)
        starts, rows = [b * sample for b in range(batch)], [row] * batch
    else:
        require(kernel, data=(image, torch.uint8, (image.numel(),)))
        require(kernel, offsets=(offsets, torch.int64, (batch,)), sizes=(sizes, torch.int64, (batch, 2)))
        require_within(kernel, "sizes", sizes, 1, LARGEST_SIDE + 1)
        require_within(kernel, "offsets", offsets, 0, image.numel())
        lengths = sizes.prod(1) * channels
        require_within(kernel, "the ends of images", offsets + lengths, 0, image.numel() + 1)
        sides, counted = sizes.flatten().tolist(), max(lengths.tolist(), default=0) < _COUNTED
        channel_stride, column_stride = 1, channels
        starts, rows = offsets.tolist(), [width * channels for width in sides[1::2]]
    if not counted:
        raise ValueError(f"kernel {kernel}: an image is too large, it must have less than {_COUNTED} numbers.")
    elements = image.untyped_storage().nbytes() // image.element_size() - image.storage_offset()
    return (
        *(address(image), image.dtype == torch.float32, longs(*starts), longs(*rows), longs(*sides)),
        *(column_stride, channel_stride, channels, elements),
    )
