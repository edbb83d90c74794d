"""A random choice among Mix layers, made separately for each sample."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from augment.core import checks
from augment.core.layer import Layer
from augment.core.mix import Mix
from augment.data.batch import Batch
from augment.data.known import Modules, known, unpacked, whole_size
from augment.data.pixels import stacked
from augment.data.types import Bool, Noise, Params, PerSample, Size
from augment.draws.arguments import number
from augment.draws.arguments import weights as relative
from augment.draws.distributions import Bernoulli, Beta, Choice
from augment.draws.followed import inputs_after, shares
from augment.draws.quantities import own_inputs
from augment.engine.mixed_annotations import chosen
from augment.kernels.reference.overlay import Overlay, lay_over
from augment.layers.mixing.cutmix import RandomCutMix
from augment.layers.mixing.mixup import RandomMixUp


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
        pairs: mix samples two by two with the same draws, each with the other, as timm's mode "pair"; the last sample
            of an odd number stays. Only for layers with one partner.
        label_smoothing: share of every label, mixed or not, that is spread over all classes, within [0, 1].
        multi_label: labels are a target per class, which smoothing moves towards 1/2 instead.

    Example:
        >>> batch = A.Batch(torch.rand(4, 3, 16, 16), label=torch.arange(4))
        >>> either = A.RandomMix([A.RandomMixUp(), A.RandomCutMix()], num_classes=4)
        >>> either(batch).label.shape
        torch.Size([4, 4])
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
        pairs: bool = False,
        label_smoothing: float = 0.0,
        multi_label: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch, num_classes)
        self.layers = Modules(checks.some_layers(self, layers, Mix, "a Mix layer"))
        weights = relative(self, weights, len(layers))
        self.quantity("choice", Choice(range(len(layers)), weights, learnable))
        self.pairs, self.multi_label = pairs, multi_label
        self.label_smoothing = number(self, "label_smoothing", label_smoothing, 0.0, 1.0)

    @classmethod
    def from_timm(
        cls,
        mixup_alpha: float = 1.0,
        cutmix_alpha: float = 0.0,
        cutmix_minmax: Sequence[float] | None = None,
        prob: float = 1.0,
        switch_prob: float = 0.5,
        mode: str = "batch",
        correct_lam: bool = True,
        label_smoothing: float = 0.1,
        num_classes: int = 1000,
        multi_label: bool = False,
    ) -> RandomMix:
        """Builds the equivalent of timm's `Mixup` from its arguments; docs/interop.md lists the differences.

        Raises:
            ValueError: neither MixUp nor CutMix is active, or labels would not be weighted by pixels (correct_lam).

        Example:
            >>> mix = A.RandomMix.from_timm(mixup_alpha=0.8, cutmix_alpha=1.0, prob=0.9, mode="elem", num_classes=10)
            >>> [type(layer).__name__ for layer in mix.layers]
            ['RandomMixUp', 'RandomCutMix']
        """
        mode = checks.one_of("RandomMix.from_timm", "mode", mode, ("batch", "pair", "elem"))
        if not correct_lam:
            raise ValueError("RandomMix.from_timm: correct_lam=False must be True: labels follow the pixels.")
        mixup = [RandomMixUp(Beta(mixup_alpha, mixup_alpha))] if mixup_alpha > 0 else []
        cutmix: list[Layer] = []
        if cutmix_minmax is not None:
            cutmix = [RandomCutMix(minmax=cutmix_minmax)]
        elif cutmix_alpha > 0:
            cutmix = [RandomCutMix(beta=cutmix_alpha)]
        if not mixup and not cutmix:
            raise ValueError(
                f"RandomMix.from_timm: mixup_alpha={mixup_alpha} or cutmix_alpha={cutmix_alpha} must be above 0, or "
                "cutmix_minmax given."
            )
        return cls(
            [*mixup, *cutmix],
            (1 - switch_prob, switch_prob) if mixup and cutmix else None,
            num_classes=num_classes,
            p=prob,
            same_on_batch=mode == "batch",
            pairs=mode == "pair",
            label_smoothing=label_smoothing,
            multi_label=multi_label,
        )

    @property
    def draws(self) -> int:
        """Columns of noise. The layers share theirs, because a sample uses only one of them."""
        return self.own_draws + (max if shares(self.layers) else sum)(layer.draws for layer in self.layers)

    def inputs(self) -> list[tuple[int, str]]:
        return [*own_inputs(self), *inputs_after(self, self.layers)]

    def columns_of(self, rest: Noise) -> Sequence[Tensor]:
        """Returns the columns of each layer, from the columns after its own."""
        counts = [layer.draws for layer in self.layers]
        return [rest[:, :count] for count in counts] if shares(self.layers) else rest.split(counts, dim=1)

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
        pairing = super().params(noise[:, : self.own_draws])["pairing"]
        noise = noise[_first_of_two(pairing)] if self.pairs else noise
        own, rest = super().params(noise[:, : self.own_draws]), noise[:, self.own_draws :]
        own = own | {"pairing": pairing}  # not shared by a pair
        drawn = dict(own)
        for i, (layer, part) in enumerate(zip(self.layers, self.columns_of(rest), strict=True)):
            theirs = layer.params(part) | {"pairing": own["pairing"]}
            drawn |= {f"{i}.{name}": value for name, value in theirs.items()}
        return drawn

    def log_prob(self, noise: Noise) -> PerSample:
        """Returns (B,), the log probability of the choice plus that of the chosen layer."""
        if self.same_on_batch:
            noise = noise[:1].expand_as(noise)
        rest, choice = noise[:, self.own_draws :], self.params(noise)["choice"]
        total = super().log_prob(noise)
        for i, (layer, part) in enumerate(zip(self.layers, self.columns_of(rest), strict=True)):
            total = total + torch.where(choice == i, layer.log_prob(part), 0.0)
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
        if self.pairs:
            partner = _other_of_two(params["pairing"])
            theirs = [drawn | {"partner": partner} for drawn in theirs]
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
        """Mixes each sample with its chosen layer, and smooths all labels."""
        out, share = self._mixed(batch, others, drawn), self.label_smoothing
        if not share:
            return out
        label = known(out.label)
        rest = 0.5 if self.multi_label else 1 / label.shape[1]
        return out.replace(label=label * (1 - share) + share * rest)

    def _mixed(self, batch: Batch, others: Batch, drawn: Params) -> Batch:
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


def _places(pairing: PerSample) -> tuple[Tensor, Tensor]:
    """Returns the samples in the order of a draw, and the place of each in that order."""
    order = pairing.argsort(stable=True)
    return order, order.argsort()


def _first_of_two(pairing: PerSample) -> Tensor:
    """Returns for each sample the first one of its pair: neighbours in the order of a draw are a pair."""
    order, place = _places(pairing)
    return order[place - place % 2]


def _other_of_two(pairing: PerSample) -> Tensor:
    """Returns the other sample of each pair; the last of an odd number is its own."""
    order, place = _places(pairing)
    return order[torch.where(place % 2 == 1, place - 1, (place + 1).clamp(max=pairing.shape[0] - 1))]


def _of(i: int, params: Params) -> Params:
    """Selects the parameters of layer i."""
    return {name.partition(".")[2]: value for name, value in params.items() if name.startswith(f"{i}.")}
