"""AutoAugment: sequences of operators found by a search on a data set, or given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from augment.core import checks
from augment.core.fills import GivenFill, checked_fill
from augment.core.layer import Layer
from augment.data.known import Modules
from augment.data.types import Noise, Params
from augment.draws.arguments import number, shown
from augment.draws.distributions import Bernoulli, Choice, Normal
from augment.layers.policies import timm_names
from augment.layers.policies.autoaugment_tables import POLICIES
from augment.layers.policies.autoaugment_timm import TIMM_POLICIES
from augment.layers.policies.containers import gated
from augment.layers.policies.operators import SPACES, space
from augment.layers.policies.slot import RANDOM, by_half, halves_of

_LARGEST, _TIMM_LARGEST = 9, 10
"""The largest magnitudes of the paper, whose ten magnitudes start at 0, and of timm."""

_PARTS = 1000
"""Probabilities and magnitudes are kept as whole thousandths, which a cast to half precision does not change."""

_MOST = 1000  # sequences, and operators in one

Step = tuple[str, float, float]
"""An operator's name, its probability and its magnitude."""


class AutoAugment(Layer):
    """Applies one of several sequences of operators, each with its probability and strength (Cubuk et al. 2019).

    Operators, units and magnitudes follow torchvision, for policies of timm those of timm; see
    augment/layers/policies/operators.py. Operators act on 8-bit values: floats are rounded to 256 levels, and no
    gradient flows through them.

    Args:
        policy: "imagenet", "cifar10" or "svhn", the data set of the search; "original", "originalr", "v0" or "v0r", as
            in timm; or sequences of (operator, probability, magnitude), such as [[("ShearX", 0.9, 4), ("Invert", 0.2,
            3)], ...]. Names are those of torchvision's operators, probabilities lie within [0, 1], magnitudes within
            [0, 9] (None if the operator has none), both in steps of 0.001. Sequences may differ in length.
        resample: "nearest", "bilinear" or "bicubic", for the geometric operators; "random" draws bilinear or bicubic
            for every sample and operator, as timm does.
        fill: colour outside the image, in [0, 1]: a number, one per channel or "mean", the mean of the pipeline's
            Normalize.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.
        mstd: standard deviation of the magnitudes, which are clipped to their range, as in timm.

    Example:
        >>> images = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
        >>> A.AutoAugment("imagenet")(images).shape
        torch.Size([2, 3, 16, 16])
    """

    image_gradient = "none"

    table: Tensor

    def __init__(
        self,
        policy: str | Sequence[Any] = "imagenet",
        resample: str = "nearest",
        fill: GivenFill = 0.0,
        p: float | Bernoulli = 1.0,
        same_on_batch: bool = False,
        mstd: float = 0.0,
    ) -> None:
        super().__init__(p, same_on_batch)
        name, sequences, self.largest = _found(self, policy)
        operators = space(name)
        numbers = {operator.name.lower(): i for i, operator in enumerate(operators)}
        self.longest = max(len(sequence) for sequence in sequences)
        rows = [
            [
                (numbers[name.lower()], round(_PARTS * chance), round(_PARTS * (level or 0)))
                for name, chance, level in one
            ]
            + [(0, 0, 0)] * (self.longest - len(one))
            for one in sequences
        ]
        self.register_buffer("table", torch.tensor(rows), persistent=False)
        resample, fill = checks.policy_resample_mode(self, resample), checked_fill(self, "fill", fill)
        self.halves: Modules[Layer] = Modules(halves_of(operators, resample, fill))
        self.quantity("pair", Choice(range(len(rows))))
        self.quantity("chances", (0.0, 1.0), count=self.longest)
        self.quantity("signs", Choice((-1.0, 1.0)), count=self.longest)
        mstd = number(self, "mstd", mstd, 0.0)
        if mstd:
            self.quantity("spread", Normal(0.0, mstd), count=self.longest)
        if resample == RANDOM:
            self.quantity("cubic", Choice((0.0, 1.0)), count=self.longest)

    @classmethod
    def from_timm(cls, name: str, **options: Any) -> AutoAugment:
        """Builds AutoAugment from timm's name, such as "original-mstd0.5"; docs/interop.md lists the differences.

        Args:
            name: "original", "originalr", "v0" or "v0r", with "-mstd" and a number if magnitudes are drawn.
            options: further arguments of AutoAugment. By default `resample` is "random" and `fill` is 128 / 255. timm's
                training script fills with the mean of the normalisation: fill="mean".

        Raises:
            ValueError: the name holds other settings.

        Example:
            >>> A.AutoAugment.from_timm("v0-mstd0.5", fill=A.IMAGENET_MEAN).longest
            2
        """
        return cls(**(timm_names.auto_augment(name) | options))

    def leaves(self) -> list[Layer]:
        return list(self.halves) * self.longest

    def fixed_leaves(self) -> list[Layer]:
        return []

    def leaf_params(self, noise: Noise) -> list[Params]:
        drawn = self.params(noise)
        rows = self.table[drawn["pair"].to(torch.int64)]  # (B, longest, 3)
        params = []
        for i in range(self.longest):
            operator, chance, thousandths = rows[:, i].unbind(-1)
            level = thousandths.to(noise.dtype) / (_PARTS * self.largest)
            if "spread" in drawn:
                level = (level + drawn["spread"][:, i] / self.largest).clamp(0, 1)
            step = {
                "op": operator,
                "level": level,
                "sign": drawn["signs"][:, i],
                "gate": drawn["chances"][:, i] * _PARTS < chance,
            }
            cubic = drawn["cubic"][:, i] if "cubic" in drawn else None
            params += gated(by_half(step, cubic), drawn.get("gate"))
        return params


