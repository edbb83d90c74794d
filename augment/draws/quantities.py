"""The random quantities of a layer: which columns of noise each of them reads, and how likely a draw was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from augment.data.types import Noise, PerSample
from augment.draws.distributions import Distribution


def columns(layer: Any, noise: Noise) -> Iterator[tuple[str, Distribution, Tensor]]:
    """Every quantity of a layer with its distribution and its uniforms, (B,) or (B, count).

    `p` comes first, and is left out if it is always 1.
    """
    if layer.same_on_batch:
        noise = noise[:1].expand_as(noise)
    start = 0
    gated = () if layer.p.support() == (1.0, 1.0) else (("p", None),)
    for name, count in (*gated, *layer._quantities.items()):
        distribution = getattr(layer, name)
        end = start + distribution.draws * (count or 1)
        if start == end:
            uniforms = noise.new_zeros((noise.shape[0], count) if count else noise.shape[0])
        else:
            uniforms = noise[:, start:end] if count else noise[:, start]
        yield name, distribution, uniforms
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
