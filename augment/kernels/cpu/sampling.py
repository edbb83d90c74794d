"""Sampling on a CPU by the kernels of sampling.cpp, as `interpolation` defines it."""

import torch
from torch import Tensor

from augment.data.packed import PackedImages
from augment.data.pixels import compute_dtype, dtype_of, stacked, to_float
from augment.data.types import Float, UInt8
from augment.geometry.interpolation import Footprint, Grid, Window
from augment.kernels.cpu.boundary import require, require_images, require_within
from augment.kernels.cpu.library import CPU, address, compiled_call, kernels, longs
from augment.kernels.reference.sampling import sample
from augment.kernels.source import COUNTED, LARGEST_SIDE, Source, can_be_counted, source_dtype, unchanged


def readable(image: Source, *where: Tensor) -> bool:
    """Whether the kernels read such images at such places: in float32, and no image is too large to count in.

    Args:
        image: what they read.
        where: tensors that say where they read it.
    """
    kinds = {tensor.dtype for tensor in where}
    return kinds == {torch.float32} and compute_dtype(source_dtype(image)) == torch.float32 and can_be_counted(image)


def pixels(image: Source) -> tuple[Tensor, Tensor | None, Tensor | None, int]:
    """Bytes or float32: dense, or packed with offsets and sizes; and the number of channels."""
    if not isinstance(image, PackedImages) and dtype_of(image) != torch.uint8:
        image = to_float(stacked(image))
    return unchanged(image)


def _serves_bilinear(
    image: Source,
    x: Grid,
    y: Grid,
    window: Window,
    interpolation: str = "bilinear",
    footprint: Footprint = Footprint(),
    moved: object = None,
) -> bool:
    return interpolation == "bilinear" and readable(image, x, y, *footprint.tensors())


@sample.kernel(
    CPU,
    serves=_serves_bilinear,
    tolerance=1e-5,
    reason="Reads bytes of any memory order and only the taps that a pixel needs; torch converts the image first.",
)
def _(
    image: Source,
    x: Grid,
    y: Grid,
    window: Window,
    interpolation: str = "bilinear",
    footprint: Footprint = Footprint(),
    moved: object = None,
) -> Float[Tensor, "b c oh ow"]:
    return _sampled(False, pixels(image), x, y, window, footprint)


def _serves_nearest(
    image: Source, x: Grid, y: Grid, window: Window, interpolation: str = "bilinear", *rest: object
) -> bool:
    known = isinstance(image, PackedImages) or dtype_of(image) in (torch.uint8, torch.float32)
    return interpolation == "nearest" and known and readable(image, x, y)


@sample.kernel(
    CPU, serves=_serves_nearest, tolerance=0.0, reason="Copies pixels; torch makes an index of 64 bits for each."
)
def _(
    image: Source, x: Grid, y: Grid, window: Window, interpolation: str, *rest: object
) -> UInt8[Tensor, "b c oh ow"] | Float[Tensor, "b c oh ow"]:
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


@compiled_call(
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
        sides, counted = sizes.flatten().tolist(), max(lengths.tolist(), default=0) < COUNTED
        channel_stride, column_stride = 1, channels
        starts, rows = offsets.tolist(), [width * channels for width in sides[1::2]]
    if not counted:
        raise ValueError(f"kernel {kernel}: an image is too large, it must have less than {COUNTED} numbers.")
    elements = image.untyped_storage().nbytes() // image.element_size() - image.storage_offset()
    return (
        *(address(image), image.dtype == torch.float32, longs(*starts), longs(*rows), longs(*sides)),
        *(column_stride, channel_stride, channels, elements),
    )
