"""The random quantities of a layer: which columns of noise each of them reads, and how likely a draw was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from augment.data.types import Noise, PerSample
from augment.draws.distributions import Distribution
from augment.draws.distributions.schedule import Below, Between


def followed(layer: Any) -> Sequence[str]:
    """The names of what the schedules of a layer's own quantities follow."""
    of = layer.p.of
    return layer._followed if of is None else sorted({of, *layer._followed})


def own_draws(layer: Any) -> int:
    """Number of columns of noise of a layer's own quantities: their uniforms, then what schedules follow."""
    uniforms = sum(getattr(layer, name).draws * (count or 1) for name, count in layer._quantities.items())
    return layer.p.draws + uniforms + len(followed(layer))


def own_inputs(layer: Any) -> list[tuple[int, str]]:
    """The columns of noise that hold what schedules follow, each with its name."""
    names = followed(layer)
    return list(enumerate(names, start=own_draws(layer) - len(names))) if names else []


def columns(layer: Any, noise: Noise) -> Iterator[tuple[str, Distribution | Between | Below, Tensor]]:
    """Every quantity of a layer with its distribution and its uniforms, (B,) or (B, count).

    `p` comes first, and is left out if it is always 1. The last columns hold what schedules follow.
    """
    if layer.same_on_batch:
        noise = noise[:1].expand_as(noise)
    start, followed = 0, {name: noise[:, column] for column, name in own_inputs(layer)}
    gated = () if layer.p.support() == (1.0, 1.0) else (("p", None),)
    for name, count in (*gated, *layer._quantities.items()):
        distribution = getattr(layer, name)
        end = start + distribution.draws * (count or 1)
        if start == end:
            uniforms = noise.new_zeros((noise.shape[0], count) if count else noise.shape[0])
        else:
            uniforms = noise[:, start:end] if count else noise[:, start]
        yield name, distribution if distribution.of is None else distribution.at(followed[distribution.of]), uniforms
        start = end


def log_prob(layer: Any, noise: Noise) -> PerSample:
    """(B,) log P of the gates and choices that each sample drew from a layer's own quantities.

    Raises:
        ValueError: with same_on_batch, where no sample drew anything else to compare with.
    """
    total = noise.new_zeros(noise.shape[0])
    for name, distribution, uniforms in columns(layer, noise):
        log_p = distribution.log_prob_at(uniforms)
        if log_p is None:
            continue
        if layer.same_on_batch:
            raise ValueError(
                f"{type(layer).__name__}: same_on_batch=True must be False to learn {name}, which compares samples."
            )
        total = total + (log_p if log_p.ndim == 1 else log_p.sum(1))
    return total
