"""Colour as pure functions of channel planes, the mathematics that the photometric layers share.

Planes are red, green, blue in [0, 1]. Further ones (infrared) are left alone, and fewer have no colour to change.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from augment.data.pixels import NOTHING
from augment.data.primitives import materialized, saturated
from augment.data.types import Float, Plane, Planes, Shaped

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the luma of ITU-R BT.601, as in Pillow, torchvision and Kornia."""

Factor = float | Shaped[Tensor, "b 1 1"]


def with_rgb(planes: Planes, function: Callable[[Planes], Planes]) -> Planes:
    """Applies a function to red, green and blue, where there are such."""
    if len(planes) < 3:
        return planes
    return (*function(planes[:3]), *planes[3:])


def weighted(planes: Planes, weights: Sequence[float]) -> Plane:
    total = planes[0] * weights[0]
    for plane, weight in zip(planes[1:], weights[1:], strict=True):
        total = total + plane * weight
    return total


def gray(planes: Planes) -> Plane:
    """Luma of a colour image, the mean of the channels of any other."""
    if len(planes) < 3:
        return weighted(planes, [1 / len(planes)] * len(planes))
    return weighted(planes[:3], LUMA)


def mean_gray(planes: Planes) -> Float[Tensor, "b 1 1"]:
    """The image's mean luma, what contrast is measured from: that of the channels' means, without a plane of luma."""
    return materialized(gray(tuple(plane.mean((1, 2), keepdim=True) for plane in planes)))


def clamped(planes: Planes) -> Planes:
    return tuple(saturated(plane) for plane in planes)


def blend(planes: Planes, other: Tensor | float, factor: Factor) -> Planes:
    """factor * image + (1 - factor) * other, clamped: Pillow's ImageEnhance."""
    rest = other * (1 - factor)
    return clamped(tuple(plane * factor + rest for plane in planes))


def scale_saturation(planes: Planes, factor: Factor) -> Planes:
    """Scales the saturation of HSV, keeping hue and value: every channel's distance from the largest is scaled.

    Saturation, the largest distance over the value, ends at 1.
    """

    def rgb(colour: Planes) -> Planes:
        value, chroma = _value_and_chroma(colour)
        full = (chroma * factor > value) & (chroma > NOTHING)
        ratio = torch.where(full, value / torch.where(full, chroma, 1.0), factor)
        return tuple(value - (value - plane) * ratio for plane in colour)

    return with_rgb(planes, rgb)


def shift_hue(planes: Planes, turns: Factor | Plane) -> Planes:
    """Turns the hue of HSV, keeping saturation and value, by an amount per image or pixel. 1 is a full circle.

    Back to RGB, with the hue h in sextants, red is value - chroma * (1 - clamp(|h - 3| - 1, 0, 1)), green and blue
    have clamp(2 - |h - 2|, 0, 1) and clamp(2 - |h - 4|, 0, 1) instead (Smith's hexcone model, 1978, without branches).
    """

    def rgb(colour: Planes) -> Planes:
        red, green, blue = colour
        over_green, over_blue, green_more = red >= green, red >= blue, green >= blue
        red_most = over_green & over_blue
        if torch.compiler.is_compiling():  # fewer instructions, as these are compared already; more operators in eager
            value = torch.where(red_most, red, torch.where(green_more, green, blue))
            least = torch.where(green_more, torch.where(over_blue, blue, red), torch.where(over_green, green, red))
            chroma = value - least
        else:
            value, chroma = _value_and_chroma(colour)
        # one division: compiled code has little else that takes as long
        rise = torch.where(red_most, green - blue, torch.where(green_more, blue - red, red - green))
        start = torch.where(red_most, 0.0, torch.where(green_more, 2.0, 4.0)).to(red.dtype)
        hue = rise / torch.where(chroma > NOTHING, chroma, 1.0) + start + 6 * turns
        hue = hue - 6 * torch.floor(hue * (1 / 6))
        shares = ((hue - 3).abs() - 1, 2 - (hue - 2).abs(), 2 - (hue - 4).abs())
        return tuple(value - chroma * (1 - saturated(share)) for share in shares)

    return with_rgb(planes, rgb)


def _value_and_chroma(colour: Planes) -> tuple[Plane, Plane]:
    red, green, blue = colour
    value = torch.maximum(torch.maximum(red, green), blue)
    return value, value - torch.minimum(torch.minimum(red, green), blue)


def change_saturation_and_value(planes: Planes, factor: Factor, shift: Factor, lift: Factor) -> Planes:
    """Maps saturation s and value v of HSV to factor * s + shift and v + lift, clamped, and keeps the hue.

    A gray pixel has hue 0, so that a shift of its saturation turns it red. One channel is a value.
    """
    if len(planes) < 3:
        return (saturated(saturated(planes[0]) + lift), *planes[1:])

    def rgb(colour: Planes) -> Planes:
        colour = clamped(colour)
        value, chroma = _value_and_chroma(colour)
        coloured = chroma > NOTHING
        saturation = torch.where(coloured, chroma / torch.where(coloured, value, 1.0), 0.0)
        saturation, raised = saturated(saturation * factor + shift), saturated(value + lift)
        divisor = torch.where(coloured, chroma, 1.0)
        depths = (
            torch.where(coloured, (value - plane) / divisor, of_red)
            for plane, of_red in zip(colour, (0.0, 1.0, 1.0), strict=True)
        )
        return tuple(raised * (1 - saturation * depth) for depth in depths)

    return with_rgb(planes, rgb)
