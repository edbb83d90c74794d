"""One quantity of the image's light and colour at a time, with Kornia's definitions."""

import torch

from augment.core.kinds import PixelOp
from augment.data.color import clamped, scale_saturation, shift_hue
from augment.data.pixels import amount
from augment.data.types import Params, Planes
from augment.draws.distributions import Bernoulli
from augment.draws.shorthand import Quantity

_DARKEST = 2.0**-126
"""The smallest float32 of full precision; below it the slope of a power may be infinite."""

_BRIGHTEST = 80.0
"""Natural logarithm of the largest power: short of float32's largest, 88, by what gain and gradient multiply."""


class RandomBrightness(PixelOp):
    """Adds factor - 1 to every pixel (Szeliski, Computer Vision, section 3.1.1). ColorJitter multiplies instead.

    Args:
        brightness: the factor, 1 changes nothing; within [0, 2].
        clip_output: cut the result to [0, 1].
        p: probability that an image is changed.
        same_on_batch: one draw for all samples of a batch.
    """

    example = {"brightness": (0.6, 1.4)}
    identity = {"brightness": (1.0, 1.0)}
    differentiable = frozenset({"brightness"})

    def __init__(
        self,
        brightness: Quantity = (1.0, 1.0),
        clip_output: bool = True,
        p: float | Bernoulli = 1.0,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.clip_output = clip_output
        self.quantity("brightness", brightness, legal=(0.0, 2.0))

    def pixel(self, planes: Planes, params: Params) -> Planes:
        shift = amount(params, "brightness", planes) - 1
        shifted = tuple(plane + shift for plane in planes)
        return clamped(shifted) if self.clip_output else shifted


class RandomContrast(PixelOp):
    """Multiplies every pixel (Szeliski, Computer Vision, section 3.1.1). ColorJitter keeps the mean instead.

    Args:
        contrast: the factor, 1 changes nothing; not negative.
        clip_output: cut the result to [0, 1].
        p: probability that an image is changed.
        same_on_batch: one draw for all samples of a batch.
    """

    example = {"contrast": (0.6, 1.4)}
    identity = {"contrast": (1.0, 1.0)}
    differentiable = frozenset({"contrast"})

    def __init__(
        self,
        contrast: Quantity = (1.0, 1.0),
        clip_output: bool = True,
        p: float | Bernoulli = 1.0,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.clip_output = clip_output
        self.quantity("contrast", contrast, legal=(0.0, 100.0))

    def pixel(self, planes: Planes, params: Params) -> Planes:
        factor = amount(params, "contrast", planes)
        scaled = tuple(plane * factor for plane in planes)
        return clamped(scaled) if self.clip_output else scaled


class RandomSaturation(PixelOp):
    """Multiplies the saturation of HSV; hue and value stay. ColorJitter blends with gray instead.

    Args:
        saturation: the factor, 1 changes nothing and 0 leaves the largest channel; not negative.
        p: probability that an image is changed.
        same_on_batch: one draw for all samples of a batch.
    """

    example = {"saturation": (0.4, 1.6)}
    identity = {"saturation": (1.0, 1.0)}
    differentiable = frozenset({"saturation"})

    def __init__(
        self, saturation: Quantity = (1.0, 1.0), p: float | Bernoulli = 1.0, same_on_batch: bool = False
    ) -> None:
        super().__init__(p, same_on_batch)
        self.quantity("saturation", saturation, legal=(0.0, 100.0))

    def pixel(self, planes: Planes, params: Params) -> Planes:
        return clamped(scale_saturation(planes, amount(params, "saturation", planes)))


class RandomHue(PixelOp):
    """Turns the hue of HSV; saturation and value stay.

    Args:
        hue: the turn, in full circles, within [-0.5, 0.5]; 0 changes nothing.
        p: probability that an image is changed.
        same_on_batch: one draw for all samples of a batch.
    """

    example = {"hue": (-0.3, 0.3)}
    identity = {"hue": (0.0, 0.0)}
    differentiable = frozenset({"hue"})

    def __init__(self, hue: Quantity = (0.0, 0.0), p: float | Bernoulli = 1.0, same_on_batch: bool = False) -> None:
        super().__init__(p, same_on_batch)
        self.quantity("hue", hue, legal=(-0.5, 0.5))

    def pixel(self, planes: Planes, params: Params) -> Planes:
        return clamped(shift_hue(planes, amount(params, "hue", planes)))


class RandomGamma(PixelOp):
    """gain * pixel ** gamma, cut to [0, 1].

    Args:
        gamma: the exponent, 1 changes nothing, above darkens the shadows; positive.
        gain: the factor; not negative.
        p: probability that an image is changed.
        same_on_batch: one draw for all samples of a batch.
    """

    example = {"gamma": (0.5, 2.0), "gain": (0.8, 1.2)}
    identity = {"gamma": (1.0, 1.0), "gain": (1.0, 1.0)}
    differentiable = frozenset({"gamma", "gain"})

    def __init__(
        self,
        gamma: Quantity = (1.0, 1.0),
        gain: Quantity = (1.0, 1.0),
        p: float | Bernoulli = 1.0,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.quantity("gamma", gamma, legal=(1e-3, 100.0))
        self.quantity("gain", gain, legal=(0.0, 100.0))

    def pixel(self, planes: Planes, params: Params) -> Planes:
        gamma, gain = amount(params, "gamma", planes), amount(params, "gain", planes)

        # the slope of the power is infinite at 0 below gamma 1, and so is the power itself of what becomes white
        # anyway: keep both out of it, also in the backward pass
        least, most = torch.full_like(gamma, _DARKEST), torch.exp(_BRIGHTEST / gamma.detach())

        def curve(plane: torch.Tensor) -> torch.Tensor:
            return gain * torch.where(plane > 0, plane.clamp(least, most) ** gamma, 0.0)

        return clamped(tuple(curve(plane) for plane in planes))
