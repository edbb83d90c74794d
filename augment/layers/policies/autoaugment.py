"""AutoAugment: pairs of operators found by a search on a data set."""

from __future__ import annotations

import torch
from torch import Tensor

from augment.core import checks
from augment.core.layer import Layer
from augment.data.types import Noise, Params
from augment.draws.distributions import Bernoulli, Choice
from augment.layers.policies.autoaugment_tables import POLICIES
from augment.layers.policies.containers import gated
from augment.layers.policies.operators import space
from augment.layers.policies.slot import SlotPixels, SlotWarp

_LEVELS = 10  # magnitudes in the paper are whole numbers from 0 to 9


class AutoAugment(Layer):
    """Applies one of 25 pairs of operators, each with its own probability and strength (Cubuk et al. 2019, appendix).

    Operators, units and magnitudes follow torchvision; see augment/layers/policies/operators.py. Operators act on 8-bit
    values: floats are rounded to 256 levels, and no gradient flows through them.

    Args:
        policy: "imagenet", "cifar10" or "svhn", the data set of the search.
        resample: "nearest", "bilinear" or "bicubic", for the geometric operators.
        fill: value of pixels outside the image, in [0, 1].
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.
    """

    image_gradient = "none"

    table: Tensor

    def __init__(
        self,
        policy: str = "imagenet",
        resample: str = "nearest",
        fill: float = 0.0,
        p: float | Bernoulli = 1.0,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        pairs = POLICIES[checks.one_of(self, "policy", policy, list(POLICIES))]
        operators = space("autoaugment")
        names = {operator.name.lower(): i for i, operator in enumerate(operators)}
        table = [
            [(names[name], round(10 * probability), magnitude or 0) for name, probability, magnitude in pair]
            for pair in pairs
        ]
        # operator, tenths of probability, level: integers, which a cast to half precision does not change
        self.register_buffer("table", torch.tensor(table), persistent=False)
        resample, fill = checks.resample_mode(self, resample), checks.unit_value(self, "fill", fill)
        self.halves = torch.nn.ModuleList([SlotWarp(operators, resample, fill), SlotPixels(operators)])
        self.quantity("pair", Choice(range(len(pairs))))
        self.quantity("chances", (0.0, 1.0), count=2)
        self.quantity("signs", Choice((-1.0, 1.0)), count=2)

    def leaves(self) -> list[Layer]:
        return [*self.halves, *self.halves]

    def fixed_leaves(self) -> list[Layer]:
        return []

    def leaf_params(self, noise: Noise) -> list[Params]:
        drawn = self.params(noise)
        rows = self.table[drawn["pair"].to(torch.int64)]  # (B, 2, 3)
        params = []
        for i in range(2):
            operator, tenths, level = rows[:, i].unbind(-1)
            step = {
                "op": operator,
                "level": level.to(noise.dtype) / (_LEVELS - 1),
                "sign": drawn["signs"][:, i],
                "gate": drawn["chances"][:, i] * 10 < tenths,
            }
            params += gated([step, step], drawn.get("gate"))
        return params
