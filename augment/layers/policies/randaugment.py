"""RandAugment and TrivialAugment: operators at random, for every sample its own."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from augment.core import checks
from augment.core.layer import Layer
from augment.data.types import Noise, Params
from augment.draws.arguments import LARGEST, number, whole
from augment.draws.bounds import Range
from augment.draws.distributions import Bernoulli, Choice, Distribution, Normal, Uniform
from augment.draws.shorthand import Quantity
from augment.layers.policies.containers import gated
from augment.layers.policies.operators import SPACES, space
from augment.layers.policies.slot import Slot

_TIMM_LEVELS = 10
"""timm counts magnitudes from 0 to 10, torchvision to `num_magnitude_bins` - 1."""
_MOST_OPERATORS = 100
_MOST_BINS = 1024

_TIMM_FILL = 128 / 255
"""What timm shows outside of the image where it is not told the mean colour of the data."""


class RandAugment(Layer):
    """n operators one after another, each drawn from all of them, at one strength (Cubuk et al. 2020).

    Operators, units and magnitudes are torchvision's, or timm's with `increasing`; see `policies.operators`.
    They act on bytes: floats are rounded to 256 levels, and the image gets no gradient through them.

    Args:
        n: how many operators a sample gets, at most 100.
        m: strength, from 0 to num_magnitude_bins - 1; with `increasing` from 0 to 10, and a larger one counts as 10.
        increasing: timm's "inc1": all operators get stronger with m, SolarizeAdd and Invert are among them, and each
            is carried out with probability 0.5.
        mstd: standard deviation of m; infinity draws it uniformly from 0 to m. A draw beyond the range counts as its
            end, as in timm.
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
        m = number(self, "m", m, 0, LARGEST if increasing else largest)
        mstd = number(self, "mstd", mstd, 0.0, math.inf)
        name = "timm_increasing" if increasing else "randaugment"
        self.slot = Slot(
            space(name, checks.names(self, "operators", operators, tuple(SPACES[name]))),
            level=_level(m / largest, mstd / largest),
            resample=checks.resample_mode(self, resample),
            fill=checks.unit_value(self, "fill", fill),
            p=0.5 if increasing else 1.0,
        )

    @classmethod
    def from_timm(cls, name: str, **options: Any) -> RandAugment:
        """RandAugment by timm's name for it, e.g. "rand-m9-mstd0.5-inc1"; what differs is in docs/interop.md.

        Args:
            name: "rand" and "inc1", joined by "-" with any of m (magnitude, 10 if left out; more counts as 10), n
                (operators, 2 if left out) and mstd (more than 100 is infinity).
            options: further arguments of RandAugment. `resample` is "bilinear" and `fill` 128 / 255 unless given;
                timm's training script fills with the mean colour of the data: give the mean of its channels.

        Raises:
            ValueError: the name asks for anything else, such as timm's mmax, p and t, and its operators without "inc1",
                which get weaker with m.
        """
        sections = name.split("-") if isinstance(name, str) else [""]
        keys = dict(re.findall(r"(?:^|-)(mstd|m|n|inc)(\d+(?:\.\d+)?)(?=-|$)", name)) if sections[0] == "rand" else {}
        integers = all(keys.get(key, "0").isdigit() for key in ("m", "n", "inc"))
        if len(keys) != len(sections) - 1 or not integers or int(keys.get("inc", 0)) == 0:
            raise ValueError(
                f"RandAugment.from_timm: name={name!r} must look like 'rand-m9-n2-mstd0.5-inc1': 'rand', 'inc1' and, "
                "once at most, m, n and mstd with their numbers; nothing else of timm is offered here."
            )
        mstd = float(keys.get("mstd", 0))
        mstd = math.inf if mstd > 100 else mstd
        options = dict[str, Any](resample="bilinear", fill=_TIMM_FILL) | options
        return cls(int(keys.get("n", 2)), int(keys.get("m", 10)), increasing=True, mstd=mstd, **options)

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


def _level(level: float, spread: float) -> Quantity:
    if spread == 0:
        return min(level, 1.0)
    return _CutUniform(0.0, level) if math.isinf(spread) else _CutNormal(level, spread)


class _Cut(Distribution):
    """What is drawn beyond [0, 1] counts as the end that it is beyond; a `Normal` with ends has no draws there."""

    def support(self) -> Range:
        return 0.0, 1.0

    def within(self, legal: Range) -> None:
        """It is within [0, 1] whatever its arguments."""

    def forward(self, u: Tensor) -> Tensor:
        return super().forward(u).clamp(0.0, 1.0)


class _CutNormal(_Cut, Normal):
    pass


class _CutUniform(_Cut, Uniform):
    pass


class TrivialAugmentWide(Slot):
    """One operator at a random strength, nothing to tune (Müller and Hutter 2021, the "wide" space of table 1).

    Operators, units and magnitudes are torchvision's; see `policies.operators`. They act on bytes: floats are
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
