"""Checks of constructor arguments: an error names the layer, the argument, what was given and what is allowed."""

from collections.abc import Sequence

from torch import Tensor, nn

from augment.interpolation import INTERPOLATIONS, RESIZE_INTERPOLATIONS
from augment.plain import plain
from augment.shorthand import as_numbers
from augment.step import PADDINGS


def one_of(owner: nn.Module, argument: str, value: str, allowed: Sequence[str]) -> str:
    """The value if it is allowed; capitals do not matter."""
    if not isinstance(value, str) or value.lower() not in allowed:
        raise ValueError(f"{type(owner).__name__}: {argument}={value!r} must be one of {', '.join(allowed)}.")
    return value.lower()


def resample_mode(owner: nn.Module, value: str) -> str:
    return one_of(owner, "resample", value, INTERPOLATIONS)


def resize_mode(owner: nn.Module, value: str) -> str:
    return one_of(owner, "resample", value, RESIZE_INTERPOLATIONS)


def padding_mode(owner: nn.Module, value: str) -> str:
    return one_of(owner, "padding_mode", value, PADDINGS)


def image_size(owner: nn.Module, value: int | Sequence[int], argument: str = "size") -> tuple[int, int]:
    """(height, width), positive, out of a pair or one number for both."""
    pair = tuple(value) if isinstance(value, Sequence) else (value, value)
    if len(pair) != 2 or any(not isinstance(n, int) or isinstance(n, bool) or n < 1 for n in pair):
        name = type(owner).__name__
        raise ValueError(f"{name}: {argument}={value!r} must be a positive whole number of pixels or (height, width).")
    return pair


def grid(owner: nn.Module, argument: str, value: Sequence[int]) -> tuple[int, int]:
    """How many cells along each of two axes, positive."""
    pair = tuple(value) if isinstance(value, Sequence) else ()
    if len(pair) != 2 or any(not isinstance(n, int) or isinstance(n, bool) or n < 1 for n in pair):
        raise ValueError(f"{type(owner).__name__}: {argument}={value!r} must be two positive whole numbers.")
    return pair


def kind_of(value: object) -> str:
    """What something is, in two words: a module's own text takes many lines."""
    return f"the class {value.__name__}" if isinstance(value, type) else f"a {type(value).__name__}"


def unit_value(owner: nn.Module, argument: str, value: float) -> float:
    """A pixel value in [0, 1]."""
    value = plain(value)
    if not 0 <= value <= 1:
        raise ValueError(f"{type(owner).__name__}: {argument}={value} must lie within [0, 1].")
    return float(value)


def odd_size(owner: nn.Module, argument: str, value: int | Sequence[int]) -> tuple[int, int]:
    """(vertical, horizontal) taps of a kernel, odd, out of a pair or one number for both."""
    pair = image_size(owner, value, argument)
    if any(n % 2 == 0 for n in pair):
        raise ValueError(f"{type(owner).__name__}: {argument}={value!r} must be odd.")
    return pair


def pair_of(owner: nn.Module, argument: str, value: Sequence | Tensor) -> tuple:
    """Two quantities."""
    value = as_numbers(value, f"{type(owner).__name__}: {argument}")
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        name = type(owner).__name__
        raise TypeError(f"{name}: {argument}={value!r} must be a pair of numbers or distributions.")
    return tuple(value)


def margins(owner: nn.Module, padding: int | Sequence[int] | None) -> tuple[int, int, int, int]:
    """Left, top, right, bottom out of one number for all sides, (left and right, top and bottom) or all four."""
    sides = (0,) if padding is None else (padding,) if isinstance(padding, int) else tuple(padding)
    if len(sides) not in (1, 2, 4) or any(not isinstance(s, int) or s < 0 for s in sides):
        name = type(owner).__name__
        raise ValueError(f"{name}: padding={padding!r} must be 1, 2 or 4 numbers of pixels, none negative.")
    return (sides * (4 // len(sides)))[:4]
