"""Checks of arguments. An error names the layer, the argument, the given value and the allowed values."""

from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from augment.data.memory import has_memory
from augment.draws.arguments import is_whole, name_of, number, numbers, plain, shown
from augment.geometry.interpolation import INTERPOLATIONS, RESIZE_INTERPOLATIONS
from augment.geometry.motion import PADDINGS

M = TypeVar("M", bound=nn.Module)

_MOST_PIXELS = 2**16
"""The largest side of an image and the widest margin, in pixels."""

_WITH_IMAGES = "masks, boxes and labels travel in a Batch"

MOST_TAPS = 1023
"""The largest side of a kernel, in taps."""


def one_of(owner: object, argument: str, value: str, allowed: Sequence[str]) -> str:
    """Checks that a name is allowed, ignoring case, and returns it in lower case."""
    if not isinstance(value, str) or value.lower() not in allowed:
        raise ValueError(f"{name_of(owner)}: {argument}={shown(value)} must be one of {', '.join(allowed)}.")
    return value.lower()


def names(owner: nn.Module, argument: str, value: Sequence[str] | None, allowed: Sequence[str]) -> tuple[str, ...]:
    """Checks a list of at least one allowed name; None means all."""
    if value is None:
        return tuple(allowed)
    listed = isinstance(value, (list, tuple))
    if not listed or not value or any(not isinstance(item, str) or item not in allowed for item in value):
        label = f"{name_of(owner)}: {argument}={shown(value)}"
        raise (ValueError if listed else TypeError)(f"{label} must be a list of some of {', '.join(allowed)}.")
    return tuple(value)


def resample_mode(owner: nn.Module, value: str) -> str:
    return one_of(owner, "resample", value, INTERPOLATIONS)


def policy_resample_mode(owner: nn.Module, value: str) -> str:
    return one_of(owner, "resample", value, (*INTERPOLATIONS, "random"))


def resize_mode(owner: nn.Module, value: str) -> str:
    return one_of(owner, "resample", value, RESIZE_INTERPOLATIONS)


def padding_mode(owner: nn.Module, value: str) -> str:
    return one_of(owner, "padding_mode", value, PADDINGS)


def image_size(
    owner: object, value: int | Sequence[int], argument: str = "size", most: int = _MOST_PIXELS
) -> tuple[int, int]:
    """Converts a pair, or one number for both sides, to (height, width), each from 1 to `most`."""
    value = plain(value, f"{name_of(owner)}: {argument}")
    pair = tuple(value) if isinstance(value, (list, tuple)) else (value, value)
    if len(pair) != 2 or not all(is_whole(n) and 1 <= n <= most for n in pair):
        raise ValueError(
            f"{name_of(owner)}: {argument}={shown(value)} must be a positive whole number of pixels or "
            f"(height, width), at most {most}."
        )
    return pair


def grid(owner: nn.Module, argument: str, value: Sequence[int], most: int) -> tuple[int, int]:
    """Checks the numbers of cells along two axes, each from 1 to `most`."""
    pair = tuple(value) if isinstance(value, (list, tuple)) else ()
    if len(pair) != 2 or not all(is_whole(n) and 1 <= n <= most for n in pair):
        label = f"{name_of(owner)}: {argument}={shown(value)}"
        raise ValueError(f"{label} must be two positive whole numbers, at most {most}.")
    return pair


def kind_of(value: object) -> str:
    """Describes a value by its class, because the repr of a module takes many lines."""
    return f"the class {value.__name__}" if isinstance(value, type) else f"a {type(value).__name__}"


def layers(
    owner: nn.Module, value: Sequence[nn.Module], wanted: type[M], what: str, hint: str = "", argument: str = "layers"
) -> list[M]:
    """Checks a list of layers of a type, which may be empty."""
    if not isinstance(value, (list, tuple, nn.ModuleList, nn.Sequential)):
        raise TypeError(f"{name_of(owner)}: {argument} is {kind_of(value)}; it must be a list of layers.")
    found = []
    for layer in value:
        if not isinstance(layer, wanted):
            raise TypeError(
                f"{name_of(owner)}: {argument} holds {kind_of(layer)}, which is not {what} of augment{hint}."
            )
        found.append(layer)
    return found


def some_layers(
    owner: nn.Module, value: Sequence[nn.Module], wanted: type[M], what: str, argument: str = "layers"
) -> list[M]:
    """Checks a list of at least one layer of a type."""
    found = layers(owner, value, wanted, what, argument=argument)
    if not found:
        raise ValueError(f"{name_of(owner)}: {argument}={value!r} must hold at least one.")
    return found


