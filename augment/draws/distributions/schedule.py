"""Numbers that follow the epoch, or a number that the caller gives with each sample."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from augment.data.types import PerSample
from augment.draws.arguments import LARGEST, is_number, number, shown
from augment.draws.bounds import Range
from augment.draws.distributions.base import Distribution, Uniforms

EPOCH = "epoch"

_BETWEEN = ("linear", "cosine", "step")

_STEP = 2.0**-24
"""A column of noise holds numbers in [0, 1), of which float32 distinguishes this step everywhere."""

_MOST_KNOTS = 64


class Schedule(Distribution):
    """A number or a range that is a function of the epoch: `A.RandomRotation(A.Schedule({0: 5.0, 90: 30.0}))`.

    It stands wherever a magnitude does, and as `p=A.Bernoulli(A.Schedule(...))`. The epoch is the one that keys the
    draws, and travels in a column of the noise. So an epoch has the same strength on all processes, in a replay and
    after an interruption, and no epoch compiles anew.

    Args:
        values: maps epochs, ascending, to numbers or to pairs (low, high), which are drawn from uniformly. A number
            means what it means as the layer's argument. Before the first and after the last epoch their values hold.
        between: "linear"; "cosine" for half a wave between neighbours, flat at each; or "step" to keep each value
            until the next.
        of: what it is a function of. Any other name than "epoch" is a number in [0, 1] for each sample or for the
            batch, given with `pipeline.noise(index, epoch, given={name: numbers})`; `values` then maps such numbers.

    Example:
        >>> layer = A.RandomGamma(A.Schedule({0: 1.0, 10: 2.0}))
        >>> noise = layer.noise(index=torch.tensor([3]), epoch=5)
        >>> layer.explain(noise[0], size=(8, 8))["layers"][0]["gamma"]
        1.5
    """

    of: str

    def __init__(
        self, values: Mapping[float, float | Sequence[float]], between: str = "linear", of: str = EPOCH
    ) -> None:
        super().__init__()
        if not isinstance(of, str) or not of.isidentifier():
            raise TypeError(f"Schedule: of={shown(of)} must be 'epoch' or a name for what is given.")
        if not isinstance(between, str) or between not in _BETWEEN:
            error = ValueError if isinstance(between, str) else TypeError
            raise error(f"Schedule: between={shown(between)} must be one of {', '.join(_BETWEEN)}.")
        if not isinstance(values, Mapping) or not 1 <= len(values) <= _MOST_KNOTS:
            error = ValueError if isinstance(values, Mapping) else TypeError
            raise error(
                f"Schedule: values={shown(values)} must map epochs to numbers or pairs, 1 to {_MOST_KNOTS} of them."
            )
        most = 1 / _STEP - 1 if of == EPOCH else 1.0
        self.at_knots = tuple(number(self, "values", at, 0.0, most, f"numbers of {of}") for at in values)
        if any(first >= second for first, second in itertools.pairwise(self.at_knots)):
            raise ValueError(f"Schedule: values={shown(values)} must have their epochs in ascending order.")
        ends = [_ends(self, value) for value in values.values()]
        self.lows, self.highs = tuple(low for low, _ in ends), tuple(high for _, high in ends)
        self.between, self.of = between, of
        self.draws = int(self.lows != self.highs)

    def support(self) -> Range:
        return min(self.lows), max(self.highs)

    def forward(self, u: Uniforms) -> Uniforms:
        raise TypeError(f"Schedule: what it follows is not in its own uniforms; the layer passes it: at({self.of}).")

    def at(self, stored: PerSample) -> Between:
        """Returns the distribution of each sample.

        Args:
            stored: (B,), the column of noise that holds what is followed, see `stored`.
        """
        x = stored / _STEP if self.of == EPOCH else stored / (1 - _STEP)
        return Between(self._along(x, self.lows), self._along(x, self.highs))

    def _along(self, x: PerSample, values: Sequence[float]) -> PerSample:
        """The function through the knots, as a sum of one ramp for each pair of neighbours."""
        y = torch.full_like(x, values[0])
        for (first, second), (low, high) in zip(
            itertools.pairwise(self.at_knots), itertools.pairwise(values), strict=True
        ):
            if self.between == "step":
                share = (x >= second).to(x.dtype)
            else:
                share = ((x - first) / (second - first)).clamp(0.0, 1.0)
            if self.between == "cosine":
                share = (1 - torch.cos(torch.pi * share)) / 2
            y = y + share * (high - low)
        return y

    def around(self, centre: float, legal: Range) -> Schedule:
        """Returns the ranges that numbers mean for some arguments, centre - v to centre + v, cut to the legal range."""
        if self.draws:  # pairs mean themselves
            return self
        ranges = [(max(centre - v, legal[0]), min(centre + v, legal[1])) for v in self.highs]
        return Schedule(dict(zip(self.at_knots, ranges, strict=True)), self.between, self.of)

    def scaled(self, factor: float, most: float = math.inf) -> Schedule:
        """Returns the schedule with all values multiplied by a factor, `most` at most."""
        ends = [(min(low * factor, most), min(high * factor, most)) for low, high in self._ends()]
        return Schedule(dict(zip(self.at_knots, ends, strict=True)), self.between, self.of)

    def _ends(self) -> list[Range]:
        return list(zip(self.lows, self.highs, strict=True))

    def config(self) -> dict[str, Any]:
        knots = {
            int(at) if at.is_integer() else at: low if low == high else [low, high] for at, (low, high) in self._at()
        }
        return {"_target_": "augment.Schedule", "values": knots, "between": self.between, "of": self.of}

    def extra_repr(self) -> str:
        knots = (
            f"{at:g}: {low:g}" if low == high else f"{at:g}: ({low:g}, {high:g})" for at, (low, high) in self._at()
        )
        return f"{{{', '.join(knots)}}}, {self.between}, of {self.of}"

    def _at(self) -> list[tuple[float, Range]]:
        return list(zip(self.at_knots, self._ends(), strict=True))


class Between(NamedTuple):
    """A uniform distribution for each sample, as a schedule gives it.

    Attributes:
        low, high: (B,).
    """

    low: PerSample
    high: PerSample

    def __call__(self, u: Uniforms) -> Uniforms:
        """Maps uniforms (B,) or (B, count) to values."""
        low, high = (end.to(u.dtype).view(-1, *[1] * (u.ndim - 1)) for end in self)
        return low + (high - low) * u

    def log_prob_at(self, u: Uniforms) -> None:
        """Nothing here can be learned."""


class Below(NamedTuple):
    """A gate for each sample, open with a probability that a schedule gives.

    Attributes:
        p: (B,).
    """

    p: PerSample

    def __call__(self, u: Uniforms) -> Uniforms:
        return u < self.p.to(u.dtype)

    def log_prob_at(self, u: Uniforms) -> None:
        """Nothing here can be learned."""


def stored(name: str, value: float | Tensor, like: Tensor) -> Tensor:
    """Returns what a schedule follows as a column of noise holds it: (B,) or 0-dimensional, in [0, 1).

    Args:
        name: "epoch", or the name of a given number.
        value: an epoch from 0, or a number in [0, 1] for all samples or (B,).
        like: the noise.
    """
    value = torch.as_tensor(value, dtype=like.dtype, device=like.device)
    return value.clamp(0, 1 / _STEP - 1) * _STEP if name == EPOCH else value.clamp(0, 1) * (1 - _STEP)


def _ends(owner: Schedule, value: object) -> Range:
    if is_number(value):
        fixed = number(owner, "values", value)
        return fixed, fixed
    if isinstance(value, (tuple, list)) and len(value) == 2 and all(map(is_number, value)):
        low, high = (number(owner, "values", end, -LARGEST, LARGEST) for end in value)
        if low <= high:
            return low, high
        raise ValueError(f"Schedule: values has {shown(value)}, which must be a pair (low, high) with low <= high.")
    raise TypeError(f"Schedule: values has {shown(value)}, which must be a number or a pair (low, high).")
