"""What can be set about a layer, as plain data: ranges to drag, probabilities, switches, numbers and texts."""

from __future__ import annotations

import inspect
import math
import typing
from dataclasses import dataclass
from typing import Any, Literal

import augment as A
from augment.core.layer import Layer
from augment.draws.config import plain_data
from augment.tools.errors import ToolError
from augment.tools.playground.state import Config, built, name_of, typical
from augment.tools.playground.texts import in_python
from augment.tools.recipe import value_of

_TURNS = ("degrees", "angle", "rotation")
_CONSTANTS = ("None", "True", "False")
_POSITIONS = 100
"""Fewest positions of a slider."""


@dataclass(frozen=True)
class Control:
    """One argument of a layer.

    Attributes:
        argument: its name.
        kind: a range has a slider for each end, a probability has one; a text is a value in Python.
        value: (low, high) of a range; a number, a bool or a text.
        limits: smallest and largest position of the sliders.
        step: between two positions of a slider.
    """

    argument: str
    kind: Literal["range", "probability", "flag", "number", "text"]
    value: Any
    limits: tuple[float, float] = (0.0, 1.0)
    step: float = 0.01


def controls(config: Config) -> list[Control]:
    """Return a control for each argument of a layer.

    Example:
        >>> controls({"_target_": "augment.RandomRotation", "degrees": 30})[0]
        Control(argument='degrees', kind='range', value=(-30.0, 30.0), limits=(-180.0, 180.0), step=1.0)
    """
    layer = built(config)
    hints = typing.get_type_hints(type(layer).__init__)
    parameters = inspect.signature(type(layer)).parameters.values()
    return [
        _control(layer, config, parameter.name, config.get(parameter.name, parameter.default), hints[parameter.name])
        for parameter in parameters
        if parameter.kind is not inspect.Parameter.VAR_POSITIONAL
    ]


def _control(layer: Layer, config: Config, name: str, value: Any, hint: Any) -> Control:
    if name == "p" and isinstance(value, (int, float)):
        return Control(name, "probability", float(value))
    if name in layer._quantities and (ends := _ends(layer, config, name)):
        limits = _limits(config, name, ends)
        return Control(name, "range", ends, limits, _step(limits))
    if isinstance(value, bool):
        return Control(name, "flag", value)
    if hint in (int, float) and isinstance(value, (int, float)) and math.isfinite(value):
        return Control(name, "number", value)
    word = isinstance(value, str) and value.isidentifier()  # needs no quotes
    return Control(name, "text", value if word else in_python(plain_data(value, name)))


def _ends(layer: Layer, config: Config, name: str) -> tuple[float, float] | None:
    """Return the range of a quantity, or None if a pair of numbers does not say all of it."""
    drawn = getattr(layer, name)
    if not isinstance(drawn, (A.Constant, A.Uniform, A.LogUniform)):
        return None
    ends = drawn.support()
    try:
        again = built(config | {name: list(ends)})
    except ToolError:
        return None
    shared = [quantity for quantity in layer._quantities if quantity != name]
    same = all(getattr(again, other).support() == getattr(layer, other).support() for other in shared)
    return ends if same and getattr(again, name).support() == ends else None


def _limits(config: Config, name: str, ends: tuple[float, float]) -> tuple[float, float]:
    """Return the legal range of a quantity, or the part of it that is wide enough to try things."""
    low, high = ends
    whole = config | {name: A.Uniform(low, high if low < high else low + 1e-6).config()}
    try:
        legal = getattr(built(whole), name).bounds.legal
    except ToolError:  # the largest legal number
        legal = ends
    usual = typical(name_of(config)).config().get(name, list(ends))
    shown = getattr(built(config | {name: usual}), name).support()
    far = 180.0 if name in _TURNS else 2 * max(map(abs, shown)) or 1.0
    least, most = max(legal[0], -far), min(legal[1], far)
    return min(least, low), max(most, high)


def _step(limits: tuple[float, float]) -> float:
    """Return 1, 0.1, 0.01, ..., so that a slider has at least so many positions."""
    width = limits[1] - limits[0]
    return min(1.0, 10.0 ** math.floor(math.log10(width / _POSITIONS))) if width > 0 else 1.0


def given(config: Config, control: Control, *values: Any) -> Any:
    """Return the plain data that an argument gets when its control is set.

    Args:
        config: of the layer.
        control: of the argument.
        values: of a range its two ends, in any order; one value otherwise.

    Raises:
        ToolError: a text is no value in Python.

    Example:
        >>> given({}, Control("degrees", "range", (-30.0, 30.0)), 10, -20)
        [-20, 10]
    """
    if control.kind == "range":
        low, high = sorted(values)
        held = config.get(control.argument)
        if isinstance(held, dict) and {"low", "high"} <= held.keys():  # such as a LogUniform
            return held | {"low": low, "high": high}
        return [low, high]
    if control.kind == "text":
        text = values[0].strip()
        word = text.isidentifier() and text not in _CONSTANTS
        return text if word else plain_data(value_of(text), control.argument)
    if control.kind == "number" and float(values[0]).is_integer() and isinstance(control.value, int):
        return int(values[0])
    return values[0]
