"""Shadows with sharp outlines."""

from collections.abc import Sequence

import torch

from augment.core import checks
from augment.core.kinds import PixelOp
from augment.data.known import whole_size
from augment.data.types import Params, Planes, Size
from augment.draws.arguments import whole
from augment.draws.distributions import Bernoulli
from augment.draws.shorthand import Quantity
from augment.geometry.polygon import inside
from augment.layers.photometric.counts import counted, first

_MOST_SHADOWS = 16
_MOST_CORNERS = 16


class RandomShadow(PixelOp):
    """Darkens polygons with random corners; named as in albumentations.

    A pixel is in a polygon if a line from its centre crosses the outline an odd number of times, so a polygon that
    crosses itself has holes. Where polygons overlap, each takes its part of the light.

    Args:
        shadow_roi: (x_min, y_min, x_max, y_max) of the part of the image where corners lie, in fractions of its width
            and height.
        num_shadows_limit: number of polygons, from 0 to 16. For a pair of whole numbers (lowest, highest), each number
            in the range is equally likely; other draws are rounded.
        shadow_dimension: number of corners of a polygon, from 3 to 16.
        shadow_intensity_range: part of the light that a polygon takes, within [0, 1]; 0 changes nothing.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.ones(8, 3, 32, 32)
        >>> A.RandomShadow(shadow_intensity_range=(0.3, 0.6), p=1.0)(images)[:, :, :16].min()  # above, there is none
        tensor(1.)
    """

    example = {"shadow_roi": (0.0, 0.0, 1.0, 1.0), "shadow_intensity_range": (0.3, 0.6)}
    identity = {"shadow_intensity_range": 0.0}
    differentiable = frozenset({"shadow_intensity_range"})

    def __init__(
        self,
        shadow_roi: Sequence[float] = (0.0, 0.5, 1.0, 1.0),
        num_shadows_limit: Quantity = (1, 2),
        shadow_dimension: int = 5,
        shadow_intensity_range: Quantity = (0.5, 0.5),
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.roi = checks.region(self, "shadow_roi", shadow_roi)
        self.corners = whole(self, "shadow_dimension", shadow_dimension, 3, _MOST_CORNERS)
        self.most = counted(self, "num_shadows_limit", num_shadows_limit, _MOST_SHADOWS)
        self.quantity("shadow_intensity_range", shadow_intensity_range, legal=(0.0, 1.0), count=self.most)
        self.quantity("x", (0.0, 1.0), count=self.most * self.corners)
        self.quantity("y", (0.0, 1.0), count=self.most * self.corners)

    def resolve(self, params: Params, size: Size) -> Params:
        """Computes the corners `x`, `y` (B, most, corners) in pixels; polygons that are not drawn take no light."""
        height, width = whole_size(size)
        left, top, right, bottom = self.roi
        x, y = (params[name].unflatten(1, (self.most, self.corners)) for name in ("x", "y"))
        intensity = params["shadow_intensity_range"].reshape(-1, self.most)
        drawn = first(self.most, params["num_shadows_limit"])
        return params | {
            "x": (left + x * (right - left)) * width - 0.5,
            "y": (top + y * (bottom - top)) * height - 0.5,
            "shadow_intensity_range": torch.where(drawn, intensity, 0.0),
        }

    def pixel(self, planes: Planes, params: Params) -> Planes:
        height, width = planes[0].shape[1:]
        light = torch.ones_like(planes[0])
        for k in range(self.most):
            shaded = inside(params["x"][:, k], params["y"][:, k], (height, width))
            taken = params["shadow_intensity_range"][:, k].to(light.dtype)[:, None, None]
            light = light * torch.where(shaded, 1 - taken, 1.0)
        return tuple(plane * light for plane in planes)
