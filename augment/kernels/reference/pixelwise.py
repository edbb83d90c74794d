"""Changes of pixels by themselves: any function of them, and rectangles filled with a value or noise."""

from collections.abc import Callable

import torch
from torch import Tensor

from augment.data.context import for_gpu
from augment.data.operator import operator
from augment.data.pixels import colours, each, planes, to_float
from augment.data.subset import Drawn, Parts, on_chosen
from augment.data.types import Bool, Float, Images, Params, Planes
from augment.draws.noise import normal_field
from augment.geometry.rectangle import rectangle

Tables = Callable[[Images, Float[Tensor, "b c 256"]], Float[Tensor, "b c2 256"]]
"""What each level becomes in bytes, from these and the levels as floats; (B, 1, 256) if the channels share it."""


@operator
def pointwise(
    image: Images | Planes,
    chosen: Bool[Tensor, " b"] | None,
    drawn: Params,
    function: Callable[[Parts, Drawn], Parts],
    tables: Tables | None,
    alpha_stays: bool,
) -> Planes:
    """`function` of the chosen images.

    Args:
        image: (B, C, H, W) or C planes (B, H, W), uint8 or float.
        chosen: (B,) which samples; None for all.
        drawn: the raw draws, which `function` gets for the samples that it is called with.
        function: maps float planes to as many.
        tables: the same for bytes, level by level, where `function` changes each value by itself; None otherwise.
        alpha_stays: leave the alpha channel as it is.
    """
    before = tuple(to_float(plane) for plane in planes(image))
    count = colours(len(before)) if alpha_stays else len(before)
    return (*on_chosen(chosen, function, before[:count], [drawn]), *before[count:])


@operator
def erase(
    image: Images | Planes, chosen: Bool[Tensor, " b"] | None, box: Params, value: float | None, key: Tensor | None
) -> Planes:
    """The chosen images with a rectangle filled.

    Args:
        image: (B, C, H, W) or C planes (B, H, W), uint8 or float.
        chosen: (B,) which samples; None for all.
        box: `top`, `left`, `height`, `width`, (B,) whole pixels each.
        value: what to fill with; None for standard normal noise in every pixel.
        key: (B, 2) uniforms that key the noise.
    """
    before = each(image, to_float)
    if value is not None and for_gpu(before[0].device):  # an empty box is less to compare than a choice for every pixel
        return _filled(before, only(chosen, box), value)
    drawn = dict(box) if key is None else box | {"key": key}

    def filled(some: Parts, params: Drawn) -> Parts:
        return _filled(some, params[0], value)

    return on_chosen(chosen, filled, before, [drawn])


def only(chosen: Bool[Tensor, " b"] | None, box: Params) -> Params:
    """The rectangles of the chosen samples, empty ones for the others."""
    return box if chosen is None else box | {"height": torch.where(chosen, box["height"], 0.0)}


def _filled(image: Planes, box: Params, value: float | None) -> Planes:
    inside = rectangle(box, tuple(image[0].shape[1:]))
    if value is not None:
        return tuple(torch.where(inside, value, plane) for plane in image)
    field = normal_field(box["key"], (len(image), *image[0].shape[1:])).unbind(1)
    return tuple(torch.where(inside, n.to(p.dtype), p) for n, p in zip(field, image, strict=True))
