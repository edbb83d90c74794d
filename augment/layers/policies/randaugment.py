"""RandAugment and TrivialAugment, with separate random operators for each sample."""

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
"""timm's fill value outside the image if the mean colour of the data is not given."""


class RandAugment(Layer):
    """Applies n random operators in sequence at one strength (Cubuk et al. 2020).

    Operators, units and magnitudes follow torchvision, or timm with `increasing`; see
    augment/layers/policies/operators.py. Operators act on 8-bit values: floats are rounded to 256 levels, and no
    gradient flows through them.

    Args:
        n: number of operators per sample, at most 100.
        m: strength, from 0 to num_magnitude_bins - 1; with `increasing` from 0 to 10, and larger values count as 10.
        increasing: use timm's "inc1": all operators get stronger with m, SolarizeAdd and Invert are included, and each
            drawn operator is applied with probability 0.5.
        mstd: standard deviation of m; infinity draws m uniformly from 0 to m. Draws are clipped to the range of m, as
            in timm.
        num_magnitude_bins: torchvision's scale of m, from 2 to 1024.
        operators: names of the operators to choose from; all by default.
        resample: "nearest", "bilinear" or "bicubic", for the geometric operators.
        fill: value of pixels outside the image, in [0, 1].
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.
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
        """Builds RandAugment from timm's name, e.g. "rand-m9-mstd0.5-inc1"; docs/interop.md lists the differences.

        Args:
            name: "rand" and "inc1", joined by "-" with any of m (magnitude, 10 by default; larger values count as 10),
                n (number of operators, 2 by default) and mstd (values above 100 mean infinity).
            options: further arguments of RandAugment. By default `resample` is "bilinear" and `fill` is 128 / 255.
                timm's training script fills with the mean colour of the data; pass the mean over its channels.

        Raises:
            ValueError: the name holds other settings, such as timm's mmax, p and t, or lacks "inc1"; without it
                timm's operators get weaker with m.
        """
        sections = name.split("-") if isinstance(name, str) else [""]
        keys = dict(re.findall(r"(?:^|-)(mstd|m|n|inc)(\d+(?:\.\d+)?)(?=-|$)", name)) if sections[0] == "rand" else {}
        integers = all(keys.get(key, "0").isdigit() for key in ("m", "n", "inc"))
        if len(keys) != len(sections) - 1 or not integers or int(keys.get("inc", 0)) == 0:
            raise ValueError(
                f"RandAugment.from_timm: name={name!r} must look like 'rand-m9-n2-mstd0.5-inc1': 'rand', 'inc1' and, "
                "at most once each, m, n and mstd with their numbers; other settings of timm are not supported."
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
    """Clips draws to [0, 1]. A `Normal` with bounds would renormalise instead of clipping."""

    def support(self) -> Range:
        return 0.0, 1.0

    def within(self, legal: Range) -> None:
        """Does nothing: draws always lie within [0, 1]."""

    def forward(self, u: Tensor) -> Tensor:
        return super().forward(u).clamp(0.0, 1.0)


class _CutNormal(_Cut, Normal):
    pass


class _CutUniform(_Cut, Uniform):
    pass


class TrivialAugmentWide(Slot):
    """Applies one operator at a random strength, without tuning (Müller and Hutter 2021, "wide" space of table 1).

    Operators, units and magnitudes follow torchvision; see augment/layers/policies/operators.py. Operators act on 8-bit
    values: floats are rounded to 256 levels, and no gradient flows through them.

    Args:
        num_magnitude_bins: number of strengths, from 2 to 1024.
        operators: names of the operators to choose from; all by default.
        resample: "nearest", "bilinear" or "bicubic", for the geometric operators.
        fill: value of pixels outside the image, in [0, 1].
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.
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
