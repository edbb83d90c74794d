"""Flare of the sun in a lens."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from augment.core import checks
from augment.core.kinds import PixelOp
from augment.data.color import LUMA, weighted
from augment.data.known import whole_size
from augment.data.primitives import materialized
from augment.data.types import Float, Params, Plane, Planes, Size
from augment.draws.arguments import whole
from augment.draws.distributions import Bernoulli
from augment.draws.shorthand import Quantity
from augment.layers.photometric.counts import counted, first

_MOST_CIRCLES = 32
_ALPHA = (0.05, 0.2)
"""Range of the weight of a circle."""

_DARKER = 0.2
"""Largest difference of a circle's colour from the sun's, as a part of the largest value of that."""

_GLARE = 5.0
"""Weight in the sun's centre as a multiple of the circles' mean weight. Its cube is what is mixed."""

_RING = 10
"""Pixels of radius per ring of the sun's glare."""


class RandomSunFlare(PixelOp):
    """Draws the glare of a sun and coloured circles along a line through it: albumentations 2.0.8, method "overlay".

    A sample gets a sun, a direction and circles of radius k**3 pixels, where k is a whole number up to a hundredth of
    the image height, at least 2. A circle is mixed in with all circles before it. The glare falls with the distance
    from the sun, in rings of about 10 pixels. Red, green and blue change; a single channel gets the luma of the
    colours. Values are not clipped.

    Args:
        flare_roi: (x_min, y_min, x_max, y_max) of the part of the image where the sun stands, in fractions of its width
            and height.
        src_radius: radius of the glare in pixels, from 20 to 4096.
        src_color: colour (red, green, blue) of the sun, in [0, 1]; circles are up to a fifth darker.
        angle_range: direction of the line as a part of a full turn, clockwise from the right, within [0, 1].
        num_flare_circles_range: number of circles, from 1 to 32. For a pair of whole numbers (lowest, highest), each
            number in the range is equally likely; other draws are rounded.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> A.RandomSunFlare(src_radius=40, p=1.0)(torch.zeros(2, 3, 32, 32)).amax((1, 2, 3)) > 0
        tensor([True, True])
    """

    example = {"src_radius": 40, "src_color": (1.0, 0.9, 0.7)}

    def __init__(
        self,
        flare_roi: Sequence[float] = (0.0, 0.0, 1.0, 0.5),
        src_radius: int = 400,
        src_color: Sequence[float] = (1.0, 1.0, 1.0),
        angle_range: Quantity = (0.0, 1.0),
        num_flare_circles_range: Quantity = (6, 10),
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.roi = checks.region(self, "flare_roi", flare_roi)
        self.src_radius = whole(self, "src_radius", src_radius, 2 * _RING, 4096)
        self.src_color = checks.rgb(self, "src_color", src_color)
        self.quantity("angle_range", angle_range, legal=(0.0, 1.0))
        self.most = counted(self, "num_flare_circles_range", num_flare_circles_range, _MOST_CIRCLES)
        self.quantity("x", (0.0, 1.0))
        self.quantity("y", (0.0, 1.0))
        self.quantity("circle_place", (0.0, 1.0), count=self.most)
        self.quantity("circle_radius", (0.0, 1.0), count=self.most)
        self.quantity("circle_alpha", _ALPHA, count=self.most)
        self.quantity("circle_color", (0.0, 1.0), count=3 * self.most)

    def resolve(self, params: Params, size: Size) -> Params:
        """Computes the sun's `x`, `y` (B,) in pixels and the circles' place, radius, weight and colour (B, most, ...).

        A circle that is not drawn has radius -1 and no weight.
        """
        height, width = whole_size(size)
        left, top, right, bottom = self.roi
        x, y = (left + params["x"] * (right - left)) * width, (top + params["y"] * (bottom - top)) * height
        angle = (2 * math.pi * params["angle_range"])[:, None]
        along = params["circle_place"].reshape(-1, self.most) * width - x[:, None]
        largest = max(2, height // 100)
        radius = torch.floor(1 + params["circle_radius"].reshape(-1, self.most) * largest) ** 3
        alpha = params["circle_alpha"].reshape(-1, self.most)
        number = params["num_flare_circles_range"].clamp(min=1)
        darker = [min(_DARKER * max(self.src_color), channel) for channel in self.src_color]
        shade = params["circle_color"].unflatten(1, (self.most, 3)).unbind(2)
        colour = [c - d * s for c, d, s in zip(self.src_color, darker, shade, strict=True)]
        drawn = first(self.most, number)
        rest = {name: params[name] for name in ("gate", "angle_range") if name in params}
        return rest | {
            "num_flare_circles_range": number,
            "x": x - 0.5,
            "y": y - 0.5,
            "circle_x": x[:, None] + along * torch.cos(angle) - 0.5,
            "circle_y": y[:, None] + along * torch.sin(angle) - 0.5,
            "circle_radius": torch.where(drawn, radius, -1.0),
            "circle_alpha": torch.where(drawn, alpha, 0.0),
            "circle_color": torch.stack(colour, 2),
        }

    def pixel(self, planes: Planes, params: Params) -> Planes:
        count = 3 if len(planes) >= 3 else 1
        out = self._with_circles(planes[:count], params)
        left = self._left_by_glare(planes[0], params)
        red, green, blue = self.src_color
        sun = self.src_color if count == 3 else (LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue,)
        mixed = tuple(colour + (plane - colour) * left for colour, plane in zip(sun, out, strict=True))
        return (*mixed, *planes[count:])

    def _with_circles(self, planes: Planes, params: Params) -> Planes:
        """Mixes in one circle after the other, each time with all circles so far."""
        layer, out = planes, planes
        for k in range(self.most):
            radius = params["circle_radius"][:, k, None, None]
            inside = _squared_distance(planes[0], params["circle_x"][:, k], params["circle_y"][:, k]) <= (
                radius * radius.abs()  # negative for a circle that is not drawn
            )
            shades = params["circle_color"][:, k].to(planes[0].dtype)[:, :, None, None].unbind(1)
            shades = shades if len(planes) == 3 else (weighted(shades, LUMA),)
            alpha = params["circle_alpha"][:, k].to(planes[0].dtype)[:, None, None]
            layer = tuple(torch.where(inside, shade, plane) for shade, plane in zip(shades, layer, strict=True))
            out = tuple(plane + alpha * (new - plane) for plane, new in zip(out, layer, strict=True))
        return out

    def _left_by_glare(self, like: Plane, params: Params) -> Plane:
        """Returns the weight of the image under rings of light: each ring mixes in all pixels up to its radius."""
        alpha, radius = params["circle_alpha"].to(like.dtype), params["circle_radius"].to(like.dtype).clamp(min=0)
        peak = (_GLARE * (alpha * radius).sum(1) / radius.sum(1)).clamp(max=1)
        rings = self.src_radius // _RING
        fall = torch.arange(rings, device=like.device, dtype=like.dtype) / (rings - 1)
        outward = 1 - (peak[:, None] * fall) ** 3  # of the outermost ring first
        left = torch.cat([torch.ones_like(peak)[:, None], outward.cumprod(1)], 1)
        distance = _squared_distance(like, params["x"], params["y"]).sqrt()
        ring = torch.ceil((distance - 1) * (rings - 1) / (self.src_radius - 1)).clamp(0, rings)
        which = (rings - ring).to(torch.int64).flatten(1)
        return materialized(left).gather(1, which).unflatten(1, like.shape[1:])


def _squared_distance(like: Plane, x: Float[Tensor, " b"], y: Float[Tensor, " b"]) -> Float[Tensor, "b h w"]:
    """Returns the squared distances of the pixels of a plane from points in pixels."""
    row = torch.arange(like.shape[1], device=like.device, dtype=like.dtype)[:, None]
    column = torch.arange(like.shape[2], device=like.device, dtype=like.dtype)
    return (column - x.to(like.dtype)[:, None, None]) ** 2 + (row - y.to(like.dtype)[:, None, None]) ** 2
