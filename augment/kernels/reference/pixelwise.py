"""Operators that change each pixel by itself: functions of its channels, and rectangles of a value or of noise."""

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
"""Maps images of bytes and the 256 levels as floats to the new levels; (B, 1, 256) if all channels share them."""


@operator
def pointwise(
    image: Images | Planes,
    chosen: Bool[Tensor, " b"] | None,
    drawn: Params,
    function: Callable[[Parts, Drawn], Parts],
    tables: Tables | None,
    alpha_stays: bool,
) -> Planes:
    """Applies `function` to the chosen images. The others stay; the result is float planes (B, H, W).

    Args:
        image: (B, C, H, W) or C planes (B, H, W), uint8 or float.
        chosen: (B,) bool, which samples; None for all.
        drawn: raw draws of the batch; `function` gets those of the samples that it is called with.
        function: maps float planes to the same number of planes.
        tables: computes the same level by level, for bytes; None if `function` does not map each value by itself.
        alpha_stays: whether the alpha channel stays as it is.
    """
    before = tuple(to_float(plane) for plane in planes(image))
    count = colours(len(before)) if alpha_stays else len(before)
    return (*on_chosen(chosen, function, before[:count], [drawn]), *before[count:])


@operator
def erase(
    image: Images | Planes, chosen: Bool[Tensor, " b"] | None, box: Params, value: float | None, key: Tensor | None
) -> Planes:
    """Fills a rectangle of the chosen images. The others stay; the result is float planes (B, H, W).

    Args:
        image: (B, C, H, W) or C planes (B, H, W), uint8 or float.
        chosen: (B,) bool, which samples; None for all.
        box: `top`, `left`, `height`, `width`: (B,) each, in whole pixels.
        value: filling; None for standard normal noise in every pixel.
        key: (B, 2) uniforms in [0, 1) from which the noise is computed; None if `value` is given.
    """
    before = each(image, to_float)
    if value is not None and for_gpu(before[0].device):  # cheaper than a choice per pixel
        return _filled(before, only(chosen, box), value)
    drawn = dict(box) if key is None else box | {"key": key}

    def filled(planes: Parts, params: Drawn) -> Parts:
        return _filled(planes, params[0], value)

    return on_chosen(chosen, filled, before, [drawn])


def only(chosen: Bool[Tensor, " b"] | None, box: Params) -> Params:
    """Makes the rectangles of samples that are not chosen empty."""
    return box if chosen is None else box | {"height": torch.where(chosen, box["height"], 0.0)}


def _filled(image: Planes, box: Params, value: float | None) -> Planes:
    height, width = image[0].shape[1:]
    inside = rectangle(box, (height, width))
    if value is not None:
        return tuple(torch.where(inside, value, plane) for plane in image)
    noise = normal_field(box["key"], (len(image), height, width)).unbind(1)
    return tuple(torch.where(inside, n.to(p.dtype), p) for n, p in zip(noise, image, strict=True))
