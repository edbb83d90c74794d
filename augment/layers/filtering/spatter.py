"""Drops of water or mud on a lens, as ImageNet-C has them."""

import math
from collections.abc import Sequence

import torch
from kornia.filters import get_gaussian_kernel1d
from torch import Tensor

from augment.core import checks
from augment.core.kinds import ImageOp
from augment.data.color import LUMA
from augment.data.constants import constant
from augment.data.pixels import NOTHING, materialized_image
from augment.data.types import Bool, Float, Images, Params, PerSample
from augment.draws.arguments import shown
from augment.draws.distributions import Bernoulli
from augment.draws.noise import normal_field
from augment.draws.shorthand import Quantity, as_distribution
from augment.kernels.reference.filtering import filtered, pad, window_sum

_COLOURS = {"rain": (175 / 255, 238 / 255, 238 / 255), "mud": (63 / 255, 42 / 255, 20 / 255)}
"""Pale turquoise and brown of the published code."""

_LARGEST_SIGMA = 20.0
_SOLID = 0.8
"""Smoothed mud below it is none, as in the published code."""

_DEEPEST = 20
"""Largest distance from the outline in pixels that counts, as in the published code."""

_EMBOSS = ((-2.0, -1.0, 0.0), (-1.0, 1.0, 1.0), (0.0, 1.0, 2.0))
"""Filter of the published code that lights the drops from the top left."""

Map = Float[Tensor, "b 1 h w"]


