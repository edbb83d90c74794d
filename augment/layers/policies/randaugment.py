"""RandAugment and TrivialAugment, with separate random operators for each sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from augment.core import checks
from augment.core.fills import GivenFill, checked_fill
from augment.core.layer import Layer
from augment.data.constants import constant
from augment.data.types import Noise, Params
from augment.draws.arguments import LARGEST, number, whole
from augment.draws.arguments import weights as relative
from augment.draws.distributions import Bernoulli, Choice, Schedule
from augment.draws.followed import inputs_after
from augment.draws.quantities import own_inputs
from augment.draws.shorthand import Quantity
from augment.layers.policies import timm_names
from augment.layers.policies.containers import gated
from augment.layers.policies.cut import cut_level
from augment.layers.policies.operators import SPACES, space
from augment.layers.policies.slot import Slot

_TIMM_LEVELS = 10
"""timm counts magnitudes from 0 to 10, torchvision to `num_magnitude_bins` - 1."""
_MOST_OPERATORS = 100
_MOST_BINS = 1024


class RandAugment(Layer):
    """Applies n random operators in sequence at one strength (Cubuk et al. 2020).

    Operators, units and magnitudes follow torchvision, or timm with `timm` or `increasing`; see
    augment/layers/policies/operators.py. Operators act on 8-bit values: floats are rounded to 256 levels, and no
    gradient flows through them.

    Args:
        n: number of operators per sample, at most 100.
        m: strength, from 0 to num_magnitude_bins - 1; of timm's operators from 0 to `mmax`, and larger values count as
            `mmax`. A Schedule makes it a function of the epoch, or of a number given for each sample.
        increasing: use timm's "inc1": its operators, all of which get stronger with m.
        mstd: standard deviation of m; infinity draws m uniformly from 0 to m. Draws are clipped to the range of m, as
            in timm.
        num_magnitude_bins: torchvision's scale of m, from 2 to 1024.
        operators: names of the operators to choose from; all by default.
        resample: "nearest", "bilinear" or "bicubic", for the geometric operators; "random" draws bilinear or bicubic
            for every sample and operator, as timm does.
        fill: colour outside the image, in [0, 1]: a number, one per channel or "mean", the mean of the pipeline's
            Normalize.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.
        timm: use timm's operators, with SolarizeAdd and Invert. Without `increasing`, Posterize and Solarize get weaker
            with m, and the factors of colours run from 0.1 to 1.9.
        mmax: timm's largest m, at most 100; at 10 its operators have the strength of the paper.
        op_p: probability that a drawn operator is applied; None means 0.5 for timm's operators and 1 for torchvision's.
        weights: relative frequencies of the operators. A sample then gets n different operators, as in timm.

    Example:
        >>> images = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
        >>> A.RandAugment(n=2, m=9)(images).shape
        torch.Size([2, 3, 16, 16])
    """

    image_gradient = "none"

    def __init__(
        self,
        n: int = 2,
        m: float | Schedule = 9,
        increasing: bool = False,
        mstd: float = 0.0,
        num_magnitude_bins: int = 31,
        operators: Sequence[str] | None = None,
        resample: str = "nearest",
        fill: GivenFill = 0.0,
        p: float | Bernoulli = 1.0,
        same_on_batch: bool = False,
        timm: bool = False,
        mmax: float = _TIMM_LEVELS,
        op_p: float | None = None,
        weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__(p, same_on_batch)
        timm = timm or increasing
        bins = whole(self, "num_magnitude_bins", num_magnitude_bins, 2, _MOST_BINS)
        mmax = number(self, "mmax", mmax, 0.1, 10 * _TIMM_LEVELS)
        unit, most = (_TIMM_LEVELS, mmax) if timm else (bins - 1, bins - 1)
        self.n = whole(self, "n", n, 0, _MOST_OPERATORS)
        limit = LARGEST if timm else most
        mstd = number(self, "mstd", mstd, 0.0, math.inf)
        level: Quantity
        if isinstance(m, Schedule):
            level = _scheduled(m, limit, mstd).scaled(1 / unit, most=most / unit)
        else:
            level = cut_level(number(self, "m", m, 0, limit) / unit, mstd / unit, most / unit)
        name = "timm_increasing" if increasing else "timm" if timm else "randaugment"
        names = checks.names(self, "operators", operators, tuple(SPACES[name]))
        self.slot = Slot(
            space(name, names),
            level=level,
            resample=checks.policy_resample_mode(self, resample),
            fill=checked_fill(self, "fill", fill),
            p=(0.5 if timm else 1.0) if op_p is None else number(self, "op_p", op_p, 0.0, 1.0),
            largest=most / unit,
        )
        weighted = relative(self, weights, len(names))
        self.weights = None if weighted is None else Choice(range(len(names)), weighted).weights
        if weighted is not None:
            if self.n > sum(weight > 0 for weight in weighted):
                raise ValueError(f"RandAugment: n={n} must be at most the number of operators with a weight above 0.")
            self.quantity("keys", (0.0, 1.0), count=len(names))

    @classmethod
    def from_timm(cls, name: str, **options: Any) -> RandAugment:
        """Builds RandAugment from timm's name, such as "rand-m9-mstd0.5-inc1"; docs/interop.md lists the differences.

        Args:
            name: "rand", joined by "-" with any of m (magnitude, 10 by default), n (number of operators, 2 by default),
                p (probability of each, 0.5 by default), mstd (values above 100 mean infinity), mmax (the largest
                magnitude, 10 by default), inc (1 for operators that get stronger with m) and tweights (timm's weights).
            options: further arguments of RandAugment. By default `resample` is "random" and `fill` is 128 / 255. timm's
                training script fills with the mean of the normalisation: fill="mean".

        Raises:
            ValueError: the name holds other settings, or t3a or t3aw, whose blur and grayscale are no operators here.

        Example:
            >>> A.RandAugment.from_timm("rand-m15-n3-mmax20-inc1", fill=A.IMAGENET_MEAN).n
            3
        """
        return cls(**(timm_names.rand_augment(name) | options))

    @property
    def draws(self) -> int:
        return self.own_draws + self.n * self.slot.draws

    def inputs(self) -> list[tuple[int, str]]:
        return [*own_inputs(self), *inputs_after(self, [self.slot] * self.n)]

    def leaves(self) -> list[Layer]:
        return self.slot.leaves() * self.n

    def fixed_leaves(self) -> list[Layer]:
        return []

    def leaf_params(self, noise: Noise) -> list[Params]:
        noise = noise[:1].expand_as(noise) if self.same_on_batch else noise
        own = self.params(noise[:, : self.own_draws])
        slots = noise[:, self.own_draws :].split([self.slot.draws] * self.n, dim=1) if self.n else ()
        order = self._order(own)
        params: list[Params] = []
        for i, part in enumerate(slots):
            drawn = self.slot.params(part)
            drawn = drawn if order is None else drawn | {"op": order[:, i].to(drawn["op"].dtype)}
            params += gated(self.slot.shared(drawn), own.get("gate"))
        return params

    def _order(self, own: Params) -> Tensor | None:
        """Returns (B, operators), each sample's operators in the order of weighted draws without replacement.

        An operator arrives after an exponential waiting time, the sooner the larger its weight (Efraimidis and Spirakis
        2006).
        """
        if self.weights is None:
            return None
        return (-torch.log(1 - own["keys"]) / constant(self.weights, own["keys"])).argsort(dim=1)


def _scheduled(m: Schedule, limit: float, mstd: float) -> Schedule:
    if mstd:
        raise ValueError(f"RandAugment: mstd={mstd} must be 0 where m follows a Schedule.")
    if not 0 <= m.support()[0] <= m.support()[1] <= limit:
        raise ValueError(f"RandAugment: m={m} must lie within [0, {limit:g}].")
    return m


class TrivialAugmentWide(Slot):
    """Applies one operator at a random strength, without tuning (Müller and Hutter 2021, "wide" space of table 1).

    Operators, units and magnitudes follow torchvision; see augment/layers/policies/operators.py. Operators act on 8-bit
    values: floats are rounded to 256 levels, and no gradient flows through them.

    Args:
        num_magnitude_bins: number of strengths, from 2 to 1024.
        operators: names of the operators to choose from; all by default.
        resample: "nearest", "bilinear" or "bicubic", for the geometric operators.
        fill: colour outside the image, in [0, 1]: a number, one per channel or "mean", the mean of the pipeline's
            Normalize.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
        >>> A.TrivialAugmentWide()(images).shape
        torch.Size([2, 3, 16, 16])
    """

    image_gradient = "none"

    def __init__(
        self,
        num_magnitude_bins: int = 31,
        operators: Sequence[str] | None = None,
        resample: str = "nearest",
        fill: GivenFill = 0.0,
        p: float | Bernoulli = 1.0,
        same_on_batch: bool = False,
    ) -> None:
        bins = whole(self, "num_magnitude_bins", num_magnitude_bins, 2, _MOST_BINS)
        name = "trivialaugment_wide"
        super().__init__(
            space(name, checks.names(self, "operators", operators, tuple(SPACES[name]))),
            level=Choice([i / (bins - 1) for i in range(bins)]),
            resample=checks.resample_mode(self, resample),
            fill=checked_fill(self, "fill", fill),
            p=p,
        )
        self.same_on_batch = same_on_batch
