"""The colour that a layer shows outside an image: how it is given, and what "mean" stands for.

"mean" is the mean of the normalisation, as timm fills: the colour that the pipeline's Normalize maps to 0. A layer by
itself does not know it, so the pipeline that holds both tells the layer when it is built.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from torch import nn

from augment.draws.arguments import name_of, number, numbers, shown
from augment.geometry.fill import Fill, by_channel

MEAN = "mean"

GivenFill = float | Sequence[float] | str
"""A number for all channels, one per channel, or "mean"."""


def checked_fill(owner: object, argument: str, value: GivenFill) -> Fill | str:
    """Checks a fill: a number in [0, 1], one per channel, or "mean", which a Pipeline with a Normalize replaces.

    Example:
        >>> checked_fill("Pad", "fill", (0.5, 0.4, 0.3)), checked_fill("Pad", "fill", (0.5, 0.5, 0.5))
        ((0.5, 0.4, 0.3), 0.5)
    """
    if isinstance(value, str):
        if value != MEAN:
            allowed = "a number in [0, 1], one number per channel or 'mean'"
            raise ValueError(f"{name_of(owner)}: {argument}={shown(value)} must be {allowed}.")
        return value
    if not isinstance(value, (list, tuple)):
        return number(owner, argument, value, 0.0, 1.0, kind="a number, one number per channel or 'mean',")
    colour = numbers(owner, argument, value, 0.0, 1.0)
    return colour[0] if len(set(colour)) == 1 else colour


def fill_of(layer: Any) -> Fill:
    """Returns the fill of a layer.

    Raises:
        ValueError: it is "mean", and no pipeline told the layer which.
    """
    if isinstance(layer.fill, str):
        raise ValueError(
            f"{type(layer).__name__}: fill='mean' is the mean of the Normalize that comes later in the same Pipeline; "
            "add one, or give a value per channel, such as IMAGENET_MEAN."
        )
    return layer.fill


def fill_by_channel(layer: Any, channels: int) -> tuple[float, ...]:
    """Returns the fill of a layer for images with a number of channels.

    Raises:
        ValueError: it has another number of values, or is "mean", and no pipeline told the layer which.
    """
    fill = fill_of(layer)
    if isinstance(fill, tuple) and len(fill) != channels:
        label = f"{type(layer).__name__}: fill={fill}"
        raise ValueError(f"{label} has {len(fill)} numbers for images of {channels} channels.")
    return by_channel(fill, channels)


def settle_means(leaves: Iterable[nn.Module]) -> None:
    """Replaces "mean" in layers by the colour that the next Normalize maps to 0. The first pipeline decides.

    Args:
        leaves: the layers of a pipeline in their order.
    """
    mean: Fill | None = None
    for leaf in reversed(list(leaves)):
        here = getattr(leaf, "maps_to_zero", None)
        mean = mean if here is None else here
        if mean is not None:
            for part in leaf.modules():
                if getattr(part, "fill", None) == MEAN:
                    part.fill = mean  # type: ignore[assignment]
