"""What the conversions of all libraries share: a table of functions, and a record of what it does not cover."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import torch
from torch import Tensor

from augment.core.layer import Layer
from augment.core.pipeline import Pipeline
from augment.draws.arguments import is_number, plain
from augment.draws.distributions import Uniform
from augment.draws.shorthand import Quantity
from augment.layers.policies.containers import Container

Converted = Layer | list[Layer]
"""What stands for a transform: a layer, or several one after another; none if a pipeline needs nothing for it."""


class NoEquivalentError(Exception):
    """Raised by a table's function: there is no layer that does this. The message says why, for the user.

    Attributes:
        runs: whether the transform can be a stage as it is. It cannot if it changes the size of the images by itself,
            their number or their labels.
    """

    def __init__(self, reason: str, runs: bool = True) -> None:
        super().__init__(reason)
        self.runs = runs


class Conversion:
    """One call of a converter.

    Args:
        find: gives the function that converts a transform, None if there is none.
        stage: makes a stage of a transform as it is; raises NoEquivalentError if it cannot be one.
        strict: whether everything has to convert.
        num_classes: for layers that mix labels.

    Attributes:
        dtype: what the transforms so far turn images into, None if nothing has been said.
    """

    def __init__(
        self,
        find: Callable[[Any], Callable[[Any, Conversion], Converted] | None],
        stage: Callable[[Any], Layer],
        strict: bool,
        num_classes: int | None = None,
    ) -> None:
        self.find, self.stage, self.strict, self.num_classes = find, stage, strict, num_classes
        self.dtype: torch.dtype | None = None
        self.failures: list[str] = []

    def layers(self, transform: Any) -> list[Layer]:
        """What stands for a transform. Collects what cannot be converted."""
        if isinstance(transform, Layer):
            return [transform]
        try:
            convert = self.find(transform)
            if convert is None:
                raise NoEquivalentError("there is no equivalent")
            found = convert(transform, self)
            _check_sizes(found)
        except (NoEquivalentError, ValueError, TypeError) as problem:  # the latter two from arguments of our layers
            found = self._as_it_is(transform, problem)
        return found if isinstance(found, list) else [found]

    def _as_it_is(self, transform: Any, problem: Exception) -> Converted:
        """The transform as a stage; nothing, and one more failure, if it cannot be one."""
        reason = str(problem).rstrip(".")
        if not self.strict and getattr(problem, "runs", True):
            try:
                return self.stage(transform)
            except NoEquivalentError as other:
                reason += f"; {other}"
        name = getattr(transform, "__name__", type(transform).__name__)
        self.failures.append(f"{name} ({reason})")
        return []

    def sequence(self, transforms: Iterable[Any]) -> list[Layer]:
        """What stands for several, one after another."""
        return [layer for transform in transforms for layer in self.layers(transform)]

    def alternatives(self, transforms: Iterable[Any]) -> list[Layer]:
        """One layer for each."""
        return [single(self.layers(transform)) for transform in transforms]

    def finished(self, caller: str) -> None:
        """Raises one error for everything that cannot be converted."""
        if self.failures:
            raise ValueError(f"{caller}: cannot convert {'; '.join(self.failures)}.")


_SIZE = (37, 41)
"""Of an image, for layers to say what size they make of it."""


def _check_sizes(found: Converted) -> None:
    """Refuses a choice of a layer that changes every size: one that gives a fixed size keeps images of that size."""
    for container in found if isinstance(found, list) else [found]:
        for layer in container.layers if isinstance(container, Container) else ():
            if isinstance(layer, Layer) and _changes_every_size(layer):
                name = type(layer).__name__
                raise NoEquivalentError(f"{name} in it changes the shape of the images that get it", runs=False)


def _changes_every_size(layer: Layer) -> bool:
    try:
        size = layer.out_size(_SIZE)
    except ValueError:  # a choice in it, which has been looked at itself
        return False
    return layer.out_size(size) != size


def single(layers: list[Layer]) -> Layer:
    return layers[0] if len(layers) == 1 else Pipeline(*layers)


def numbers(value: float | Sequence[float | Tensor] | Tensor) -> list[float]:
    """The numbers in whatever a library keeps them in."""
    if isinstance(value, Tensor):
        value = value.detach().reshape(-1)
    found = plain(value, "a quantity")
    return [found] if is_number(found) else list(found)


def quantity(value: float | Sequence[float | Tensor] | Tensor) -> Quantity:
    """A number or a range, as our layers take it; they refuse what holds more. A learnable range stays learnable."""
    return cast("Quantity", quantities(value))


def quantities(value: float | Sequence[float | Tensor] | Tensor) -> Quantity | tuple[float, ...]:
    """A number, a range, or two ranges in one."""
    found = numbers(value)
    if isinstance(value, Tensor) and value.requires_grad:
        if len(found) != 2:
            raise NoEquivalentError("only a pair (low, high) can be learned")
        low, high = found
        return Uniform(low, high, learnable=True)
    return found[0] if len(found) == 1 else tuple(found)


def number(value: float | Sequence[float | Tensor] | Tensor, what: str) -> float:
    """One number, also out of a sequence of equal ones."""
    found = numbers(value)
    if len(set(found)) != 1:
        raise NoEquivalentError(f"{what}={tuple(found)} differs between channels")
    return float(found[0])
