"""Curves that map a pixel's value to another, the same for every colour."""

import torch

from augment.core.kinds import PixelOp
from augment.data.color import clamped
from augment.data.pixels import amount
from augment.data.types import Params, Planes, Size
from augment.draws.arguments import is_number
from augment.draws.distributions import Bernoulli, Normal
from augment.draws.shorthand import Quantity


class RandomInvert(PixelOp):
    """max_val - pixel, the negative; the result is not cut to [0, 1].

    Args:
        max_val: the value that becomes 0.
        p: probability that an image is changed.
        same_on_batch: one draw for all samples of a batch.
    """

    by_level = True
    example = {"max_val": (0.9, 1.0)}
    differentiable = frozenset({"max_val"})

    def __init__(self, max_val: Quantity = 1.0, p: float | Bernoulli = 0.5, same_on_batch: bool = False) -> None:
        super().__init__(p, same_on_batch)
        self.quantity("max_val", max_val)

    def pixel(self, planes: Planes, params: Params) -> Planes:
        top = amount(params, "max_val", planes)
        return tuple(top - plane for plane in planes)


class RandomSolarize(PixelOp):
    """Adds to every pixel, cuts to [0, 1], then inverts what reaches a threshold, as AutoAugment (Cubuk et al. 2018).

    Args:
        thresholds: values from here on become 1 - value; within [0, 1]; a number v means (0.5 - v, 0.5 + v). There
            is no gradient to it. At 1 pure white is still inverted.
        additions: what to add first; within [-0.5, 0.5]; a number v means (-v, v).
        p: probability that an image is changed.
        same_on_batch: one draw for all samples of a batch.
    """

    by_level = True
    differentiable = frozenset({"additions"})

    def __init__(
        self,
        thresholds: Quantity = 0.1,
        additions: Quantity = 0.1,
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.quantity("thresholds", thresholds, legal=(0.0, 1.0), around=0.5)
        self.quantity("additions", additions, legal=(-0.5, 0.5), around=0.0)

    def pixel(self, planes: Planes, params: Params) -> Planes:
        threshold, addition = (amount(params, n, planes) for n in ("thresholds", "additions"))
        lifted = clamped(tuple(plane + addition for plane in planes))
        return tuple(torch.where(plane < threshold, plane, 1 - plane) for plane in lifted)


class RandomPosterize(PixelOp):
    """Keeps the high bits of every pixel, cut to [0, 1] and seen as a byte, as AutoAugment (Cubuk et al. 2018).

    A float counts as the byte that it would be saved as. Kornia truncates it instead, which makes 7 out of a byte 8
    that became 8 * (1 / 255) in float64. The gradient is straight-through: that of the image cut to [0, 1].

    Args:
        bits: how many to keep, rounded to a whole number: 8 changes nothing, 0 is black; within [0, 8]; a number v
            means (v, 8). There is no gradient to it.
        p: probability that an image is changed.
        same_on_batch: one draw for all samples of a batch.
    """

    by_level = True
    example = {"bits": 3}
    identity = {"bits": (8, 8)}
    image_gradient = "straight-through"

    def __init__(self, bits: Quantity = 3, p: float | Bernoulli = 0.5, same_on_batch: bool = False) -> None:
        super().__init__(p, same_on_batch)
        self.quantity("bits", (bits, max(bits, 8)) if is_number(bits) else bits, legal=(0.0, 8.0))

    def resolve(self, params: Params, size: Size) -> Params:
        """`bits` as whole numbers."""
        return params | {"bits": torch.round(params["bits"])}

    def pixel(self, planes: Planes, params: Params) -> Planes:
        bits = amount(params, "bits", planes)
        step = torch.exp2(8 - bits)

        def kept(plane: torch.Tensor) -> torch.Tensor:
            # half a level above the byte: rounds a float to it, and keeps a byte away from the edges of the floor
            levels = torch.floor((plane * 255 + 0.5) / step) * (step / 255)
            return levels + (plane - plane.detach())

        return tuple(torch.where(bits == 8, plane, kept(plane)) for plane in clamped(planes))


class RandomToneCurve(PixelOp):
    """Bends the tones by a smooth monotone curve from (0, 0) to (1, 1): a cubic Bezier whose two control points,
    for the shadows at 1/3 and the highlights at 2/3, move up and down at random; the input is cut to [0, 1].

    The idea is albumentations' RandomToneCurve; there the curve can fold back, and a scale of 0 is not the identity.

    Args:
        scale: standard deviation of the control points' heights, 0 changes nothing; not negative.
        p: probability that an image is changed.
        same_on_batch: one draw for all samples of a batch.
    """

    by_level = True
    example = {"scale": (0.05, 0.2)}
    identity = {"scale": 0.0}
    differentiable = frozenset({"scale"})

    def __init__(self, scale: Quantity = 0.1, p: float | Bernoulli = 0.5, same_on_batch: bool = False) -> None:
        super().__init__(p, same_on_batch)
        self.quantity("scale", scale, legal=(0.0, 10.0))
        self.quantity("displacement", Normal(0.0, 1.0), count=2)

    def resolve(self, params: Params, size: Size) -> Params:
        """The heights of the control points: `shadows` at 1/3 and `highlights` at 2/3, in ascending order."""
        low, high = (params["scale"][:, None] * params["displacement"]).unbind(1)
        low, high = (1 / 3 + low).clamp(0, 1), (2 / 3 + high).clamp(0, 1)
        resolved = {"shadows": torch.minimum(low, high), "highlights": torch.maximum(low, high)}
        return resolved | {name: params[name] for name in ("gate",) if name in params}

    def pixel(self, planes: Planes, params: Params) -> Planes:
        low, high = (amount(params, name, planes) for name in ("shadows", "highlights"))
        first, second, third = 3 * low, 3 * (high - 2 * low), 1 - 3 * (high - low)
        # rounding takes the curve's ends a little beyond 0 and 1
        return clamped(tuple(t * (first + t * (second + t * third)) for t in clamped(planes)))
