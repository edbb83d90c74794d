"""Sampling on a CPU: the kernels of sampling.cpp for `reference.sampling.sample`."""

import torch
from torch import Tensor

from augment.data.context import compiling
from augment.data.known import known
from augment.data.packed import PackedImages
from augment.data.pixels import compute_dtype, dtype_of, stacked, to_float
from augment.data.types import Float, UInt8
from augment.geometry.interpolation import Footprint, Grid, Window
from augment.kernels.cpu.boundary import require, require_images, require_within
from augment.kernels.cpu.library import CPU, address, compiled_call, in_order, kernels, longs
from augment.kernels.reference.sampling import sample
from augment.kernels.source import COUNTED, LARGEST_SIDE, Pixels, Source, can_be_counted, source_dtype, unchanged


def readable(image: Source, *where: Tensor) -> bool:
    """Whether the kernels can read images at some positions: all is float32 or narrower, and no image is too large.

    Args:
        image: images that they read.
        where: positions, matrices and radii, which must be float32.
    """
    dtypes = {tensor.dtype for tensor in where}
    return dtypes == {torch.float32} and compute_dtype(source_dtype(image)) == torch.float32 and can_be_counted(image)


def pixels(image: Source) -> Pixels:
    """Returns the values as bytes or float32: (data, offsets, sizes, channels), see `unchanged`."""
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
    reason="Reads bytes in any memory order and only the taps that a pixel needs; torch converts the image first.",
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
    supported = source_dtype(image) in (torch.uint8, torch.float32)
    return interpolation == "nearest" and supported and readable(image, x, y)


@sample.kernel(
    CPU, serves=_serves_nearest, tolerance=0.0, reason="Copies pixels; torch writes a 64-bit index for each of them."
)
def _(
    image: Source, x: Grid, y: Grid, window: Window, interpolation: str, *rest: object
) -> UInt8[Tensor, "b c oh ow"] | Float[Tensor, "b c oh ow"]:
    return _sampled(True, unchanged(image), x, y, window, Footprint())


def _sampled(nearest: bool, values: Pixels, x: Grid, y: Grid, window: Window, footprint: Footprint) -> Tensor:
    batch = max(len(x), len(y))
    spans = columns(batch, x, *window.rows, *window.columns)
    # compiled code plans its loops for contiguous values, whatever order the images have when it runs
    ordered = not nearest and values[-1] == 3 and _straight(x, y) and not compiling()
    return _sample(nearest, *values, x, y, spans, columns(batch, x, *footprint.radius), ordered)


def _straight(x: Tensor, y: Tensor) -> bool:
    """Whether rows stay rows and columns stay columns."""
    return x.shape[1] == 1 and y.shape[2] == 1


def columns(batch: int, like: Tensor, *values: float | Tensor) -> Float[Tensor, "b n"]:
    """Returns numbers and (B,) tensors side by side, as columns of one tensor."""
    if not any(isinstance(value, Tensor) for value in values):
        return like.new_tensor(values).expand(batch, len(values))
    full = [v.to(like.dtype) if isinstance(v, Tensor) else like.new_full((), v) for v in values]
    return torch.stack([value.expand(batch) for value in full], dim=1)


def _output(nearest: bool, image: Tensor, channels: int, x: Tensor, y: Tensor, ordered: bool) -> Tensor:
    # not torch.broadcast_shapes, which takes as long as ten small operators
    batch, height, width = (there if here == 1 else here for here, there in zip(x.shape, y.shape, strict=True))
    dtype = image.dtype if nearest else torch.float32
    shape = (batch, channels, height, width)
    return torch.empty(shape, dtype=dtype, device=x.device, memory_format=in_order(ordered))


@compiled_call(
    "sample",
    lambda nearest, image, offsets, sizes, channels, x, y, spans, radii, ordered=False: _output(
        nearest, image, channels, x, y, ordered
    ),
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
    ordered: bool = False,
) -> Tensor:
    out = _output(nearest, image, channels, x, y, ordered)
    batch, _, height, width = out.shape
    require("sample", x=(x, torch.float32, x.shape), y=(y, torch.float32, y.shape))
    require("sample", spans=(spans, torch.float32, (batch, 4)), radii=(radii, torch.float32, (batch, 2)))
    straight = _straight(x, y)
    if ordered and (nearest or channels != 3 or not straight):
        raise ValueError("kernel sample: only three channels of straight rows are written in channels_last order.")
    x, y = x.expand(batch, height, width), y.expand(batch, height, width)
    spans, radii = spans.contiguous(), radii.contiguous()
    kernels().augment_sample(
        *(nearest, *source("sample", batch, image, offsets, sizes, channels)),
        *(address(x), longs(*x.stride()), address(y), longs(*y.stride())),
        *(address(spans), address(radii), straight, ordered),
        *(batch, height, width, address(out), torch.get_num_threads()),
    )
    return out


def source(
    kernel: str, batch: int, image: Tensor, offsets: Tensor | None, sizes: Tensor | None, channels: int
) -> tuple:
    """Returns the arguments that describe the images to a kernel, one image per sample; see `Source` in taps.h.

    Raises:
        TypeError, ValueError: the kernel would read beyond the images, or they are too large.
    """
    if offsets is None:
        return _dense_source(kernel, batch, image, channels)
    return _packed_source(kernel, batch, image, offsets, known(sizes), channels)


def _dense_source(kernel: str, batch: int, image: Tensor, channels: int) -> tuple:
    require_images(kernel, image, torch.uint8, torch.float32)
    require(kernel, images=(image, image.dtype, (batch, channels, *image.shape[2:])))
    _require_small(kernel, can_be_counted(image))
    sample_stride, channel_stride, row_stride, column_stride = image.stride()
    return (
        *(address(image), image.dtype == torch.float32),
        *(longs(*(b * sample_stride for b in range(batch))), longs(*[row_stride] * batch)),
        *(longs(*[*image.shape[2:]] * batch), column_stride, channel_stride, channels, _readable_elements(image)),
    )


def _packed_source(kernel: str, batch: int, data: Tensor, offsets: Tensor, sizes: Tensor, channels: int) -> tuple:
    require(kernel, data=(data, torch.uint8, (data.numel(),)))
    require(kernel, offsets=(offsets, torch.int64, (batch,)), sizes=(sizes, torch.int64, (batch, 2)))
    require_within(kernel, "sizes", sizes, 1, LARGEST_SIDE + 1)
    require_within(kernel, "offsets", offsets, 0, data.numel())
    lengths = sizes.prod(1) * channels
    require_within(kernel, "the ends of images", offsets + lengths, 0, data.numel() + 1)
    _require_small(kernel, max(lengths.tolist(), default=0) < COUNTED)
    sides = sizes.flatten().tolist()
    row_strides = [width * channels for width in sides[1::2]]
    column_stride, channel_stride = channels, 1
    return (
        *(address(data), False, longs(*offsets.tolist()), longs(*row_strides), longs(*sides)),
        *(column_stride, channel_stride, channels, _readable_elements(data)),
    )


def _require_small(kernel: str, small: bool) -> None:
    if not small:
        raise ValueError(f"kernel {kernel}: an image is too large, it must have fewer than {COUNTED} values.")


def _readable_elements(image: Tensor) -> int:
    """Returns how many elements its memory holds from the first value on."""
    return int(image.untyped_storage().nbytes() // image.element_size() - image.storage_offset())
