"""AugMix: several short chains of operators, mixed with each other and with the image."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from augment.core import checks
from augment.core.kinds import dense_image
from augment.core.layer import Layer
from augment.data.batch import Batch
from augment.data.known import Modules
from augment.data.pixels import each, stacked, to_bytes, to_float
from augment.data.types import Params, PerSample, Planes
from augment.draws.arguments import number, whole
from augment.draws.distributions import Bernoulli, Beta, Choice
from augment.layers.policies.operators import space
from augment.layers.policies.slot import SlotPixels, SlotWarp

_LEVELS = 10
_MAX_DEPTH = 3
_MOST = 100  # chains, and operators in one
_COLOUR = ("Brightness", "Color", "Contrast", "Sharpness")


class AugMix(Layer):
    """Mixes chains of one to three operators with the image (Hendrycks et al. 2020, algorithm 1).

    Chains start from the image; what they give is averaged with Dirichlet weights, and that with the image by a Beta
    weight. Operators and magnitudes are torchvision's; see `policies.operators`. Masks, boxes and keypoints
    stay, since the image itself remains visible. Chains act on bytes: they give the image no gradient; mixing does.

    Args:
        severity: the strongest magnitude that is drawn, from 1 to 10.
        mixture_width: how many chains, at most 100.
        chain_depth: operators in a chain, at most 100; -1 draws 1 to 3.
        alpha: of the Dirichlet and the Beta distribution, from 0.001 to 100.
        all_ops: False leaves out Brightness, Color, Contrast and Sharpness, which the corruptions of ImageNet-C hold.
        resample: "nearest", "bilinear" or "bicubic", for the geometric operators.
        fill: value shown outside of the image, in [0, 1].
        p: probability that a sample is mixed.
        same_on_batch: one draw for all samples of a batch.
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
        fill: float = 0.0,
        p: float | Bernoulli = 1.0,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        severity = whole(self, "severity", severity, 1, _LEVELS)
        mixture_width = whole(self, "mixture_width", mixture_width, 1, _MOST)
        if chain_depth != -1:
            chain_depth = whole(self, "chain_depth", chain_depth, 1, _MOST)
        alpha = number(self, "alpha", alpha, Beta.LEGAL[0], Beta.LEGAL[1] / _MOST)
        operators = space("augmix")
        if not all_ops:
            operators = tuple(operator for operator in operators if operator.name not in _COLOUR)
        self.width, self.longest = mixture_width, chain_depth if chain_depth > 0 else _MAX_DEPTH
        resample, fill = checks.resample_mode(self, resample), checks.unit_value(self, "fill", fill)
        self.halves: Modules[Layer] = Modules([SlotWarp(operators, resample, fill), SlotPixels(operators)])
        steps = self.width * self.longest
        self.quantity("op", Choice(range(len(operators))), count=steps)
        self.quantity("level", Choice([i / (_LEVELS - 1) for i in range(severity)]), count=steps)
        self.quantity("sign", Choice((-1.0, 1.0)), count=steps)
        self.quantity(
            "depth", Choice([self.longest] if chain_depth > 0 else range(1, _MAX_DEPTH + 1)), count=self.width
        )
        self.quantity("augmented", Beta(alpha, alpha))
        for i in range(1, self.width):
            self.quantity(f"stick_{i}", Beta(alpha, alpha * (self.width - i)))

    def transform(self, batch: Batch, params: list[Params], run: Sequence[Layer], kept: torch.dtype) -> Batch:
        image, (drawn,) = dense_image(self, batch), params
        before = to_float(stacked(image))
        source = each(image, to_bytes)
        augmented = drawn["augmented"].to(before.dtype)
        mixed = (1 - augmented)[:, None, None, None] * before
        for chain, weight in enumerate(self._weights(drawn)):
            share = (augmented * weight.to(before.dtype))[:, None, None, None]
            mixed = mixed + share * to_float(stacked(self._chained(source, drawn, chain))).to(before.dtype)
        gate = drawn.get("gate")
        if gate is not None:
            mixed = torch.where(gate[:, None, None, None], mixed, before)
        return batch.replace(image=mixed)

    def _weights(self, drawn: Params) -> list[PerSample]:
        """Dirichlet weights by breaking a stick: each piece is a Beta share of what is left."""
        left, weights = torch.ones_like(drawn["augmented"]), []
        for i in range(1, self.width):
            weights.append(left * drawn[f"stick_{i}"])
            left = left - weights[-1]
        return [*weights, left]

    def _chained(self, image: Planes, drawn: Params, chain: int) -> Planes:
        depth = drawn["depth"][:, chain]
        for turn in range(self.longest):
            at = chain * self.longest + turn
            step = {name: drawn[name][:, at] for name in ("op", "level", "sign")} | {"gate": turn < depth}
            batch = Batch(image)
            for half in self.halves:
                batch = half.transform(batch, [step], [half], torch.uint8)
            image = each(dense_image(self, batch), to_bytes)
        return image
