"""Unchanged torchvision transforms as stages, with pixel values converted to [0, 1]."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

import augment as A  # names are looked up when a function is called, because augment imports this module
from augment.core.layer import Layer
from augment.recipes.interop.conversion import NoEquivalentError, unit

_PACKAGE = "torchvision.transforms"
_RESHAPING = {
    *("CenterCrop", "Pad", "RandomCrop", "RandomIoUCrop", "RandomResize", "RandomResizedCrop", "RandomShortestSize"),
    *("RandomZoomOut", "Resize", "ScaleJitter", "RGB", "FiveCrop", "TenCrop", "UniformTemporalSubsample"),
    *("PILToTensor", "ToPILImage", "ToTensor"),
}
"""Names of transforms (v1 and v2) that change the size, number or type of images."""


def stage(transform: Any) -> Layer:
    """Wraps the transform in an `Opaque` and converts its fill values to [0, 1].

    Raises:
        NoEquivalentError: the transform, or a nested one, changes the shape of the images.
    """
    parts = list(_parts(transform))
    if any(_reshapes(part) for part in parts):
        raise NoEquivalentError("it changes the shape of the images, so it cannot run as it is", runs=False)
    if any(_has_values(part) for part in parts):
        transform = copy.deepcopy(transform)
        for part in filter(_has_values, _parts(transform)):
            _in_floats(part)
    return A.Opaque(transform, random=type(transform).__name__ != "LinearTransformation")


def for_images(by_type: Any) -> Any:
    """Returns the entry for images of a torchvision dict by type, or None; other values are returned unchanged."""
    if not isinstance(by_type, dict):
        return by_type
    by_name = {getattr(key, "__name__", key): value for key, value in by_type.items()}
    return next((by_name[name] for name in ("Image", "Tensor", "others") if name in by_name), None)


def _parts(transform: Any) -> Iterator[Any]:
    """Yields a transform and all nested transforms."""
    yield transform
    for inner in getattr(transform, "transforms", ()):
        yield from _parts(inner)


def _names(part: Any) -> set[str]:
    """Returns the names of the torchvision classes of a transform, base classes included."""
    return {cls.__name__ for cls in type(part).__mro__ if cls.__module__.startswith(_PACKAGE)}


def _reshapes(part: Any) -> bool:
    names = _names(part)
    if names & {"Grayscale", "RandomRotation"}:
        return getattr(part, "num_output_channels", 3) != 3 or getattr(part, "expand", False)
    return not names.isdisjoint(_RESHAPING)


def _has_values(part: Any) -> bool:
    """Whether a torchvision transform holds pixel values."""
    return bool(_names(part)) and (hasattr(part, "fill") or hasattr(part, "value"))


def _in_floats(part: Any) -> None:
    """Converts the pixel values of a transform to [0, 1] and keeps only the fill for images."""
    if hasattr(part, "fill"):
        fill = for_images(part.fill)
        part.fill = fill if fill is None else list(unit(fill)) if isinstance(fill, (list, tuple)) else unit(fill)[0]
    if hasattr(part, "_fill"):  # v2 reads this attribute
        part._fill = {"others": part.fill}
    if isinstance(getattr(part, "value", None), (int, float, list, tuple)):
        part.value = list(unit(part.value))
    if "RandomPerspective" in _names(part) and part.fill is not None:
        part.register_forward_hook(partial(_filled_on_the_horizon, part.fill))


def _filled_on_the_horizon(fill: Any, _: Any, inputs: Any, image: Tensor) -> Tensor:
    """Replaces NaN with the fill: torchvision divides by zero for pixels on the horizon of a perspective.

    `fill` is in units of the image; `image` is (..., C, H, W).
    """
    fills = image.new_tensor(fill if isinstance(fill, list) else [fill])
    return torch.where(image.isfinite(), image, fills[:, None, None])
