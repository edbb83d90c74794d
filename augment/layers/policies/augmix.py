"""AugMix: several short chains of operators, mixed with each other and with the image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from augment.core import checks
from augment.core.acting import dense_image
from augment.core.fills import GivenFill, checked_fill
from augment.core.layer import Layer
from augment.data.batch import Batch
from augment.data.known import Modules
from augment.data.pixels import each, planes, stacked, to_bytes, to_float
from augment.data.subset import Drawn, Parts, on_chosen
from augment.data.types import Images, Noise, Params, PerSample, Planes, Size
from augment.draws.arguments import number, whole
from augment.draws.distributions import Bernoulli, Beta, Choice
from augment.draws.shorthand import Quantity
from augment.layers.policies import timm_names
from augment.layers.policies.cut import cut_level
from augment.layers.policies.operators import space, value_of
from augment.layers.policies.slot import RANDOM, by_half, halves_of

_LEVELS = 10
_MAX_DEPTH = 3
_MOST = 100  # chains, and operators in one
_COLOUR = ("Brightness", "Color", "Contrast", "Sharpness")


class AugMix(Layer):
    """Mixes chains of one to three operators with the image (Hendrycks et al. 2020, algorithm 1).

    Chains start from the image; what they give is averaged with Dirichlet weights, and that with the image by a Beta
    weight. Operators and magnitudes are torchvision's, or timm's; see `policies.operators`. Masks, boxes and keypoints
    stay, since the image itself remains visible. Chains act on bytes: they give the image no gradient; mixing does.

    Args:
        severity: the strongest magnitude that is drawn, from 1 to 10; of timm's up to 100, but above 10 counts as 10.
        mixture_width: how many chains, at most 100.
        chain_depth: operators in a chain, at most 100; -1 draws 1 to 3.
        alpha: of the Dirichlet and the Beta distribution, from 0.001 to 100.
        all_ops: False leaves out Brightness, Color, Contrast and Sharpness, which the corruptions of ImageNet-C hold.
        resample: "nearest", "bilinear" or "bicubic", for the geometric operators; "random" draws bilinear or bicubic
            for every sample and operator, as timm does.
        fill: colour outside the image, in [0, 1]: a number, one per channel or "mean", the mean of the pipeline's
            Normalize.
        p: probability that a sample is mixed.
        same_on_batch: one draw for all samples of a batch.
        timm: draw magnitudes from 0 to `severity` of 10 for timm's operators, which all get stronger with them.
        mstd: with `timm`, standard deviation of the magnitudes about `severity`, clipped to [0, 10]; infinity draws
            them uniformly from 0 to `severity`, and 0 takes `severity`.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.AugMix(severity=3)(images).shape
        torch.Size([2, 3, 16, 16])
    """

    image_gradient = "none"

    def __init__(
        self,
        severity: int = 3,
        mixture_width: int = 3,
        chain_depth: int = -1,
        alpha: float = 1.0,
        all_ops: bool = True,
        resample: str = "bilinear",
        fill: GivenFill = 0.0,
        p: float | Bernoulli = 1.0,
        same_on_batch: bool = False,
        timm: bool = False,
        mstd: float = math.inf,
    ) -> None:
        super().__init__(p, same_on_batch)
        severity = whole(self, "severity", severity, 1, _MOST if timm else _LEVELS)
        mixture_width = whole(self, "mixture_width", mixture_width, 1, _MOST)
        if chain_depth != -1:
            chain_depth = whole(self, "chain_depth", chain_depth, 1, _MOST)
        alpha = number(self, "alpha", alpha, Beta.LEGAL[0], Beta.LEGAL[1] / _MOST)
        operators = space("timm_augmix" if timm else "augmix")
        if not all_ops:
            operators = tuple(operator for operator in operators if operator.name not in _COLOUR)
        self.operators = operators
        self.width, self.longest = mixture_width, chain_depth if chain_depth > 0 else _MAX_DEPTH
        resample, fill = checks.policy_resample_mode(self, resample), checked_fill(self, "fill", fill)
        self.halves: Modules[Layer] = Modules(halves_of(operators, resample, fill))
        steps = self.width * self.longest
        self.quantity("op", Choice(range(len(operators))), count=steps)
        mstd = number(self, "mstd", mstd, 0.0, math.inf)
        level: Quantity = Choice([i / (_LEVELS - 1) for i in range(severity)])
        level = cut_level(severity / _LEVELS, mstd / _LEVELS, 1.0) if timm else level
        self.quantity("level", level, legal=(0.0, 1.0), count=steps)
        self.quantity("sign", Choice((-1.0, 1.0)), count=steps)
        self.quantity(
            "depth", Choice([self.longest] if chain_depth > 0 else range(1, _MAX_DEPTH + 1)), count=self.width
        )
        if resample == RANDOM:
            self.quantity("cubic", Choice((0.0, 1.0)), count=steps)
        self.quantity("augmented", Beta(alpha, alpha))
        for i in range(1, self.width):
            self.quantity(f"stick_{i}", Beta(alpha, alpha * (self.width - i)))

    @classmethod
    def from_timm(cls, name: str, **options: Any) -> AugMix:
        """Builds AugMix from timm's name, such as "augmix-m5-w4-d2"; docs/interop.md lists the differences.

        Args:
            name: "augmix", joined by "-" with any of m (magnitude, 3 by default), w (chains, 3 by default), d
                (operators of a chain, 1 to 3 by default), a (alpha, 1 by default) and mstd (infinity by default).
            options: further arguments of AugMix. By default `resample` is "random" and `fill` is 128 / 255. timm's
                training script fills with the mean of the normalisation: fill="mean".

        Raises:
            ValueError: the name holds other settings, or b1, timm's approximation.

        Example:
            >>> A.AugMix.from_timm("augmix-m5-w4-d2", fill=A.IMAGENET_MEAN).width
            4
        """
        return cls(**(timm_names.augmix(name) | options))

    def transform(self, batch: Batch, params: list[Params], run: Sequence[Layer], kept: torch.dtype) -> Batch:
        image, gate, named = dense_image(self, batch), params[0].get("gate"), batch.color_channels
        before = to_float(stacked(image))
        if gate is None:
            source = Batch(each(image, to_bytes), color_channels=named)
            return batch.replace(image=self._mixed(before, source, params[0]))

        def mixed(parts: Parts, drawn: Drawn) -> Parts:
            return (self._mixed(parts[0], Batch(each(parts[0], to_bytes), color_channels=named), drawn[0]),)

        return batch.replace(image=on_chosen(gate, mixed, (before,), params)[0])

    def leaves(self) -> list[Layer]:
        return [] if self.p.support() == (0.0, 0.0) else [self]

    def leaf_params(self, noise: Noise) -> list[Params]:
        return [self.params(noise)] if self.leaves() else []

    def _mixed(self, before: Images, source: Batch, drawn: Params) -> Images:
        augmented = drawn["augmented"].to(before.dtype)
        mixed = (1 - augmented)[:, None, None, None] * before
        for chain, weight in enumerate(self._weights(drawn)):
            share = (augmented * weight.to(before.dtype))[:, None, None, None]
            mixed = mixed + share * to_float(stacked(self._chained(source, drawn, chain))).to(before.dtype)
        return mixed

    def resolve(self, params: Params, size: Size) -> Params:
        """Adds `value`, the value of every operator in its own units, see `policies.operators`."""
        steps = zip(*(params[name].unbind(1) for name in ("op", "level", "sign")), strict=True)
        names = [operator.name for operator in self.operators]
        values = [value_of(self.operators, names, op, level, sign, size) for op, level, sign in steps]
        return params | {"value": torch.stack(values, 1)}

    def describe(self, params: Params) -> dict[str, Any]:
        """Returns {"image": the weight of the image, "chains": [{"weight": ..., "operators": [{...}, ...]}, ...]}."""
        augmented, chains = float(params["augmented"][0]), []
        for chain, weight in enumerate(self._weights(params)):
            first, steps = chain * self.longest, []
            for at in range(first, first + int(params["depth"][0, chain])):
                name = self.operators[int(params["op"][0, at])].name
                steps.append({"operator": name, "value": float(params["value"][0, at])})
            chains.append({"weight": augmented * float(weight[0]), "operators": steps})
        return {"image": 1 - augmented, "chains": chains}

    def _weights(self, drawn: Params) -> list[PerSample]:
        """Dirichlet weights by breaking a stick: each piece is a Beta share of what is left."""
        left, weights = torch.ones_like(drawn["augmented"]), []
        for i in range(1, self.width):
            weights.append(left * drawn[f"stick_{i}"])
            left = left - weights[-1]
        return [*weights, left]

    def _chained(self, batch: Batch, drawn: Params, chain: int) -> Planes:
        depth = drawn["depth"][:, chain]
        for turn in range(self.longest):
            at = chain * self.longest + turn
            step = {name: drawn[name][:, at] for name in ("op", "level", "sign")} | {"gate": turn < depth}
            cubic = drawn["cubic"][:, at] if "cubic" in drawn else None
            for half, params in zip(self.halves, by_half(step, cubic), strict=True):
                batch = half.transform(batch, [params], [half], torch.uint8)
            batch = batch.replace(image=each(dense_image(self, batch), to_bytes))
        return planes(dense_image(self, batch))
