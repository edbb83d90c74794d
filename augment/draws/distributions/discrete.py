"""Discrete distributions."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from augment.data.constants import constant
from augment.data.context import compiling
from augment.data.known import known
from augment.draws.arguments import number, numbers
from augment.draws.arguments import weights as relative
from augment.draws.bounds import EDGE, Bounds, Range
from augment.draws.distributions.base import Distribution, Uniforms
from augment.draws.distributions.schedule import Below, Schedule


class Bernoulli(Distribution):
    """True with probability p, a number or a Schedule. A fixed p of 0 or 1 uses no draw.

    Example:
        >>> A.Bernoulli(0.3)(torch.tensor([0.1, 0.2, 0.5]))
        tensor([ True,  True, False])
    """

    def __init__(self, p: float | Schedule, learnable: bool = False) -> None:
        super().__init__()
        self.schedule = p if isinstance(p, Schedule) else None
        if isinstance(p, Schedule):
            if learnable:
                raise ValueError(f"Bernoulli: learnable={learnable} must be False where p follows a Schedule.")
            if p.draws or p.support()[0] < 0 or p.support()[1] > 1:
                raise ValueError(f"Bernoulli: p={p} must have numbers within [0, 1].")
            self.of, p = p.of, p.support()[1]
        p = number(self, "p", p, 0.0, 1.0, "a number or a Schedule")
        self.p = Bounds((p,), learnable)
        self.p.within((0.0, 1.0))
        self.draws = 1 if learnable or self.of is not None or 0 < p < 1 else 0

    def support(self) -> Range:
        (p,) = self.p.initial
        return (0.0, 1.0) if self.draws else (p, p)

    def probability(self) -> float | Tensor:
        """Returns p as a number, or as a 0-dimensional tensor with a gradient if learnable."""
        return self.p()[0]

    def forward(self, u: Uniforms) -> Uniforms:
        return u < self.probability()

    def at(self, stored: Tensor) -> Below:
        """Returns the gate of each sample, see `Schedule.at`."""
        return Below(known(self.schedule).at(stored).low)

    def log_prob(self, value: Uniforms) -> Uniforms:
        """Returns log P(value) for values from `forward`, differentiable in p; the score function needs it."""
        p = torch.as_tensor(self.probability(), device=value.device)
        return torch.where(value, p.log(), torch.log1p(-p))

    def log_prob_at(self, u: Uniforms) -> Uniforms | None:
        return self.log_prob(self(u)) if self.p.raw is not None else None

    def entropy(self) -> Tensor | None:
        if self.p.raw is None:
            return None
        p = torch.as_tensor(self.probability())
        return -(p * p.log() + (1 - p) * torch.log1p(-p))

    def config(self) -> Any:
        """Returns a number, which every `p` accepts, or a Bernoulli that follows its schedule."""
        if self.schedule is not None:
            return {"_target_": "augment.Bernoulli", "p": self.schedule.config()}
        return self.p.numbers()[0]

    def extra_repr(self) -> str:
        return f"{self.p.numbers()[0]:.4g}" if self.schedule is None else repr(self.schedule)


class Choice(Distribution):
    """One of `values`, with non-negative `weights` as relative frequencies, equal by default.

    Example:
        >>> A.Choice([0, 90, 180, 270])(torch.tensor([0.1, 0.3, 0.9]))
        tensor([  0.,  90., 270.])
    """

    logits: nn.Parameter | None

    def __init__(
        self, values: Sequence[float], weights: Sequence[float] | None = None, learnable: bool = False
    ) -> None:
        super().__init__()
        self.values = numbers(self, "values", values)
        weights = relative(self, weights, len(self.values)) or (1.0,) * len(self.values)
        self.weights = tuple(w / sum(weights) for w in weights)
        if learnable:
            floor = EDGE / len(weights)
            self.logits = nn.Parameter(torch.tensor([math.log(max(w, floor)) for w in self.weights]))
        else:
            self.logits = None

    def support(self) -> Range:
        return min(self.values), max(self.values)

    def index(self, u: Uniforms) -> Uniforms:
        """Returns the index of the value that a uniform selects, int64 of the same shape."""
        if self.logits is None:
            return _count_below(list(itertools.accumulate(self.weights[:-1])), u)
        index = torch.zeros_like(u, dtype=torch.int64)
        for edge in self.logits.softmax(0).cumsum(0)[:-1]:
            index = index + (u >= edge)
        return index

    def log_prob(self, index: Uniforms) -> Uniforms:
        """Returns log P(index) for an index from `index`, differentiable in the weights."""
        if self.logits is None:
            return torch.log(_lookup(self.weights, index))
        return self.logits.log_softmax(0)[index]

    def forward(self, u: Uniforms) -> Uniforms:
        return _lookup(self.values, self.index(u)).to(u.dtype)

    def log_prob_at(self, u: Uniforms) -> Uniforms | None:
        return self.log_prob(self.index(u)) if self.logits is not None else None

    def entropy(self) -> Tensor | None:
        if self.logits is None:
            return None
        log_p = self.logits.log_softmax(0)
        return -(log_p.exp() * log_p).sum()

    def probabilities(self) -> list[float]:
        """Returns the present weights, normalised."""
        return list(self.weights) if self.logits is None else self.logits.softmax(0).tolist()

    def learned(self) -> dict[str, Any]:
        """Returns constructor arguments that fix the learned weights of a layer; empty if they are fixed."""
        return {} if self.logits is None else {"weights": self.probabilities(), "learnable": False}

    def config(self) -> dict[str, Any]:
        return {"_target_": "augment.Choice", "values": list(self.values), "weights": self.probabilities()}

    def extra_repr(self) -> str:
        return f"{self.values}, weights={tuple(round(w, 4) for w in self.weights)}"


def _count_below(edges: Sequence[float], u: Tensor) -> Tensor:
    """Returns how many of ascending edges are at most each number, int64."""
    if not compiling():
        return torch.bucketize(u.contiguous(), constant(edges, u), right=True)
    count = torch.zeros_like(u, dtype=torch.int64)
    for edge in edges:
        count = count + (u >= edge)
    return count


def _lookup(values: Sequence[float], index: Tensor) -> Tensor:
    """Returns values[index] as float32; in compiled code by selections, which fuse into the surrounding kernel."""
    if not compiling():
        return constant(values, index.new_empty(0, dtype=torch.float32))[index]
    out = torch.full_like(index, values[0], dtype=torch.float32)
    for i, value in enumerate(values[1:], start=1):
        out = torch.where(index == i, value, out)
    return out
