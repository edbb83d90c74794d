"""The columns of noise that hold what schedules follow, such as the epoch, instead of uniforms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from augment.data.constants import constant
from augment.data.memory import has_memory
from augment.data.types import Noise
from augment.draws.arguments import name_of, shown
from augment.draws.distributions.schedule import EPOCH, stored


def inputs_after(owner: Any, layers: Iterable[Any]) -> list[tuple[int, str]]:
    """The columns that hold what schedules follow, of layers whose columns stand one after another.

    Args:
        owner: the layer whose own columns come before; None for none.
        layers: in the order of their columns.

    Returns:
        Each column with the name of its content.
    """
    told = [(layer, layer.inputs()) for layer in layers]
    if not any(inputs for _, inputs in told):
        return []  # without counting columns, because every call asks
    start, found = 0 if owner is None else owner.own_draws, []
    for layer, inputs in told:
        found += [(start + column, name) for column, name in inputs]
        start += layer.draws
    return found


def shares(layers: Iterable[Any]) -> bool:
    """Whether layers of which a sample gets one may read the same columns: none of them has a schedule."""
    return not any(layer.inputs() for layer in layers)


def filled(layer: Any, noise: Noise, epoch: int | Tensor, given: Mapping[str, float | Tensor] | None) -> Noise:
    """Noise with the columns that hold what schedules follow.

    Args:
        layer: the layer that the noise is for.
        noise: (B, draws) uniforms.
        epoch: the epoch that keys them.
        given: maps all other names to numbers in [0, 1], one or (B,).

    Raises:
        TypeError, ValueError: a name is missing or unknown, or a number does not fit.
    """
    inputs, given = layer.inputs(), given or {}
    if not inputs and not given:
        return noise
    names = {name for _, name in inputs} - {EPOCH}
    if names != given.keys():
        _refuse(layer, names, given)
    for name in sorted({name for _, name in inputs}):
        value = epoch if name == EPOCH else _checked(layer, name, given[name], noise.shape[0])
        mine = {column for column, of in inputs if of == name}
        chosen = constant([float(column in mine) for column in range(noise.shape[1])], noise) > 0
        noise = torch.where(chosen, stored(name, value, noise).reshape(-1, 1), noise)
    return noise


def _refuse(layer: Any, names: set[str], given: Mapping[str, object]) -> None:
    missing, unknown = sorted(names - given.keys()), sorted(given.keys() - names, key=str)
    if missing:
        raise ValueError(
            f"{name_of(layer)}: a schedule follows {missing[0]!r}, which must be given for each sample: "
            f"noise=pipeline.noise(index, epoch, given={{{missing[0]!r}: numbers}})."
        )
    raise ValueError(
        f"{name_of(layer)}: given={unknown} must name what schedules follow: {sorted(names) or 'nothing'}."
    )


def _checked(layer: Any, name: str, value: object, count: int) -> Any:
    """A number in [0, 1], or (B,) of them."""
    label = f"{name_of(layer)}: given[{name!r}]"
    if isinstance(value, Tensor):
        if value.shape not in ((), (count,)):
            raise ValueError(f"{label} must be one number or ({count},), one per sample, got {tuple(value.shape)}.")
        if has_memory(value) and not ((value >= 0) & (value <= 1)).all():
            raise ValueError(f"{label} must lie within [0, 1], got {value.min():g} to {value.max():g}.")
    elif not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= 1:
        raise ValueError(f"{label}={shown(value)} must be a number in [0, 1] or a tensor of them.")
    return value
