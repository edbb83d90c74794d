"""Resizing of one box for each image by torch's own resize, which reads no more of the source than the box.

Crops, resizes and flips, in any order, show a part of a resized box. torch's kernel sums the few taps of each pixel
along one axis after the other; a matrix product also multiplies by all the zeros between them.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from augment.data.context import recorded
from augment.data.memory import has_memory
from augment.data.packed import PackedImages
from augment.data.pixels import compute_dtype, stacked, to_float
from augment.data.types import Bool, Float, Images, Num
from augment.geometry.interpolation import Footprint, Grid, Span, Window
from augment.kernels.source import Source, source_dtype

_MOST = 2.0
"""Longest side of a resized box over the side of its part that is shown; more of it would be computed for nothing."""

_ROUNDING = 8 * torch.finfo(torch.float32).eps
"""Largest distance of a position from that of a resize, over the largest position: what float32 matrices round."""

Part = Float[Tensor, "b 5"]
"""Along one axis: the first pixel of the box and the one after its last, its resized length, the first pixel of that
which is shown, and 1 if it is shown backwards."""


def resized_boxes(
    image: Source, x: Grid, y: Grid, window: Window, footprint: Footprint
) -> Num[Tensor, "b c oh ow"] | None:
    """Samples bilinearly, antialiased as `footprint` asks, where every sample shows a part of its resized window.

    Returns:
        (B, C, oh, ow) floats, channels_last; None if a position is another, or if a gradient is recorded.
    """
    tensors = [*(image.tensors() if isinstance(image, PackedImages) else (stacked(image),)), x, y]
    if recorded(tensors) or not all(map(has_memory, tensors)):
        return None
    rows, tall = _part(y[:, :, 0], window.rows, footprint.radius[0])
    columns, wide = _part(x[:, 0, :], window.columns, footprint.radius[1])
    if not (tall & wide).all():
        return None
    channels = image.channels if isinstance(image, PackedImages) else stacked(image).shape[1]
    shape = len(x), channels, y.shape[1], x.shape[2]
    out = torch.empty(shape, dtype=compute_dtype(source_dtype(image)), memory_format=torch.channels_last)
    view = _view_of(image)
    for place, found in enumerate(torch.cat([rows, columns], 1).to(torch.int64).tolist()):
        _write_resized(out[place : place + 1], view(place), found[:5], found[5:])
    return out


def _view_of(image: Source) -> Callable[[int], Images]:
    """Returns a function that shows one image (1, C, H, W) of a source, as it lies in memory."""
    if isinstance(image, PackedImages):
        offsets, sizes = image.offsets.tolist(), image.sizes.tolist()

        def packed(place: int) -> Images:
            (height, width), start = sizes[place], offsets[place]
            pixels = image.data[start : start + height * width * image.channels]
            return pixels.view(1, height, width, image.channels).permute(0, 3, 1, 2)

        return packed
    whole = stacked(image)
    return lambda place: whole[place : place + 1]


def _part(position: Float[Tensor, "b n"], span: Span, radius: float | Tensor) -> tuple[Part, Bool[Tensor, " b"]]:
    """Finds the part of a resized span that lies at positions along an axis, and whether it lies there indeed."""
    count, zero = position.shape[1], torch.zeros_like(position[:, 0])
    low, high = (zero + end for end in span)
    extent, first, last = high - low + 1, position[:, 0], position[:, -1]
    backwards = last < first
    # a single pixel says nothing about the distance between pixels: it must show the whole span
    length = torch.round(extent * (count - 1) / (last - first).abs()) if count > 1 else zero + 1
    step = extent / length
    start = torch.round((torch.where(backwards, high - first, first - low) + 0.5) / step - 0.5)
    ahead = (torch.arange(count, device=zero.device) + start[:, None] + 0.5) * step[:, None] - 0.5
    expected = torch.where(backwards[:, None], high[:, None] - ahead, low[:, None] + ahead)
    fits = (position - expected).abs().amax(1) <= _ROUNDING * (high + 1)
    fits &= (start >= 0) & (start + count <= length) & (length <= _MOST * count)
    wanted = step.clamp(min=1)
    fits &= (wanted - radius).abs() <= _ROUNDING * wanted
    return torch.stack([low, high + 1, length, start, backwards.to(low.dtype)], 1).nan_to_num(), fits


def _write_resized(out: Num[Tensor, "b c oh ow"], image: Images, rows: list[int], columns: list[int]) -> None:
    """Resizes a box of one image, and writes the part that is shown, backwards where asked."""
    (top, bottom, tall, y, upside_down), (left, right, wide, x, mirrored) = rows, columns
    box = image[:, :, top:bottom, left:right]
    turned = [axis for axis, backwards in ((2, upside_down), (3, mirrored)) if backwards]
    box = box.flip(turned) if turned else box
    interleaved = image.shape[1] > 1 and image.is_contiguous(memory_format=torch.channels_last)
    # torch's resize would take a cut for planes, and write every third number one by one
    box = box.contiguous(memory_format=torch.channels_last) if interleaved else box
    whole = F.interpolate(to_float(box), (tall, wide), mode="bilinear", antialias=True)
    # rounding can exceed the largest value if all taps are equal
    most = to_float(box.amax()).nan_to_num(nan=math.inf, posinf=math.inf)
    torch.clamp(whole[:, :, y : y + out.shape[2], x : x + out.shape[3]], max=most, out=out)