def _found(layer: AutoAugment, policy: str | Sequence[Any]) -> tuple[str, Sequence[Sequence[Any]], int]:
    """Returns the name of the space of operators, the sequences, and the largest magnitude."""
    if isinstance(policy, str):
        policy = checks.one_of(layer, "policy", policy, [*POLICIES, *TIMM_POLICIES])
        if policy in POLICIES:
            return "autoaugment", POLICIES[policy], _LARGEST
        return *TIMM_POLICIES[policy], _TIMM_LARGEST
    if not isinstance(policy, (list, tuple)) or not 0 < len(policy) <= _MOST:
        raise ValueError(
            f"AutoAugment: policy={shown(policy)} must be one of {', '.join([*POLICIES, *TIMM_POLICIES])}, or a list "
            f"of 1 to {_MOST} sequences of (operator, probability, magnitude)."
        )
    return "autoaugment", [_sequence(layer, i, one) for i, one in enumerate(policy)], _LARGEST


def _sequence(layer: AutoAugment, i: int, given: Any) -> list[Step]:
    label = f"policy[{i}]"
    if not isinstance(given, (list, tuple)) or not 0 < len(given) <= _MOST:
        raise ValueError(
            f"AutoAugment: {label}={shown(given)} must be a list of 1 to {_MOST} (operator, probability, magnitude)."
        )
    return [_step(layer, f"{label}[{j}]", one) for j, one in enumerate(given)]


def _step(layer: AutoAugment, label: str, given: Any) -> Step:
    if not isinstance(given, (list, tuple)) or len(given) != 3:
        raise ValueError(f"AutoAugment: {label}={shown(given)} must be (operator, probability, magnitude).")
    names = {name.lower(): name for name in SPACES["autoaugment"]}
    name, probability, magnitude = given
    if not isinstance(name, str) or name.lower() not in names:
        raise ValueError(
            f"AutoAugment: {label}={shown(given)}: the operator must be one of {', '.join(names.values())}."
        )
    chance = number(layer, f"{label}: probability", probability, 0.0, 1.0)
    level = 0.0 if magnitude is None else number(layer, f"{label}: magnitude", magnitude, 0.0, _LARGEST)
    return names[name.lower()], chance, level
