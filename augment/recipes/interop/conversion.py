"""The conversion shared by all libraries: it looks up converters and collects failures."""

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
"""The equivalent of a transform: one layer, or a list of layers to apply in sequence, which may be empty."""


class NoEquivalentError(Exception):
    """Raised by a converter if no layer is equivalent. The message tells the user why.

    Attributes:
        runs: whether the transform can run unchanged as a stage. It cannot if it changes the size or the number of the
            images, or their labels.
    """

    def __init__(self, reason: str, runs: bool = True) -> None:
        super().__init__(reason)
        self.runs = runs


class Conversion:
    """One call of a converter.

    Args:
        find: returns the converter of a transform, or None if there is none.
        stage: wraps an unchanged transform in a stage; raises NoEquivalentError if that is impossible.
        strict: whether every transform must have an equivalent.
        num_classes: number of classes, for layers that mix labels.

    Attributes:
        dtype: image type after the transforms so far, None if none of them sets it.
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
        """Converts a transform; a failure is recorded and gives no layers."""
        if isinstance(transform, Layer):
            return [transform]
        try:
            convert = self.find(transform)
            if convert is None:
                raise NoEquivalentError("there is no equivalent")
            found = convert(transform, self)
            _check_sizes(found)
        except (NoEquivalentError, ValueError, TypeError) as problem:  # our layers raise the latter two
            found = self._as_it_is(transform, problem)
        return found if isinstance(found, list) else [found]

    def _as_it_is(self, transform: Any, problem: Exception) -> Converted:
        """Wraps an unchanged transform in a stage, or records a failure if that is impossible."""
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
        """Converts transforms that are applied in sequence."""
        return [layer for transform in transforms for layer in self.layers(transform)]

    def alternatives(self, transforms: Iterable[Any]) -> list[Layer]:
        """Converts each transform to a single layer."""
        return [single(self.layers(transform)) for transform in transforms]

    def finished(self, caller: str) -> None:
        """Raises one error that lists all failures."""
        if self.failures:
            raise ValueError(f"{caller}: cannot convert {'; '.join(self.failures)}.")


_SIZE = (37, 41)
"""Size of a probe image, used to find out how layers change it."""


def _check_sizes(found: Converted) -> None:
    """Refuses containers of layers that change every size; a fixed output size keeps images of that size."""
    for container in found if isinstance(found, list) else [found]:
        for layer in container.layers if isinstance(container, Container) else ():
            if isinstance(layer, Layer) and _changes_every_size(layer):
                name = type(layer).__name__
                raise NoEquivalentError(f"its {name} changes the shape of the images that choose it", runs=False)


def _changes_every_size(layer: Layer) -> bool:
    try:
        size = layer.out_size(_SIZE)
    except ValueError:  # raised by a nested container, which was checked before
        return False
    return layer.out_size(size) != size


def single(layers: list[Layer]) -> Layer:
    return layers[0] if len(layers) == 1 else Pipeline(*layers)


def numbers(value: float | Sequence[float | Tensor] | Tensor) -> list[float]:
    """Lists the numbers in any type in which a library keeps them."""
    if isinstance(value, Tensor):
        value = value.detach().reshape(-1)
    found = plain(value, "a quantity")
    return [found] if is_number(found) else list(found)


def quantity(value: float | Sequence[float | Tensor] | Tensor) -> Quantity:
    """Converts a number or a range to a quantity, which our layers check; a learnable range stays learnable."""
    return cast("Quantity", quantities(value))


def quantities(value: float | Sequence[float | Tensor] | Tensor) -> Quantity | tuple[float, ...]:
    """Converts a number, a range or two joined ranges to a quantity; a learnable range stays learnable."""
    found = numbers(value)
    if isinstance(value, Tensor) and value.requires_grad:
        if len(found) != 2:
            raise NoEquivalentError("only a pair (low, high) can be learnable")
        low, high = found
        return Uniform(low, high, learnable=True)
    return found[0] if len(found) == 1 else tuple(found)


def colour(value: float | Sequence[float | Tensor] | Tensor) -> float | tuple[float, ...]:
    """Returns one number, or one per channel if they differ."""
    found = tuple(map(float, numbers(value)))
    return found[0] if len(set(found)) == 1 else found


def number(value: float | Sequence[float | Tensor] | Tensor, what: str) -> float:
    """Returns one number, also from a sequence of equal numbers."""
    found = numbers(value)
    if len(set(found)) != 1:
        raise NoEquivalentError(f"{what}={tuple(found)} differs between channels")
    return float(found[0])


def unit(value: Any) -> Any:
    """Converts a fill, one number or one per channel, to [0, 1]; a number above 1 means 8-bit values."""
    found = numbers(value)
    return tuple(n / 255 for n in found) if any(n > 1 for n in found) else tuple(found)
