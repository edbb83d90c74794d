"""RandAugment and TrivialAugment: operators at random, for every sample its own."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from augment import checks
from augment.arguments import number, whole
from augment.base import Layer
from augment.distributions import Bernoulli, Choice, Normal
from augment.policies.containers import gated
from augment.policies.operators import SPACES, space
from augment.policies.slot import Slot
from augment.types import Noise, Params

_TIMM_LEVELS = 10
"""timm counts magnitudes from 0 to 10, torchvision to `num_magnitude_bins` - 1."""
_MOST_OPERATORS = 100
_MOST_BINS = 1024


class RandAugment(Layer):
    """n operators one after another, each drawn from all of them, at one strength (Cubuk et al. 2020).

    Operators, units and magnitudes are torchvision's, or timm's with `increasing`; see `augment.policies.operators`.
    They act on bytes: floats are rounded to 256 levels, and the image gets no gradient through them.

    Args:
        n: how many operators a sample gets, at most 100.
        m: strength, from 0 to num_magnitude_bins - 1; with `increasing` from 0 to 10.
        increasing: timm's "inc1": all operators get stronger with m, SolarizeAdd and Invert are among them, and each
            is carried out with probability 0.5.
        mstd: standard deviation of m, cut to its range; infinity draws it uniformly from 0 to m.
        num_magnitude_bins: torchvision's scale of m, from 2 to 1024.
        operators: names of some of the operators to choose among; all if not given.
        resample: "nearest", "bilinear" or "bicubic", for the geometric operators.
        fill: value shown outside of the image, in [0, 1].
        p: probability that a sample gets any operators.
        same_on_batch: one draw for all samples of a batch.
    """

    image_gradient = "none"

    def __init__(
        self,
        n: int = 2,
        m: float = 9,
        increasing: bool = False,
        mstd: float = 0.0,
        num_magnitude_bins: int = 31,
        operators: Sequence[str] | None = None,
        resample: str = "nearest",
        fill: float = 0.0,
        p: float | Bernoulli = 1.0,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        bins = whole(self, "num_magnitude_bins", num_magnitude_bins, 2, _MOST_BINS)
        largest = _TIMM_LEVELS if increasing else bins - 1
        self.n = whole(self, "n", n, 0, _MOST_OPERATORS)
        m, mstd = number(self, "m", m, 0, largest), number(self, "mstd", mstd, 0.0, math.inf)
        mstd = math.inf if mstd > 100 * largest else mstd  # uniform, as good as
        name = "timm_increasing" if increasing else "randaugment"
        self.slot = Slot(
            space(name, checks.names(self, "operators", operators, tuple(SPACES[name]))),
            level=_level(m / largest, mstd / largest),
            resample=checks.resample_mode(self, resample),
            fill=checks.unit_value(self, "fill", fill),
            p=0.5 if increasing else 1.0,
        )

    @classmethod
    def from_timm(cls, name: str, **options: object) -> RandAugment:
        """RandAugment by timm's name for it, e.g. "rand-m9-mstd0.5-inc1" with n2 and p0.5 left out.

        Args:
            name: "rand", then any of m (magnitude), n (operators), mstd and inc, joined by "-". timm's other keys and
                its operators without "inc1", which get weaker with m, are not offered.
            options: further arguments of RandAugment.
        """
        keys = dict(re.findall(r"-(m|n|mstd|inc)([\d.]+)(?=-|$)", name))
        if re.sub(r"-(m|n|mstd|inc)[\d.]+(?=-|$)", "", name) != "rand" or keys.get("inc") != "1":
            raise ValueError(f"RandAugment.from_timm: name={name!r} must look like 'rand-m9-n2-mstd0.5-inc1'.")
        mstd = float(keys.get("mstd", 0))
        mstd = math.inf if mstd > 100 else mstd  # timm's sign for a uniform magnitude
        return cls(int(keys.get("n", 2)), float(keys.get("m", 10)), increasing=True, mstd=mstd, **options)

    @property
    def draws(self) -> int:
        return self.own_draws + self.n * self.slot.draws

    def leaves(self) -> list[Layer]:
        return self.slot.leaves() * self.n

    def fixed_leaves(self) -> list[Layer]:
        return []

    def leaf_params(self, noise: Noise) -> list[Params]:
        noise = noise[:1].expand_as(noise) if self.same_on_batch else noise
        gate = self.params(noise[:, : self.own_draws]).get("gate")
        slots = noise[:, self.own_draws :].split([self.slot.draws] * self.n, dim=1) if self.n else ()
        return [p for part in slots for p in gated(self.slot.leaf_params(part), gate)]


def _level(level: float, spread: float) -> object:
    if spread == 0:
        return level
    return (0.0, level) if math.isinf(spread) else Normal(level, spread, low=0.0, high=1.0)


class TrivialAugmentWide(Slot):
    """One operator at a random strength, nothing to tune (Müller and Hutter 2021, the "wide" space of table 1).

    Operators, units and magnitudes are torchvision's; see `augment.policies.operators`. They act on bytes: floats are
    rounded to 256 levels, and the image gets no gradient through them.

    Args:
        num_magnitude_bins: how many strengths there are, from 2 to 1024.
        operators: names of some of the operators to choose among; all if not given.
        resample: "nearest", "bilinear" or "bicubic", for the geometric operators.
        fill: value shown outside of the image, in [0, 1].
        p: probability that a sample gets an operator.
        same_on_batch: one draw for all samples of a batch.
    """

    image_gradient = "none"

    def __init__(
        self,
        num_magnitude_bins: int = 31,
        operators: Sequence[str] | None = None,
        resample: str = "nearest",
        fill: float = 0.0,
        p: float | Bernoulli = 1.0,
        same_on_batch: bool = False,
    ) -> None:
        bins = whole(self, "num_magnitude_bins", num_magnitude_bins, 2, _MOST_BINS)
        name = "trivialaugment_wide"
        super().__init__(
            space(name, checks.names(self, "operators", operators, tuple(SPACES[name]))),
            level=Choice([i / (bins - 1) for i in range(bins)]),
            resample=checks.resample_mode(self, resample),
            fill=checks.unit_value(self, "fill", fill),
            p=p,
        )
        self.same_on_batch = same_on_batch
