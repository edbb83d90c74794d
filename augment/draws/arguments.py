"""Arguments of constructors: Python's own numbers and lists, of the type that the signature says, within their range.

An error names the class, the argument, what was given and what is allowed.
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
"""The largest number that a constructor takes: a difference of two still is a finite float32."""

_MOST_SHOWN = 100
"""Characters of a value that an error shows."""

_MOST_ITEMS = 1024
"""How many values a list may hold: each is a step of its own in the code of a layer."""


def checked(init: Callable[..., None]) -> Callable[..., None]:
    """A constructor that gets plain arguments, and of a single type what its signature says: flags and numbers."""

    signature = inspect.signature(init)

    @functools.wraps(init)
    def with_checks(self: object, *args: Any, **kwargs: Any) -> None:
        name, allowed = type(self).__name__, _types(init)
        try:
            given = signature.bind(self, *args, **kwargs)
        except TypeError as error:  # which argument is missing, or unknown
            raise TypeError(f"{name}: {error}.") from None
        for argument, value in list(given.arguments.items())[1:]:
            value = plain(value, f"{name}: {argument}")
            check_type(self, argument, value, allowed.get(argument, ()))
            given.arguments[argument] = value
        init(*given.args, **given.kwargs)

    return with_checks


@functools.cache
def _types(init: Callable[..., None]) -> dict[str, tuple[type, ...]]:
    """The parameters that take a flag, a whole number or a number and nothing else, None apart."""
    found = {}
    for name, hint in typing.get_type_hints(init).items():
        union = isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union
        options = typing.get_args(hint) if union else (hint,)
        if [option for option in options if option is not types.NoneType] in ([bool], [int], [float]):
            found[name] = tuple(options)
    return found


def check_type(owner: object, argument: str, value: object, allowed: tuple[type, ...]) -> None:
    """Refuses what is not of one of the types bool, int and float, or None where that is among them."""
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
    """The same in Python's own numbers, lists and dicts instead of NumPy's, torch's or OmegaConf's.

    Raises:
        TypeError: a tensor has a gradient, which would be lost.
    """
    if value is None or isinstance(value, (bool, int, float, str, bytes, range, type, nn.Module)):
        return float(value) if isinstance(value, float) else value  # a double of NumPy is one of Python's, too
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
    """Numbers of float32 to the digits that it holds: 0.3 instead of 0.30000001192."""
    return [_shortened(item) for item in value] if isinstance(value, list) else float(f"{value:.7g}")


def name_of(owner: object) -> str:
    """What an error calls it: the class, or a name that stands for itself."""
    return owner if isinstance(owner, str) else type(owner).__name__


def shown(value: object) -> str:
    """What was given, in one line."""
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
    """A number of a range, ends included; neither NaN nor, unless an end is, infinite."""
    label = f"{name_of(owner)}: {argument}={shown(value)}"
    if not is_number(value):
        raise TypeError(f"{label} must be {kind}{within(low, high)}.")
    if not low <= value <= high or LARGEST < abs(value) < math.inf:
        raise ValueError(f"{label} must lie within [{low:g}, {high:g}].")
    return float(value)


def whole(owner: object, argument: str, value: object, low: int, high: int) -> int:
    """A whole number from `low` to `high`."""
    if not is_whole(value) or not low <= value <= high:
        error = ValueError if is_whole(value) else TypeError
        raise error(f"{name_of(owner)}: {argument}={shown(value)} must be a whole number from {low} to {high}.")
    return value


def items(owner: object, argument: str, value: object, what: str, fewest: int = 1) -> list[Any]:
    """What a list, a tuple or a range holds."""
    held = list(itertools.islice(value, _MOST_ITEMS + 1)) if isinstance(value, (list, tuple, range)) else None
    if held is None or not fewest <= len(held) <= _MOST_ITEMS:
        label, error = f"{name_of(owner)}: {argument}={shown(value)}", TypeError if held is None else ValueError
        raise error(f"{label} must be {what} in a list, {fewest} to {_MOST_ITEMS} of them.")
    return held


def numbers(
    owner: object, argument: str, value: object, low: float = -LARGEST, high: float = LARGEST
) -> tuple[float, ...]:
    """Numbers of a range, at least one."""
    return tuple(number(owner, argument, item, low, high) for item in items(owner, argument, value, "numbers"))


def whole_numbers(owner: object, argument: str, value: object, low: int, high: int, fewest: int = 1) -> tuple[int, ...]:
    """Whole numbers from `low` to `high`."""
    held = items(owner, argument, value, "whole numbers", fewest)
    return tuple(whole(owner, argument, item, low, high) for item in held)


def weights(owner: object, value: object, count: int) -> tuple[float, ...] | None:
    """Relative frequencies of so many alternatives, none negative and not all 0; None for equal ones."""
    if value is None:
        return None
    given = numbers(owner, "weights", value, 0.0)
    if len(given) != count or not sum(given):
        name = name_of(owner)
        raise ValueError(f"{name}: weights={shown(value)} must be {count} numbers, none negative and not all 0.")
    return given


def within(low: float, high: float) -> str:
    """A range for an error, nothing if it holds all numbers."""
    return "" if low <= -LARGEST and high >= LARGEST else f" within [{low:g}, {high:g}]"
