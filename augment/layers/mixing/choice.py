"""A choice between ways of mixing, made for every sample by itself."""

import functools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from augment.core import checks
from augment.core.layer import Layer
from augment.core.mix import Mix
from augment.data.batch import Batch
from augment.data.pixels import stacked
from augment.data.types import Bool, Noise, Params, PerSample, Size
from augment.draws.arguments import weights as relative
from augment.draws.distributions import Bernoulli, Choice
from augment.engine.mixed_annotations import chosen
from augment.kernels.reference.overlay import Overlay, lay_over


class RandomMix(Mix):
    """One of several ways of mixing or none, for every sample its own, as timm's `Mixup` with mode "elem".

    All of them mix the images as they came in: in a OneOf, the second would mix what the first has mixed already.
    timm's Mixup(mixup_alpha=0.8, cutmix_alpha=1.0, prob=0.9, switch_prob=0.5) is
    `RandomMix([RandomMixUp(Beta(0.8, 0.8)), RandomCutMix(beta=1.0)], weights=(0.5, 0.5), p=0.9)`.
    Boxes and keypoints have as many rows as the layer with the most of them gives, those missing not visible.

    Args:
        layers: Mix layers that keep the size of the image; their own p counts in addition.
        weights: relative frequencies, equal if not given.
        learnable: make the weights parameters.
        num_classes: needed where labels are class indices; that of the layers is not.
        p: probability that a sample is mixed.
        same_on_batch: one draw for all samples of a batch; partners still differ.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        weights: Sequence[float] | None = None,
        learnable: bool = False,
        num_classes: int | None = None,
        p: float | Bernoulli = 1.0,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch, num_classes)
        self.layers = nn.ModuleList(checks.some_layers(self, layers, Mix, "a Mix layer"))
        weights = relative(self, weights, len(layers))
        self.quantity("choice", Choice(range(len(layers)), weights, learnable))

    @property
    def draws(self) -> int:
        """The alternatives share their columns: a sample takes only one of them."""
        return self.own_draws + max(layer.draws for layer in self.layers)

    def out_size(self, size: Size) -> Size:
        for layer in self.layers:
            if layer.out_size(size) != size:
                raise ValueError(
                    f"RandomMix: {type(layer).__name__} changes the size of the image, which samples that do not "
                    "choose it keep; leave its output_size out."
                )
        return size

    def params(self, noise: Noise) -> Params:
        """Its own draws, and those of layer i as "i.name"; whom a sample is mixed with does not depend on the layer."""
        if self.same_on_batch:
            noise = noise[:1].expand_as(noise)
        own, rest = super().params(noise[:, : self.own_draws]), noise[:, self.own_draws :]
        drawn = dict(own)
        for i, layer in enumerate(self.layers):
            theirs = layer.params(rest[:, : layer.draws]) | {"pairing": own["pairing"]}
            drawn |= {f"{i}.{name}": value for name, value in theirs.items()}
        return drawn

    def log_prob(self, noise: Noise) -> PerSample:
        """(B,): that of the choice, and of the layer that a sample chose."""
        if self.same_on_batch:
            noise = noise[:1].expand_as(noise)
        rest, choice = noise[:, self.own_draws :], self.params(noise)["choice"]
        total = super().log_prob(noise)
        for i, layer in enumerate(self.layers):
            total = total + torch.where(choice == i, layer.log_prob(rest[:, : layer.draws]), 0.0)
        return total

    def config(self) -> dict[str, Any]:
        return super().config() | self.choice.learned()

    def resolve(self, params: Params, size: Size) -> Params:
        """The resolved parameters of every layer."""
        resolved = {name: value for name, value in params.items() if "." not in name}
        for i, layer in enumerate(self.layers):
            resolved |= {f"{i}.{name}": value for name, value in layer.resolve(_of(i, params), size).items()}
        return resolved

    def describe(self, params: Params) -> dict[str, Any]:
        """The layer that a sample chose and what happens there."""
        i = int(params["choice"][0])
        return {"choice": type(self.layers[i]).__name__} | self.layers[i].describe(_of(i, params))

    def prepared(self, batch: Batch) -> Batch:
        self.out_size(batch.size)
        return super().prepared(batch)

    def paired(self, params: Params) -> Params:
        """Every layer's own."""
        own = {name: value for name, value in params.items() if "." not in name}
        theirs = [layer.paired(_of(i, params)) for i, layer in enumerate(self.layers)]
        return own | {f"{i}.{name}": value for i, drawn in enumerate(theirs) for name, value in drawn.items()}

    def overlay(self, params: Params, size: tuple[int, int]) -> Overlay | None:
        """That of the layer which a sample chose, if all layers have one."""
        theirs = [layer.overlay(_of(i, params), size) for i, layer in enumerate(self.layers)]
        if None in theirs:
            return None
        over = theirs[0].only(self._taken(0, params))
        for i, one in enumerate(theirs[1:], start=1):
            over = one.where(self._taken(i, params), over)
        return over

    def annotated(self, batch: Batch, others: Batch, params: Params) -> Batch:
        out = batch
        for i, layer in enumerate(self.layers):
            told = layer.annotated(layer.prepared(batch), layer.prepared(others), _of(i, params))
            out = chosen(self._taken(i, params), told.replace(image=out.image), out)  # images stay
        return out

    def mixed(self, batch: Batch, others: Batch, drawn: Params) -> Batch:
        """Each sample as the layer mixes it that it chose, in one pass over the images where that can be."""
        params = self.resolve(drawn, batch.size)
        over = self.overlay(params, batch.size)
        if over is not None:
            return self.annotated(batch, others, params).replace(image=lay_over(batch.image, others.image, over))
        out = batch.replace(image=stacked(batch.image))
        for i, layer in enumerate(self.layers):
            mixed = layer.mixed(layer.prepared(batch), layer.prepared(others), _of(i, drawn))
            out = chosen(self._taken(i, drawn), mixed.replace(image=stacked(mixed.image)), out)
        return out

    def _taken(self, i: int, params: Params) -> Bool[Tensor, " b"]:
        """Which samples layer i mixes: those that chose it, and that its gate and that of the choice let through."""
        gates = [params[name] for name in ("gate", f"{i}.gate") if name in params]
        return functools.reduce(torch.logical_and, gates, params["choice"] == i)


def _of(i: int, params: Params) -> Params:
    """The parameters of layer i."""
    return {name.partition(".")[2]: value for name, value in params.items() if name.startswith(f"{i}.")}
