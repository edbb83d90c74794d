"""Operators that change each pixel by itself: functions of its channels, and rectangles of a value or of noise."""

import functools
from collections.abc import Callable

import torch
from torch import Tensor

from augment.data.context import for_gpu
from augment.data.operator import operator
from augment.data.pixels import colours, each, planes, to_float
from augment.data.subset import Drawn, Parts, on_chosen
from augment.data.types import Bool, Float, Images, Params, Planes
from augment.draws.noise import normal_field
from augment.geometry.rectangle import SIDES, rectangle

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
def normalize(
    image: Images | Planes, chosen: Bool[Tensor, " b"] | None, mean: tuple[float, ...], std: tuple[float, ...]
) -> Planes:
    """(value - mean) / std of the chosen images. The others stay; the result is float planes (B, H, W).

    Args:
        image: (B, C, H, W) or C planes (B, H, W), uint8 or float.
        chosen: (B,) bool, which samples; None for all.
        mean, std: one number, or one per channel.
    """
    before = each(image, to_float)
    means, stds = statistics_by_channel(mean, std, len(before))

    def normalized(planes: Parts, params: Drawn) -> Parts:
        return tuple((plane - m) * (1 / s) for plane, m, s in zip(planes, means, stds, strict=True))

    return on_chosen(chosen, normalized, before, [{}])


def statistics_by_channel(
    mean: tuple[float, ...], std: tuple[float, ...], channels: int, owner: str = "Normalize"
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Expands mean and std to one number per channel.

    Raises:
        ValueError: they are neither one number nor one per channel; the message names `owner`.
    """
    matched = []
    for name, values in (("mean", mean), ("std", std)):
        if len(values) not in (1, channels):
            raise ValueError(f"{owner}: {name} has {len(values)} numbers for images of {channels} channels.")
        matched.append(values * channels if len(values) == 1 else values)
    return matched[0], matched[1]


@operator
def erase(
    image: Images | Planes,
    chosen: Bool[Tensor, " b"] | None,
    box: Params,
    value: float | tuple[float, ...] | None,
    key: Tensor | None,
) -> Planes:
    """Fills rectangles of the chosen images. The others stay; the result is float planes (B, H, W).

    Args:
        image: (B, C, H, W) or C planes (B, H, W), uint8 or float.
        chosen: (B,) bool, which samples; None for all.
        box: `top`, `left`, `height`, `width`: (B,) each, in whole pixels, or (B, n) for n rectangles one after another.
        value: filling, one number or one per channel; None for standard normal noise.
        key: uniforms in [0, 1) from which the noise is computed: (B, 2) for noise in every pixel, (B, n, 2) for one
            colour per rectangle; None if `value` is given.
    """
    before = each(image, to_float)
    if isinstance(value, tuple) and len(value) != len(before):
        raise ValueError(f"RandomErasing: value={value} has {len(value)} numbers for images of {len(before)} channels.")
    if value is not None and for_gpu(before[0].device):  # cheaper than a choice per pixel
        return _filled(before, only(chosen, box), value)
    drawn = dict(box) if key is None else box | {"key": key}

    def filled(planes: Parts, params: Drawn) -> Parts:
        return _filled(planes, params[0], value)

    return on_chosen(chosen, filled, before, [drawn])


def only(chosen: Bool[Tensor, " b"] | None, box: Params) -> Params:
    """Makes the rectangles of samples that are not chosen empty."""
    if chosen is None:
        return box
    height = box["height"]
    return box | {"height": torch.where(chosen if height.ndim == 1 else chosen[:, None], height, 0.0)}


def _filled(image: Planes, box: Params, value: float | tuple[float, ...] | None) -> Planes:
    size = image[0].shape[1:]
    inside = [rectangle(one, (size[0], size[1])) for one in _rectangles(box)]
    if value is not None:
        values = value if isinstance(value, tuple) else (value,) * len(image)
        erased = functools.reduce(torch.logical_or, inside)
        return tuple(torch.where(erased, v, plane) for v, plane in zip(values, image, strict=True))
    key = box["key"]
    if key.ndim == 2:
        noise = normal_field(key, (len(image), *size)).unbind(1)
        erased = functools.reduce(torch.logical_or, inside)
        return tuple(torch.where(erased, n.to(p.dtype), p) for n, p in zip(noise, image, strict=True))
    for one, own in zip(inside, key.unbind(1), strict=True):
        colour = normal_field(own, (len(image), 1, 1)).unbind(1)
        image = tuple(torch.where(one, c.to(p.dtype), p) for c, p in zip(colour, image, strict=True))
    return image


def _rectangles(box: Params) -> list[Params]:
    """Returns the rectangles one by one, each with sides (B,)."""
    if box["top"].ndim == 1:
        return [{side: box[side] for side in SIDES}]
    sides = zip(*(box[side].unbind(1) for side in SIDES), strict=True)
    return [dict(zip(SIDES, one, strict=True)) for one in sides]
