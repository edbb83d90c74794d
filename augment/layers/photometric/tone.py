"""Tone curves, which map pixel values equally in all colour channels."""

import torch

from augment.core.kinds import PixelOp
from augment.data.color import clamped
from augment.data.pixels import amount
from augment.data.types import Params, Planes, Size
from augment.draws.arguments import is_number
from augment.draws.distributions import Bernoulli, Normal
from augment.draws.shorthand import Quantity


class RandomInvert(PixelOp):
    """Inverts the image: max_val - pixel, not clipped to [0, 1].

    Args:
        max_val: the pixel value that becomes 0.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomInvert(p=1.0)(images).allclose(1 - images)
        True
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
    """Inverts all pixels at or above a threshold (Cubuk et al. 2018).

    As in AutoAugment, a value is added to every pixel first and the sum is clipped to [0, 1].

    Args:
        thresholds: values of at least this become 1 - value; within [0, 1], without a gradient; a number v means
            (0.5 - v, 0.5 + v). A threshold of 1 still inverts pure white.
        additions: value to add first, within [-0.5, 0.5]; a number v means (-v, v).
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomSolarize()(images).shape
        torch.Size([2, 3, 16, 16])
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
    """Keeps only the high bits of every 8-bit pixel value, as in AutoAugment (Cubuk et al. 2018).

    Floats are clipped to [0, 1] and rounded to the nearest 8-bit level. Kornia truncates them instead, which turns
    level 8, stored as 8 * (1 / 255) in float64, into 7. The gradient is straight-through: the gradient of the image
    clipped to [0, 1].

    Args:
        bits: number of bits to keep, rounded, within [0, 8], without a gradient; 8 changes nothing and 0 is black. A
            number v means (v, 8).
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
        >>> A.RandomPosterize((3, 5))(images).shape
        torch.Size([2, 3, 16, 16])
    """

    by_level = True
    example = {"bits": 3}
    identity = {"bits": (8, 8)}
    image_gradient = "straight-through"

    def __init__(self, bits: Quantity = 3, p: float | Bernoulli = 0.5, same_on_batch: bool = False) -> None:
        super().__init__(p, same_on_batch)
        self.quantity("bits", (bits, max(bits, 8)) if is_number(bits) else bits, legal=(0.0, 8.0))

    def resolve(self, params: Params, size: Size) -> Params:
        """Rounds `bits`."""
        return params | {"bits": torch.round(params["bits"])}

    def pixel(self, planes: Planes, params: Params) -> Planes:
        bits = amount(params, "bits", planes)
        step = torch.exp2(8 - bits)

        def kept(plane: torch.Tensor) -> torch.Tensor:
            # adding half a level rounds floats to the nearest level and keeps exact levels away from the steps of floor
            levels = torch.floor((plane * 255 + 0.5) / step) * (step / 255)
            return levels + (plane - plane.detach())

        return tuple(torch.where(bits == 8, plane, kept(plane)) for plane in clamped(planes))


class RandomToneCurve(PixelOp):
    """Applies a random smooth, monotone tone curve from (0, 0) to (1, 1); the input is clipped to [0, 1].

    The curve is a cubic Bezier with two control points, for the shadows at 1/3 and for the highlights at 2/3, which
    move up and down at random. The idea is from RandomToneCurve of albumentations, where the curve can fold back and
    a scale of 0 is not the identity.

    Args:
        scale: standard deviation of the heights of the control points, not negative; 0 changes nothing.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomToneCurve(scale=(0.05, 0.2))(images).shape
        torch.Size([2, 3, 16, 16])
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
        """Computes the heights of the control points in ascending order: `shadows` at 1/3, `highlights` at 2/3."""
        low, high = (params["scale"][:, None] * params["displacement"]).unbind(1)
        low, high = (1 / 3 + low).clamp(0, 1), (2 / 3 + high).clamp(0, 1)
        resolved = {"shadows": torch.minimum(low, high), "highlights": torch.maximum(low, high)}
        return resolved | {name: params[name] for name in ("gate",) if name in params}

    def pixel(self, planes: Planes, params: Params) -> Planes:
        low, high = (amount(params, name, planes) for name in ("shadows", "highlights"))
        first, second, third = 3 * low, 3 * (high - 2 * low), 1 - 3 * (high - low)
        # rounding can move the ends of the curve slightly beyond 0 and 1
        return clamped(tuple(t * (first + t * (second + t * third)) for t in clamped(planes)))
