"""HEStain: haematoxylin and eosin of another strength, for histology."""

import torch

from augment.core import checks
from augment.core.kinds import PixelOp
from augment.data.color import clamped, gray, weighted, with_rgb
from augment.data.types import Params, Planes
from augment.draws.distributions import Bernoulli, Choice
from augment.draws.shorthand import Quantity

Row = tuple[float, float, float]

STAINS: dict[str, tuple[Row, Row]] = {
    "ruifrok": ((0.65, 0.70, 0.29), (0.07, 0.99, 0.11)),
    "macenko": ((0.5626, 0.7201, 0.4062), (0.2159, 0.8012, 0.5581)),
}
"""Optical densities of haematoxylin and eosin in red, green and blue: the normalised matrix of Ruifrok and Johnston
2001, "Quantification of histochemical staining by color deconvolution"; and the reference stains in the MATLAB code
(mitkovetta/staining-normalization) of Macenko et al. 2009, "A method for normalizing histology slides"."""

_DARKEST = 1e-6
"""Value whose optical density stands for that of black."""

_BRIGHT = 0.85
"""Luma from which a pixel counts as background, in albumentations."""

_LARGEST = 80.0
"""Largest logarithm of a factor: its exponential is finite, and makes any level white."""


class HEStain(PixelOp):
    """Changes how much haematoxylin and eosin a stained section took up, for histology (Tellez et al. 2018).

    Optical density -log(value) is a sum of stains. The concentration of each stain becomes `scale * concentration +
    shift`; what neither stain explains stays, where albumentations drops it, so without a change the image is the same.
    Clips to [0, 1]. Images with fewer than three channels are not changed. Black has the optical density of 1e-6.

    Args:
        intensity_scale_range: factor of each stain's concentration, within [0, 10]; 1 changes nothing.
        intensity_shift_range: what is added to each stain's concentration, within [-1, 1]; 0 changes nothing.
        preset: colours of the stains: "ruifrok", "macenko", or "random" for one of them for each image.
        augment_background: also change pixels with a luma of at least 0.85, which hold no tissue.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> sections = torch.rand(2, 3, 16, 16)
        >>> A.HEStain(preset="ruifrok")(sections).shape
        torch.Size([2, 3, 16, 16])
    """

    example = {"intensity_scale_range": (0.7, 1.3), "intensity_shift_range": (-0.2, 0.2)}
    identity = {"intensity_scale_range": 1.0, "intensity_shift_range": 0.0}
    differentiable = frozenset({"intensity_scale_range", "intensity_shift_range"})

    def __init__(
        self,
        intensity_scale_range: Quantity = (0.7, 1.3),
        intensity_shift_range: Quantity = (-0.2, 0.2),
        preset: str = "random",
        augment_background: bool = False,
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        preset = checks.one_of(self, "preset", preset, (*STAINS, "random"))
        self.presets = tuple(STAINS) if preset == "random" else (preset,)
        self.augment_background = augment_background
        self.quantity("intensity_scale_range", intensity_scale_range, legal=(0.0, 10.0), count=2)
        self.quantity("intensity_shift_range", intensity_shift_range, legal=(-1.0, 1.0), count=2)
        self.quantity("stains", Choice(range(len(self.presets))))

    def pixel(self, planes: Planes, params: Params) -> Planes:
        return with_rgb(planes, lambda rgb: self._stained(clamped(rgb), params))

    def _stained(self, rgb: Planes, params: Params) -> Planes:
        dtype = rgb[0].dtype
        scale, shift = (
            [column[:, None, None].to(dtype) for column in params[f"intensity_{name}_range"].unbind(1)]
            for name in ("scale", "shift")
        )
        density = tuple(-torch.log(plane.clamp(min=_DARKEST)) for plane in rgb)
        change: Planes = ()
        for number, name in enumerate(self.presets):
            more = [
                (scale[i] - 1) * weighted(density, row) + shift[i] for i, row in enumerate(_separating(*STAINS[name]))
            ]
            added = tuple(weighted(tuple(more), colour) for colour in zip(*STAINS[name], strict=True))
            mine = (params["stains"] == number)[:, None, None]
            change = tuple(torch.where(mine, a, b) for a, b in zip(added, change or added, strict=True))
        if not self.augment_background:
            tissue = gray(rgb) < _BRIGHT
            change = tuple(torch.where(tissue, one, 0.0) for one in change)
        return clamped(tuple(p * torch.exp((-one).clamp(max=_LARGEST)) for p, one in zip(rgb, change, strict=True)))


def _separating(first: Row, second: Row) -> tuple[list[float], list[float]]:
    """Returns two rows whose products with an optical density are the concentrations: the stains' pseudo-inverse."""
    own, both, others = (_dot(*pair) for pair in ((first, first), (first, second), (second, second)))
    area = own * others - both**2
    of_first = [(others * x - both * y) / area for x, y in zip(first, second, strict=True)]
    return of_first, [(own * y - both * x) / area for x, y in zip(first, second, strict=True)]


def _dot(first: Row, second: Row) -> float:
    return sum(x * y for x, y in zip(first, second, strict=True))