class Spatter(ImageOp):
    """Covers the lens with drops (Hendrycks and Dietterich 2019, published code); arguments as in albumentations.

    Drops are where smoothed normal noise exceeds a threshold. Water is added to the image, shaded by the distance from
    the outline of its drop; mud replaces the image. The image is clipped to [0, 1]. The published code finds outlines
    with Canny's detector; here they are the pixels of a drop that touch the rest.

    Args:
        mean: mean of the noise, within [0, 1], without a gradient.
        std: standard deviation of the noise before it is smoothed, within [0, 1], without a gradient.
        gauss_sigma: standard deviation in pixels of the Gaussian that smooths it, within [0.01, 20], without a
            gradient. The upper end sets the size of a kernel.
        cutout_threshold: noise below it is no drop, within [0, 1], without a gradient.
        intensity: weight of the drops, within [0, 1]; 0 changes nothing. The published code has 1 for mud.
        mode: "rain" or "mud".
        color: (red, green, blue) of the drops, in [0, 1], pale turquoise or brown by default; a single channel gets
            its luma.
        mud_sigma: standard deviation in pixels of the Gaussian that smooths the shapes of mud, within [0.01, 20],
            without a gradient; where less than 0.8 is left, there is no mud.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> A.Spatter(intensity=(0.3, 0.6), p=1.0)(torch.rand(2, 3, 32, 32)).shape
        torch.Size([2, 3, 32, 32])
    """

    example = {"mean": 0.6, "gauss_sigma": (1.0, 2.0), "cutout_threshold": 0.63, "intensity": (0.3, 0.8)}
    identity = {"intensity": 0.0}
    differentiable = frozenset({"intensity"})
    alpha_stays = True

    def __init__(
        self,
        mean: Quantity = 0.65,
        std: Quantity = 0.3,
        gauss_sigma: Quantity = 2.0,
        cutout_threshold: Quantity = 0.68,
        intensity: Quantity = 0.6,
        mode: str = "rain",
        color: Sequence[float] | None = None,
        mud_sigma: Quantity = 1.5,
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.mode = checks.one_of(self, "mode", mode, tuple(_COLOURS))
        self.color = _COLOURS[self.mode] if color is None else checks.rgb(self, "color", color)
        self.quantity("mean", mean, legal=(0.0, 1.0))
        self.quantity("std", std, legal=(0.0, 1.0))
        self.margin = self._sigma("gauss_sigma", gauss_sigma)
        self.quantity("cutout_threshold", cutout_threshold, legal=(0.0, 1.0))
        self.quantity("intensity", intensity, legal=(0.0, 1.0))
        self.mud_margin = self._sigma("mud_sigma", mud_sigma)
        self.quantity("key", (0.0, 1.0), count=2)

    def _sigma(self, name: str, value: Quantity) -> int:
        """Declares a standard deviation and returns the margin of its kernel: 4 of them, as in the published code."""
        top = as_distribution(value, f"{type(self).__name__}: {name}", (1e-2, _LARGEST_SIGMA)).support()[1]
        if not top <= _LARGEST_SIGMA:
            label = f"{type(self).__name__}: {name}={shown(value)}"
            raise ValueError(f"{label} must have an upper end of at most {_LARGEST_SIGMA:g}.")
        self.quantity(name, value, legal=(1e-2, top))
        return math.floor(4 * top + 0.5)

    def image(self, image: Images, params: Params) -> Images:
        shape, dtype = (image.shape[-2], image.shape[-1]), image.dtype
        mean, std, threshold, intensity = (
            params[name].to(dtype)[:, None, None, None] for name in ("mean", "std", "cutout_threshold", "intensity")
        )
        noise = mean + std * normal_field(params["key"], (1, *shape)).to(dtype)
        liquid = _smoothed(noise, params["gauss_sigma"].to(dtype), self.margin)
        drop = liquid >= threshold
        count = 3 if image.shape[1] >= 3 else 1
        colour = self.color if count == 3 else (sum(w * c for w, c in zip(LUMA, self.color, strict=True)),)
        colours, scene = constant(colour, image)[:, None, None], image[:, :count]
        if self.mode == "rain":
            scene = scene + intensity * _water(liquid, drop) * colours
        else:
            mud = _smoothed(drop.to(dtype), params["mud_sigma"].to(dtype), self.mud_margin)
            scene = scene + intensity * torch.where(mud < _SOLID, 0.0, mud) * (colours - scene)
        return torch.cat([scene.clamp(0, 1), image[:, count:]], 1)


def _smoothed(image: Map, sigma: PerSample, margin: int) -> Map:
    kernel = get_gaussian_kernel1d(2 * margin + 1, sigma[:, None])
    padded = materialized_image(pad(image, margin, margin, "replicate"))
    return materialized_image(filtered(materialized_image(filtered(padded, kernel[:, None, :])), kernel[:, :, None]))


def _water(liquid: Map, drop: Bool[Tensor, "b 1 h w"]) -> Map:
    """Returns the weight of water in [0, 1]: its depth times a shading by the distance from the outline."""
    distance = _mean_of_nine(_distance(drop & _touches(~drop), liquid.dtype))
    level = torch.floor(distance + 1e-3)  # a mean of equal numbers may be a little less than the number
    shading = _mean_of_nine(_embossed(_equalized(level)))
    water = torch.where(drop, liquid * shading, 0.0)
    highest = water.amax((1, 2, 3), keepdim=True)
    return water / torch.where(highest > NOTHING, highest, 1.0)


def _touches(place: Bool[Tensor, "b 1 h w"]) -> Bool[Tensor, "b 1 h w"]:
    """Marks the pixels with a marked neighbour to the left, right, top or bottom."""
    padded = torch.nn.functional.pad(place, (1, 1, 1, 1))
    rows, columns = padded[:, :, :, 1:-1], padded[:, :, 1:-1]
    return rows[:, :, :-2] | rows[:, :, 2:] | columns[:, :, :, :-2] | columns[:, :, :, 2:]


def _distance(outline: Bool[Tensor, "b 1 h w"], dtype: torch.dtype) -> Map:
    """Returns the distance in pixels from the nearest marked pixel, at most 20: along columns, then along rows."""
    far, reach = 2.0 * _DEEPEST, _DEEPEST - 1
    offset = torch.arange(-reach, reach + 1, device=outline.device, dtype=dtype)
    padded = torch.nn.functional.pad(far * (~outline).to(dtype), (0, 0, reach, reach), value=far)
    down = (padded.unfold(2, 2 * reach + 1, 1) + offset.abs()).amin(-1)
    padded = torch.nn.functional.pad(down**2, (reach, reach), value=far**2)
    return (padded.unfold(3, 2 * reach + 1, 1) + offset**2).amin(-1).sqrt().clamp(max=_DEEPEST)


def _mean_of_nine(image: Map) -> Map:
    return window_sum(window_sum(materialized_image(pad(image, 1, 1, "reflect")), 2, 3), 3, 3) / 9


def _equalized(level: Map) -> Map:
    """Spreads whole numbers from 0 to 20 over 0 to 255 by their frequency, as OpenCV equalizes a histogram."""
    levels = torch.arange(_DEEPEST + 1, device=level.device)
    share = (level.flatten(1)[:, :, None] <= levels).sum(1).to(level.dtype)
    lowest = torch.where(share > 0, share, share[:, -1:]).amin(1, keepdim=True)
    rest = share[:, -1:] - lowest
    spread = torch.round(255 * (share - lowest) / torch.where(rest > 0, rest, 1.0)).clamp(min=0)
    table = torch.where(rest > 0, spread, levels.to(level.dtype))  # one level stays
    return materialized_image(table.gather(1, level.to(torch.int64).flatten(1)).unflatten(1, level.shape[1:]))


def _embossed(level: Map) -> Map:
    kernel = constant(_EMBOSS, level).expand(level.shape[0], 3, 3)
    return filtered(materialized_image(pad(level, 1, 1, "reflect")), kernel).clamp(0, 255)
