"""Choices between layers, made for every sample by itself. They nest, and stand in any pipeline.

Layers are executed one after another for the whole batch, each on the samples that chose it; neighbouring warps are
still one pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from augment.core import checks
from augment.core.layer import Layer
from augment.data.constants import constant
from augment.data.known import Modules
from augment.data.types import Bool, Noise, Params, PerSample, Size
from augment.draws.arguments import is_whole, shown
from augment.draws.arguments import weights as relative
from augment.draws.distributions import Bernoulli, Choice
from augment.draws.followed import inputs_after, shares
from augment.draws.quantities import own_inputs


class Container(Layer):
    """Layers with a choice between them; the base of those below.

    Args:
        layers: any layers, containers among them, that keep the size of the image.
        p: probability that a sample gets any of it.
        same_on_batch: one choice for all samples of a batch.
    """

    def __init__(self, layers: Sequence[Layer], p: float | Bernoulli = 1.0, same_on_batch: bool = False) -> None:
        super().__init__(p, same_on_batch)
        self.layers: Modules[Layer] = Modules(checks.some_layers(self, layers, Layer, "a layer"))

    @property
    def draws(self) -> int:
        return self.own_draws + sum(layer.draws for layer in self.layers)

    def inputs(self) -> list[tuple[int, str]]:
        return [*own_inputs(self), *inputs_after(self, self.layers)]

    def leaves(self) -> list[Layer]:
        return [leaf for layer in self.layers for leaf in layer.leaves()]

    def fixed_leaves(self) -> list[Layer]:
        """Returns no layer: random choices are not part of evaluation."""
        return []

    def out_size(self, size: Size) -> Size:
        for layer in self.layers:
            if layer.out_size(size) != size:
                raise ValueError(
                    f"{type(self).__name__}: {type(layer).__name__} changes the size of the image, which samples that "
                    "do not choose it keep; put it before or after."
                )
        return size

    def leaf_params(self, noise: Noise) -> list[Params]:
        own, rest = noise[:, : self.own_draws], noise[:, self.own_draws :]
        chosen = self.choose(self.params(own))
        drawn = [layer.leaf_params(part) for layer, part in zip(self.layers, self.columns_of(rest), strict=True)]
        return [p for params, gate in zip(drawn, chosen, strict=True) for p in gated(params, gate)]

    def choose(self, params: Params) -> list[Bool[Tensor, " b"] | None]:
        """Returns which samples get each layer, None for all samples. Here a sample gets all layers or none."""
        return [params.get("gate")] * len(self.layers)

    def columns_of(self, rest: Noise) -> Sequence[Tensor]:
        """Returns the columns of each layer, from the columns after the container's own."""
        return rest.split([layer.draws for layer in self.layers], dim=1)

    def log_prob(self, noise: Noise) -> PerSample:
        """Returns (B,), the sum over its own choices and the choices of the layers that a sample got."""
        own, rest = noise[:, : self.own_draws], noise[:, self.own_draws :]
        total, chosen = super().log_prob(own), self.choose(self.params(own))
        for layer, part, gate in zip(self.layers, self.columns_of(rest), chosen, strict=True):
            log_p = layer.log_prob(part)
            total = total + (log_p if gate is None else torch.where(gate, log_p, 0.0))
        return total


def gated(params: list[Params], *gates: Bool[Tensor, " b"] | None) -> list[Params]:
    """Returns raw draws of leaves whose gates are closed wherever one of these gates is."""
    for gate in gates:
        if gate is not None:
            params = [p | {"gate": p["gate"] & gate if "gate" in p else gate} for p in params]
    return params


def both(first: Bool[Tensor, " b"] | None, second: Bool[Tensor, " b"]) -> Bool[Tensor, " b"]:
    return second if first is None else first & second


class RandomApply(Container):
    """All of the layers, one after another, or none of them.

    Args:
        layers: any layers that keep the size of the image.
        p: probability of all.
        same_on_batch: one choice for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomApply([A.RandomGaussianBlur((3, 3), (0.1, 2.0))], p=0.2)(images).shape
        torch.Size([2, 3, 16, 16])
    """

    def __init__(self, layers: Sequence[Layer], p: float | Bernoulli = 0.5, same_on_batch: bool = False) -> None:
        super().__init__(layers, p, same_on_batch)