def unit_value(owner: nn.Module, argument: str, value: float) -> float:
    """Checks one pixel value in [0, 1] for all channels."""
    return number(owner, argument, value, 0.0, 1.0)


def region(owner: nn.Module, argument: str, value: Sequence[float]) -> tuple[float, float, float, float]:
    """Checks a part of an image (x_min, y_min, x_max, y_max) in fractions of its width and height."""
    corners = numbers(owner, argument, value, 0.0, 1.0)
    if len(corners) != 4 or corners[0] > corners[2] or corners[1] > corners[3]:
        label = f"{name_of(owner)}: {argument}={shown(value)}"
        raise ValueError(f"{label} must be (x_min, y_min, x_max, y_max), x_min <= x_max and y_min <= y_max.")
    left, top, right, bottom = corners
    return left, top, right, bottom


def rgb(owner: nn.Module, argument: str, value: Sequence[float]) -> tuple[float, float, float]:
    """Checks a colour (red, green, blue) in [0, 1]."""
    colour = numbers(owner, argument, value, 0.0, 1.0)
    if len(colour) != 3:
        raise ValueError(f"{name_of(owner)}: {argument}={shown(value)} must be three numbers (red, green, blue).")
    red, green, blue = colour
    return red, green, blue


def odd_size(owner: nn.Module, argument: str, value: int | Sequence[int], most: int = MOST_TAPS) -> tuple[int, int]:
    """Converts a pair, or one number for both, to the odd (vertical, horizontal) size of a kernel."""
    pair = image_size(owner, value, argument, most)
    if any(n % 2 == 0 for n in pair):
        raise ValueError(f"{name_of(owner)}: {argument}={value!r} must be odd.")
    return pair


def pair_of(owner: nn.Module, argument: str, value: Sequence[Any] | Tensor) -> tuple[Any, Any]:
    """Checks a pair of quantities."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        name = name_of(owner)
        raise TypeError(f"{name}: {argument}={shown(value)} must be a pair of numbers or distributions.")
    first, second = value
    return first, second


def margins(owner: nn.Module, padding: int | Sequence[int] | None) -> tuple[int, int, int, int]:
    """Converts one number, (left and right, top and bottom) or four numbers to (left, top, right, bottom)."""
    sides = (0,) if padding is None else tuple(padding) if isinstance(padding, (list, tuple)) else (padding,)
    if len(sides) not in (1, 2, 4) or not all(is_whole(s) and 0 <= s <= _MOST_PIXELS for s in sides):
        raise ValueError(
            f"{name_of(owner)}: padding={shown(padding)} must be 1, 2 or 4 numbers of pixels, none negative or "
            f"above {_MOST_PIXELS}."
        )
    return (sides * (4 // len(sides)))[:4]


def given_noise(owner: nn.Module, noise: Tensor, device: torch.device, samples: int, draws: int) -> None:
    """Checks noise (samples, draws) on the device of the images."""
    name = name_of(owner)
    _uniforms(owner, noise)
    if noise.shape != (samples, draws):
        raise ValueError(
            f"{name}: noise must have one row per image and {draws} columns (`draws`): expected ({samples}, {draws}), "
            f"got {tuple(noise.shape)}; {_WITH_IMAGES}."
        )
    if noise.device != device:
        raise ValueError(f"{name}: noise is on {noise.device}, the images are on {device}.")


def noise_of_one(owner: nn.Module, noise: Tensor, draws: int) -> None:
    """Checks the noise of one sample."""
    _uniforms(owner, noise)
    if noise.shape != (draws,):
        name = name_of(owner)
        raise ValueError(f"{name}: noise must be ({draws},), one row of `noise(...)`, got {tuple(noise.shape)}.")


def _uniforms(owner: nn.Module, noise: Tensor) -> None:
    is_target = not torch.compiler.is_compiling() and "tv_tensors" in type(noise).__module__
    if not isinstance(noise, Tensor) or is_target or not noise.is_floating_point():
        what = f"{kind_of(noise)} of {noise.dtype}" if isinstance(noise, Tensor) else kind_of(noise)
        raise TypeError(
            f"{name_of(owner)}: noise must be a tensor of floats in [0, 1), from `noise(...)`, got {what}; "
            f"{_WITH_IMAGES}."
        )
    if has_memory(noise) and noise.numel():  # takes about 20 µs
        low, high = noise.detach().aminmax()
        if not (low >= 0 and high < 1):  # NaN fails both comparisons
            raise ValueError(
                f"{name_of(owner)}: noise must lie within [0, 1), got values from {low:g} to {high:g}; {_WITH_IMAGES}."
            )
