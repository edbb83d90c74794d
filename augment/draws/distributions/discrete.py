"""Distributions of a decision."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from augment.draws.arguments import number, numbers
from augment.draws.arguments import weights as relative
from augment.draws.bounds import EDGE, Bounds, Range
from augment.draws.distributions.base import Distribution, Uniforms


class Bernoulli(Distribution):
    """True with probability p. A fixed p of 0 or 1 takes no draw."""

    def __init__(self, p: float, learnable: bool = False) -> None:
        super().__init__()
        p = number(self, "p", p, 0.0, 1.0)
        self.p = Bounds((p,), learnable)
        self.p.within((0.0, 1.0))
        self.draws = 1 if learnable or 0 < p < 1 else 0

    def support(self) -> Range:
        (p,) = self.p.initial
        return (0.0, 1.0) if self.draws else (p, p)

    def probability(self) -> float | Tensor:
        """p: a number, or a 0-dimensional tensor with a gradient if learnable."""
        return self.p()[0]

    def forward(self, u: Uniforms) -> Uniforms:
        return u < self.probability()

    def log_prob(self, value: Uniforms) -> Uniforms:
        """log P(value) for what `forward` returned: the score function's ingredient, differentiable in p."""
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
        """A number, which is what every `p` accepts."""
        return self.p.numbers()[0]

    def extra_repr(self) -> str:
        return f"{self.p.numbers()[0]:.4g}"


class Choice(Distribution):
    """One of `values`, with `weights` (equal if not given; any non-negative numbers) as relative frequencies."""

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
        """Which value a uniform selects, int64 of the same shape."""
        index = torch.zeros_like(u, dtype=torch.int64)
        if self.logits is None:
            total = 0.0
            for weight in self.weights[:-1]:
                total += weight
                index = index + (u >= total)
            return index
        for edge in self.logits.softmax(0).cumsum(0)[:-1]:
            index = index + (u >= edge)
        return index

    def log_prob(self, index: Uniforms) -> Uniforms:
        """log P(index) for what `index` returned, differentiable in the weights."""
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
        """What the weights have become."""
        return list(self.weights) if self.logits is None else self.logits.softmax(0).tolist()

    def learned(self) -> dict[str, Any]:
        """What a layer that was given weights to learn is given instead, to have them fixed; nothing if they are."""
        return {} if self.logits is None else {"weights": self.probabilities(), "learnable": False}

    def config(self) -> dict[str, Any]:
        return {"_target_": "augment.Choice", "values": list(self.values), "weights": self.probabilities()}

    def extra_repr(self) -> str:
        return f"{self.values}, weights={tuple(round(w, 4) for w in self.weights)}"


def _lookup(values: Sequence[float], index: Tensor) -> Tensor:
    """values[index] without a table on the device: a chain of selections that compiles into the kernel around it."""
    out = torch.full_like(index, values[0], dtype=torch.float32)
    for i, value in enumerate(values[1:], start=1):
        out = torch.where(index == i, value, out)
    return out