class OneOf(Container):
    """One of the layers, for every sample its own.

    Args:
        layers: any layers that keep the size of the image.
        weights: relative frequencies, equal if not given.
        learnable: make the weights parameters.
        p: probability of one; the other samples get none.
        same_on_batch: one choice for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.OneOf([A.RandomGaussianBlur((3, 3), (0.1, 2.0)), A.RandomSharpness(0.5)])(images).shape
        torch.Size([2, 3, 16, 16])
    """

    choice: Choice

    def __init__(
        self,
        layers: Sequence[Layer],
        weights: Sequence[float] | None = None,
        learnable: bool = False,
        p: float | Bernoulli = 1.0,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(layers, p, same_on_batch)
        weights = relative(self, weights, len(layers))
        self.quantity("choice", Choice(range(len(layers)), weights, learnable))

    @property
    def draws(self) -> int:
        """Returns the number of columns; the layers share theirs, because a sample gets only one layer.

        Layers with schedules have columns of their own, since what a schedule follows is no random number.
        """
        return self.own_draws + (max if shares(self.layers) else sum)(layer.draws for layer in self.layers)

    def columns_of(self, rest: Noise) -> Sequence[Tensor]:
        shared = shares(self.layers)
        return [rest[:, : layer.draws] for layer in self.layers] if shared else super().columns_of(rest)

    def config(self) -> dict[str, Any]:
        return super().config() | self.choice.learned()

    def choose(self, params: Params) -> list[Bool[Tensor, " b"] | None]:
        return [both(params.get("gate"), params["choice"] == i) for i in range(len(self.layers))]


class SomeOf(Container):
    """Several of the layers, different ones, in the order in which they are listed.

    Args:
        layers: any layers that keep the size of the image.
        n: how many, or (fewest, most), each number equally likely.
        weights: relative frequencies, equal if not given; drawn without replacement (Efraimidis and Spirakis 2006).
        p: probability of any; the other samples get none.
        same_on_batch: one choice for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.SomeOf([A.RandomHorizontalFlip(), A.RandomBrightness((0.8, 1.2)), A.RandomGrayscale()], n=2)(images).shape
        torch.Size([2, 3, 16, 16])
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        n: int | Sequence[int] = 2,
        weights: Sequence[float] | None = None,
        p: float | Bernoulli = 1.0,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(layers, p, same_on_batch)
        fewest, most = n if isinstance(n, (list, tuple)) and len(n) == 2 else (n, n)
        if not (is_whole(fewest) and is_whole(most) and 0 <= fewest <= most <= len(layers)):
            raise ValueError(
                f"SomeOf: n={shown(n)} must be a whole number or a pair (fewest, most) and lie within "
                f"[0, {len(layers)}], the number of layers."
            )
        self.weights = Choice(range(len(layers)), relative(self, weights, len(layers))).weights
        self.quantity("number", Choice(range(fewest, most + 1)))
        self.quantity("keys", (0.0, 1.0), count=len(layers))

    def choose(self, params: Params) -> list[Bool[Tensor, " b"] | None]:
        keys = params["keys"]
        # exponential waiting times: the first to arrive are drawn, the sooner the larger their weight
        times = -torch.log(1 - keys) / constant(self.weights, keys)
        rank = (times[:, :, None] > times[:, None, :]).sum(2)
        chosen = rank < params["number"][:, None]
        return [both(params.get("gate"), chosen[:, i]) for i in range(len(self.layers))]


class RandomOrder(Container):
    """All of the layers, in an order of its own for every sample.

    Every place in the order is a pass over all layers, so m layers cost m times as much as in a fixed order.

    Args:
        layers: any layers that keep the size of the image.
        p: probability of all; the other samples get none.
        same_on_batch: one order for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomOrder([A.RandomBrightness((0.8, 1.2)), A.RandomContrast((0.8, 1.2))])(images).shape
        torch.Size([2, 3, 16, 16])
    """

    def __init__(self, layers: Sequence[Layer], p: float | Bernoulli = 1.0, same_on_batch: bool = False) -> None:
        super().__init__(layers, p, same_on_batch)
        self.quantity("keys", (0.0, 1.0), count=len(layers))

    def leaves(self) -> list[Layer]:
        return super().leaves() * len(self.layers)

    def leaf_params(self, noise: Noise) -> list[Params]:
        own, rest = self.params(noise[:, : self.own_draws]), noise[:, self.own_draws :]
        place = own["keys"].argsort(dim=1).argsort(dim=1)
        drawn = [layer.leaf_params(part) for layer, part in zip(self.layers, self.columns_of(rest), strict=True)]
        gate = own.get("gate")
        return [
            p
            for turn in range(len(self.layers))
            for i, params in enumerate(drawn)
            for p in gated(params, both(gate, place[:, i] == turn))
        ]
