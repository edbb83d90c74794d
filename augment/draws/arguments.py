"""Checks of constructor arguments: their type, as in the signature, and their range.

An error names the class, the argument, the given value and the allowed values.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn

LARGEST = 1e38
"""The largest number that a constructor accepts; the difference of two such numbers is a finite float32."""

_MOST_SHOWN = 100
"""Number of characters of a value that an error shows."""

_MOST_ITEMS = 1024
"""Largest length of a list; each value adds a step to the code of a layer."""


def checked(init: Callable[..., None]) -> Callable[..., None]:
    """Wraps a constructor to convert its arguments to plain data and check flags and numbers by its signature."""

    signature = inspect.signature(init)

    @functools.wraps(init)
    def with_checks(self: object, *args: Any, **kwargs: Any) -> None:
        name, allowed = type(self).__name__, _types(init)
        try:
            given = signature.bind(self, *args, **kwargs)
        except TypeError as error:  # names a missing or unknown argument
            raise TypeError(f"{name}: {error}.") from None
        for argument, value in list(given.arguments.items())[1:]:
            value = plain(value, f"{name}: {argument}")
            check_type(self, argument, value, allowed.get(argument, ()))
            given.arguments[argument] = value
        init(*given.args, **given.kwargs)

    return with_checks


@functools.cache
def _types(init: Callable[..., None]) -> dict[str, tuple[type, ...]]:
    """Returns the parameters that accept only a flag, a whole number or a number, or one of these and None."""
    found = {}
    for name, hint in typing.get_type_hints(init).items():
        union = isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union
        options = typing.get_args(hint) if union else (hint,)
        if [option for option in options if option is not types.NoneType] in ([bool], [int], [float]):
            found[name] = tuple(options)
    return found


def check_type(owner: object, argument: str, value: object, allowed: tuple[type, ...]) -> None:
    """Refuses a value that has none of the allowed types, which are bool, int, float and None."""
    if not allowed or (value is None and types.NoneType in allowed):
        return
    if bool in allowed:
        right, wanted = isinstance(value, bool), "True or False"
    elif int in allowed:
        right, wanted = is_whole(value), "a whole number"
    else:
        right, wanted = is_number(value), "one number"
    if not right:
        optional = " or None" if types.NoneType in allowed else ""
        raise TypeError(f"{name_of(owner)}: {argument}={shown(value)} must be {wanted}{optional}.")


def plain(value: Any, label: str) -> Any:
    """Converts NumPy's, torch's and OmegaConf's types to Python's numbers, lists and dicts.

    Raises:
        TypeError: a tensor requires a gradient, which would be lost.
    """
    if value is None or isinstance(value, (bool, int, float, str, bytes, range, type, nn.Module)):
        return float(value) if isinstance(value, float) else value  # a NumPy double is a subclass of float
    if isinstance(value, Tensor) and value.requires_grad:
        raise TypeError(
            f"{label} is a tensor with a gradient, which would be lost: write Uniform(low, high, learnable=True) to "
            "learn a range, or call from_kornia."
        )
    if callable(getattr(value, "tolist", None)):
        return _shortened(value.tolist()) if str(value.dtype).endswith("float32") else value.tolist()
    if isinstance(value, tuple):
        return tuple(plain(item, label) for item in value)
    if isinstance(value, Sequence):
        return [plain(item, label) for item in value]
    if isinstance(value, Mapping):
        return {key: plain(item, label) for key, item in value.items()}
    return value


def _shortened(value: Any) -> Any:
    """Rounds float32 numbers to their significant digits: 0.3 instead of 0.30000001192."""
    return [_shortened(item) for item in value] if isinstance(value, list) else float(f"{value:.7g}")


def name_of(owner: object) -> str:
    """Returns the class name for an error, or the owner itself if it is a name."""
    return owner if isinstance(owner, str) else type(owner).__name__


def shown(value: object) -> str:
    """Returns the given value as one short line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


def is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, (int, torch.SymInt)) and not isinstance(value, bool)


def number(
    owner: object,
    argument: str,
    value: object,
    low: float = -LARGEST,
    high: float = LARGEST,
    kind: str = "a number",
) -> float:
    """Checks a number in a range, ends included; NaN is refused, and infinity unless an end is infinite."""
    label = f"{name_of(owner)}: {argument}={shown(value)}"
    if not is_number(value):
        raise TypeError(f"{label} must be {kind}{within(low, high)}.")
    if not low <= value <= high or LARGEST < abs(value) < math.inf:
        raise ValueError(f"{label} must lie within [{low:g}, {high:g}].")
    return float(value)


def whole(owner: object, argument: str, value: object, low: int, high: int) -> int:
    """Checks a whole number from `low` to `high`."""
    if not is_whole(value) or not low <= value <= high:
        error = ValueError if is_whole(value) else TypeError
        raise error(f"{name_of(owner)}: {argument}={shown(value)} must be a whole number from {low} to {high}.")
    return value


def items(owner: object, argument: str, value: object, what: str, fewest: int = 1) -> list[Any]:
    """Returns the items of a list, tuple or range and checks their number."""
    held = list(itertools.islice(value, _MOST_ITEMS + 1)) if isinstance(value, (list, tuple, range)) else None
    if held is None or not fewest <= len(held) <= _MOST_ITEMS:
        label, error = f"{name_of(owner)}: {argument}={shown(value)}", TypeError if held is None else ValueError
        raise error(f"{label} must be {what} in a list, {fewest} to {_MOST_ITEMS} of them.")
    return held


def numbers(
    owner: object, argument: str, value: object, low: float = -LARGEST, high: float = LARGEST
) -> tuple[float, ...]:
    """Checks a list of numbers in a range, at least one."""
    return tuple(number(owner, argument, item, low, high) for item in items(owner, argument, value, "numbers"))


def whole_numbers(owner: object, argument: str, value: object, low: int, high: int, fewest: int = 1) -> tuple[int, ...]:
    """Checks a list of whole numbers from `low` to `high`."""
    held = items(owner, argument, value, "whole numbers", fewest)
    return tuple(whole(owner, argument, item, low, high) for item in held)


def weights(owner: object, value: object, count: int) -> tuple[float, ...] | None:
    """Checks relative frequencies of `count` alternatives, not negative and not all 0; None means equal."""
    if value is None:
        return None
    given = numbers(owner, "weights", value, 0.0)
    if len(given) != count or not sum(given):
        name = name_of(owner)
        raise ValueError(f"{name}: weights={shown(value)} must be {count} numbers, none negative and not all 0.")
    return given


def within(low: float, high: float) -> str:
    """Describes a range for an error; empty if the range is unbounded."""
    return "" if low <= -LARGEST and high >= LARGEST else f" within [{low:g}, {high:g}]"
