"""Interpolation along one axis: the pixels to read at a position, and their weights.

The filter is Pillow's. Weights are kernel((pixel - position) / radius), normalised over the readable pixels. The radius
is the local minification if the image shrinks (antialiasing) and 1 otherwise. Bicubic interpolation without
antialiasing uses another kernel, see `kernel_name`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from augment.data.known import known
from augment.data.pixels import per_sample
from augment.data.types import Float, Size

Grid = Float[Tensor, "b #oh #ow"]
"""Positions along one axis for each output pixel; size 1 along dimensions where they do not vary."""


@dataclass(frozen=True)
class Kernel:
    """An interpolation kernel.

    Attributes:
        support: half the width in taps.
        weight: function from distance to weight.
        repeats: whether taps outside the window read its border pixel; otherwise they have no weight.
        covers: whether a pixel weighs as much of it as the output pixel covers, which is `radius` pixels long.
    """

    support: float
    weight: Callable[[Tensor], Tensor]
    repeats: bool = False
    covers: bool = False

    def at(self, distance: Tensor, radius: float | Tensor) -> Tensor:
        """Returns the weight of pixels at a distance from a position, in pixels."""
        if self.covers:
            return ((1 + radius) / 2 - distance.abs()).clamp(0, 1)
        return self.weight(distance / radius)


def _cubic(t: Tensor, a: float) -> Tensor:
    """Cubic convolution kernel with slope `a` at a distance of 1 (Keys 1981, eq. 7)."""
    t = t.abs()
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    far = ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
    return torch.where(t < 1, near, torch.where(t < 2, far, torch.zeros_like(t)))


PLAIN_BICUBIC = "bicubic without antialiasing"

KERNELS = {
    "bilinear": Kernel(1.0, lambda t: (1 - t.abs()).clamp(min=0)),
    "bicubic": Kernel(2.0, partial(_cubic, a=-0.5)),  # Pillow's, and torch's with antialias=True
    "area": Kernel(1.0, lambda t: (1 - t.abs()).clamp(min=0), covers=True),  # OpenCV's INTER_AREA where it shrinks
    PLAIN_BICUBIC: Kernel(2.0, partial(_cubic, a=-0.75), repeats=True),  # OpenCV's, and torch's with antialias=False
}
INTERPOLATIONS = ("nearest", "bilinear", "bicubic")
RESIZE_INTERPOLATIONS = ("nearest", "nearest-exact", "bilinear", "bicubic", "area")
"""Modes of layers that change the size; torch has two nearest modes, see `Motion.copied` in motion.py."""


def kernel_name(interpolation: str, antialias: bool) -> str:
    """Returns the key of `KERNELS` that matches torch's interpolation, or "nearest"."""
    return PLAIN_BICUBIC if interpolation == "bicubic" and not antialias else interpolation


Span = tuple[float | Tensor, float | Tensor]
"""First and last pixel along an axis: numbers, or (B,) tensors if samples differ."""


@dataclass(frozen=True)
class Window:
    """The readable part of the source, such as the box of a crop before a resize."""

    rows: Span
    columns: Span

    @classmethod
    def whole(cls, size: Size) -> "Window":
        return cls((0, size[0] - 1), (0, size[1] - 1))

    def taken(self, rows: Tensor) -> "Window":
        """Selects the windows of some samples."""
        return Window(_taken(self.rows, rows), _taken(self.columns, rows))


@dataclass(frozen=True)
class Footprint:
    """The area of the source that one output pixel covers.

    Attributes:
        radius: filter radius in source pixels along (y, x): (B,) tensors, or 1.0.
        bound: static upper bounds of the radii, which set the number of taps.
        separable: whether x varies only along columns and y only along rows.
    """

    radius: tuple[float | Tensor, float | Tensor] = (1.0, 1.0)
    bound: tuple[float, float] = (1.0, 1.0)
    separable: bool = False

    def tensors(self) -> list[Tensor]:
        """What decides whether a kernel serves; see `data.operator`."""
        return [radius for radius in self.radius if isinstance(radius, Tensor)]

    def taken(self, rows: Tensor) -> "Footprint":
        """Selects the footprints of some samples."""
        return replace(self, radius=_taken(self.radius, rows))


def _taken(pair: tuple[float | Tensor, float | Tensor], rows: Tensor) -> tuple[float | Tensor, float | Tensor]:
    first, second = (value[rows] if isinstance(value, Tensor) else value for value in pair)
    return first, second


Tap = tuple[Tensor, Tensor | None]
"""A pixel along an axis and its weight; None means a weight of 1."""


def taps_of(position: Tensor, span: Span, radius: float | Tensor, taps: int, kernel: Kernel) -> list[Tap]:
    """Returns per tap its pixel (a whole number inside the span) and its normalised weight."""
    radius = per_sample(radius)
    if taps == 2:  # two bilinear taps add up to 1, and a clamped position gives outer pixels no weight
        position = clamp(position, span)
        first = torch.floor(position)
        second = position - first
        return [(first, 1 - second), (clamp(first + 1, span), second)]
    position = clamp(position, span, margin=0.5)
    first = torch.floor(position - kernel.support * radius) + 1
    pixels = [first + k for k in range(taps)]
    weights = [kernel.at(position - p, radius) for p in pixels]
    if not kernel.repeats:
        weights = [w * inside(p, span) for p, w in zip(pixels, weights, strict=True)]
    total = sum(weights[1:], weights[0])
    if kernel.support == 1:  # keep the sum slightly below 1, because rounding could make white brighter than 1
        total = total * (1 + taps * torch.finfo(total.dtype).eps)
    return [(clamp(p, span), w / total) for p, w in zip(pixels, weights, strict=True)]


def paired(taps: list[Tap]) -> list[Tap]:
    """Joins pairs of taps: one bilinear read between two neighbours weights both of them."""
    pairs = [(a, b) for a, b in zip(taps[::2], taps[1::2], strict=False)]
    joined: list[Tap] = []
    for (first, first_weight), (second, second_weight) in pairs:
        weight = known(first_weight) + known(second_weight)
        share = known(second_weight) / torch.where(weight == 0, 1.0, weight)
        joined.append((first + (second - first) * share, weight))
    return joined + taps[len(pairs) * 2 :]


def clamp(position: Tensor, span: Span, margin: float = 0.0) -> Tensor:
    """Clamps positions (B, ...) to a span, extended by a margin."""
    low, high = (per_sample(end) for end in span)
    low, high = low - margin, high + margin
    if not (isinstance(low, Tensor) or isinstance(high, Tensor)):
        return position.clamp(low, high)
    above = torch.maximum(position, low.to(position.dtype)) if isinstance(low, Tensor) else position.clamp(min=low)
    return torch.minimum(above, high.to(above.dtype)) if isinstance(high, Tensor) else above.clamp(max=high)


def inside(position: Tensor, span: Span) -> Tensor:
    """Marks the positions within a span, ends included."""
    low, high = (per_sample(end) for end in span)
    return (position >= low) & (position <= high)
