"""A random choice among Mix layers, made separately for each sample."""

import functools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from augment.core import checks
from augment.core.layer import Layer
from augment.core.mix import Mix
from augment.data.batch import Batch
from augment.data.known import Modules, unpacked, whole_size
from augment.data.pixels import stacked
from augment.data.types import Bool, Noise, Params, PerSample, Size
from augment.draws.arguments import weights as relative
from augment.draws.distributions import Bernoulli, Choice
from augment.engine.mixed_annotations import chosen
from augment.kernels.reference.overlay import Overlay, lay_over


class RandomMix(Mix):
    """Applies one of several Mix layers, chosen separately for each sample, as timm's `Mixup` does with mode "elem".

    All layers mix the original images. In a OneOf, the second layer would mix the images that the first one returned.
    timm's Mixup(mixup_alpha=0.8, cutmix_alpha=1.0, prob=0.9, switch_prob=0.5) is
    `RandomMix([RandomMixUp(Beta(0.8, 0.8)), RandomCutMix(beta=1.0)], weights=(0.5, 0.5), p=0.9)`.
    Boxes and keypoints have as many rows as the layer with the most rows returns; filler rows are not visible.

    Args:
        layers: Mix layers that keep the image size; each also applies its own p.
        weights: relative frequencies, equal by default.
        learnable: make the weights learnable.
        num_classes: number of classes, needed if labels are class indices; the layers' own is not used.
        p: probability of mixing a sample.
        same_on_batch: use one draw for all samples of a batch; partners still differ.
    """

    layers: "Modules[Mix]"
    choice: Choice

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
        self.layers = Modules(checks.some_layers(self, layers, Mix, "a Mix layer"))
        weights = relative(self, weights, len(layers))
        self.quantity("choice", Choice(range(len(layers)), weights, learnable))

    @property
    def draws(self) -> int:
        """Columns of noise. The layers share theirs, because a sample uses only one of them."""
        return self.own_draws + max(layer.draws for layer in self.layers)

    def out_size(self, size: Size) -> Size:
        for layer in self.layers:
            if layer.out_size(size) != size:
                raise ValueError(
                    f"RandomMix: {type(layer).__name__} changes the size of the image, but samples that choose "
                    "another layer keep it; leave out its output_size."
                )
        return size

    def params(self, noise: Noise) -> Params:
        """Returns its own draws, and the draws of layer i as "i.name"; all layers share one pairing of the samples."""
        if self.same_on_batch:
            noise = noise[:1].expand_as(noise)
        own, rest = super().params(noise[:, : self.own_draws]), noise[:, self.own_draws :]
        drawn = dict(own)
        for i, layer in enumerate(self.layers):
            theirs = layer.params(rest[:, : layer.draws]) | {"pairing": own["pairing"]}
            drawn |= {f"{i}.{name}": value for name, value in theirs.items()}
        return drawn

    def log_prob(self, noise: Noise) -> PerSample:
        """Returns (B,), the log probability of the choice plus that of the chosen layer."""
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
        """Resolves the parameters of every layer."""
        resolved = {name: value for name, value in params.items() if "." not in name}
        for i, layer in enumerate(self.layers):
            resolved |= {f"{i}.{name}": value for name, value in layer.resolve(_of(i, params), size).items()}
        return resolved

    def describe(self, params: Params) -> dict[str, Any]:
        """Describes the chosen layer and its parameters."""
        i = int(params["choice"][0])
        return {"choice": type(self.layers[i]).__name__} | self.layers[i].describe(_of(i, params))

    def prepared(self, batch: Batch) -> Batch:
        self.out_size(batch.size)
        return super().prepared(batch)

    def paired(self, params: Params) -> Params:
        """Adds the partners of every layer."""
        own = {name: value for name, value in params.items() if "." not in name}
        theirs = [layer.paired(_of(i, params)) for i, layer in enumerate(self.layers)]
        return own | {f"{i}.{name}": value for i, drawn in enumerate(theirs) for name, value in drawn.items()}

    def overlay(self, params: Params, size: tuple[int, int]) -> Overlay | None:
        """Returns the overlay of each sample's chosen layer, or None unless all layers have one."""
        offered = [layer.overlay(_of(i, params), size) for i, layer in enumerate(self.layers)]
        theirs = [over for over in offered if over is not None]
        if len(theirs) < len(offered):
            return None
        over = theirs[0].only(self._taken(0, params))
        for i, one in enumerate(theirs[1:], start=1):
            over = one.where(self._taken(i, params), over)
        return over

    def annotated(self, batch: Batch, others: Batch, params: Params) -> Batch:
        out = batch
        for i, layer in enumerate(self.layers):
            told = layer.annotated(layer.prepared(batch), layer.prepared(others), _of(i, params))
            out = chosen(self._taken(i, params), told.replace(image=out.image), out)  # images are not changed here
        return out

    def mixed(self, batch: Batch, others: Batch, drawn: Params) -> Batch:
        """Mixes each sample with its chosen layer, in one pass over the images if all layers have an overlay."""
        params = self.resolve(drawn, batch.size)
        over = self.overlay(params, whole_size(batch.size))
        if over is not None:
            return self.annotated(batch, others, params).replace(
                image=lay_over(unpacked(batch.image), unpacked(others.image), over)
            )
        out = batch.replace(image=stacked(unpacked(batch.image)))
        for i, layer in enumerate(self.layers):
            mixed = layer.mixed(layer.prepared(batch), layer.prepared(others), _of(i, drawn))
            out = chosen(self._taken(i, drawn), mixed.replace(image=stacked(unpacked(mixed.image))), out)
        return out

    def _taken(self, i: int, params: Params) -> Bool[Tensor, " b"]:
        """Returns which samples layer i mixes: they chose it, and both gates are open."""
        gates = [params[name] for name in ("gate", f"{i}.gate") if name in params]
        return functools.reduce(torch.logical_and, gates, params["choice"] == i)


def _of(i: int, params: Params) -> Params:
    """Selects the parameters of layer i."""
    return {name.partition(".")[2]: value for name, value in params.items() if name.startswith(f"{i}.")}
