"""Single adjustments of brightness and colour, with Kornia's definitions."""

import torch

from augment.core.kinds import PixelOp
from augment.data.color import change_saturation_and_value, clamped, scale_saturation, shift_hue
from augment.data.pixels import amount
from augment.data.types import Params, Planes
from augment.draws.distributions import Bernoulli
from augment.draws.shorthand import Quantity

_DARKEST = 2.0**-126
"""The smallest normal float32; below it, the slope of a power may be infinite."""

_BRIGHTEST = 80.0
"""Natural logarithm of the largest power. It is below float32's 88, with room for the gain and the gradient."""


class RandomBrightness(PixelOp):
    """Adds factor - 1 to every pixel (Szeliski, Computer Vision, section 3.1.1).

    ColorJitter multiplies the pixels by the factor instead.

    Args:
        brightness: factor within [0, 2]; 1 changes nothing.
        clip_output: clip the result to [0, 1].
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> lighter = A.RandomBrightness((1.2, 1.2), p=1.0)(images)
        >>> lighter.allclose((images + 0.2).clamp(0, 1), atol=1e-6)
        True
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
        self.step = ("add", "brightness") if clip_output else None  # steps clip
        self.quantity("brightness", brightness, legal=(0.0, 2.0))

    def pixel(self, planes: Planes, params: Params) -> Planes:
        shift = amount(params, "brightness", planes) - 1
        shifted = tuple(plane + shift for plane in planes)
        return clamped(shifted) if self.clip_output else shifted


class RandomContrast(PixelOp):
    """Multiplies every pixel by a factor (Szeliski, Computer Vision, section 3.1.1).

    ColorJitter preserves the mean gray instead.

    Args:
        contrast: factor, not negative; 1 changes nothing.
        clip_output: clip the result to [0, 1].
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomContrast((0.6, 1.4))(images).shape
        torch.Size([2, 3, 16, 16])
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
        self.step = ("multiply", "contrast") if clip_output else None  # steps clip
        self.quantity("contrast", contrast, legal=(0.0, 100.0))

    def pixel(self, planes: Planes, params: Params) -> Planes:
        factor = amount(params, "contrast", planes)
        scaled = tuple(plane * factor for plane in planes)
        return clamped(scaled) if self.clip_output else scaled


class RandomSaturation(PixelOp):
    """Multiplies the saturation in HSV and keeps hue and value.

    ColorJitter blends with the gray image instead.

    Args:
        saturation: factor, not negative; 1 changes nothing, and 0 sets all channels to the largest one.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomSaturation((0.6, 1.4))(images).shape
        torch.Size([2, 3, 16, 16])
    """

    example = {"saturation": (0.4, 1.6)}
    identity = {"saturation": (1.0, 1.0)}
    differentiable = frozenset({"saturation"})
    step = ("scale saturation", "saturation")

    def __init__(
        self, saturation: Quantity = (1.0, 1.0), p: float | Bernoulli = 1.0, same_on_batch: bool = False
    ) -> None:
        super().__init__(p, same_on_batch)
        self.quantity("saturation", saturation, legal=(0.0, 100.0))

    def pixel(self, planes: Planes, params: Params) -> Planes:
        return clamped(scale_saturation(planes, amount(params, "saturation", planes)))


class RandomHue(PixelOp):
    """Shifts the hue in HSV and keeps saturation and value.

    Args:
        hue: shift in full circles, within [-0.5, 0.5]; 0 changes nothing.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomHue((-0.1, 0.1))(images).shape
        torch.Size([2, 3, 16, 16])
    """

    example = {"hue": (-0.3, 0.3)}
    identity = {"hue": (0.0, 0.0)}
    differentiable = frozenset({"hue"})
    step = ("turn hue", "hue")

    def __init__(self, hue: Quantity = (0.0, 0.0), p: float | Bernoulli = 1.0, same_on_batch: bool = False) -> None:
        super().__init__(p, same_on_batch)
        self.quantity("hue", hue, legal=(-0.5, 0.5))

    def pixel(self, planes: Planes, params: Params) -> Planes:
        return clamped(shift_hue(planes, amount(params, "hue", planes)))


class RandomGamma(PixelOp):
    """Applies gamma correction: gain * pixel ** gamma, clipped to [0, 1].

    Args:
        gamma: exponent, positive; 1 changes nothing, and larger values darken the shadows.
        gain: factor, not negative.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomGamma((2.0, 2.0), p=1.0)(images).allclose(images**2, atol=1e-6)
        True
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

        # For gamma below 1 the slope of the power is infinite at 0; large pixels can overflow although the result is
        # clipped to white. Clamping the base keeps both out of the forward and the backward pass.
        least, most = torch.full_like(gamma, _DARKEST), torch.exp(_BRIGHTEST / gamma.detach())

        def curve(plane: torch.Tensor) -> torch.Tensor:
            return gain * torch.where(plane > 0, plane.clamp(least, most) ** gamma, 0.0)

        return clamped(tuple(curve(plane) for plane in planes))


class RandomHSV(PixelOp):
    """Scales and shifts the saturation, and shifts the value, of HSV; keeps the hue, and clips to [0, 1].

    A gray pixel has hue 0, so that a shift of its saturation turns it red.

    Args:
        saturation: factor of the saturation, within [0, 100]; 1 changes nothing.
        saturation_shift: added to the saturation after that, within [-1, 1]; 0 changes nothing.
        value_shift: added to the value, within [-1, 1]; 0 changes nothing.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> A.RandomHSV(value_shift=0.25)(torch.full((1, 3, 1, 1), 0.5)).flatten()
        tensor([0.7500, 0.7500, 0.7500])
    """

    example = {"saturation": (0.5, 1.5), "saturation_shift": (-0.1, 0.1), "value_shift": (-0.2, 0.2)}
    identity = {"saturation": 1.0, "saturation_shift": 0.0, "value_shift": 0.0}
    differentiable = frozenset({"saturation", "saturation_shift", "value_shift"})

    def __init__(
        self,
        saturation: Quantity = 1.0,
        saturation_shift: Quantity = 0.0,
        value_shift: Quantity = 0.0,
        p: float | Bernoulli = 1.0,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.quantity("saturation", saturation, legal=(0.0, 100.0))
        self.quantity("saturation_shift", saturation_shift, legal=(-1.0, 1.0))
        self.quantity("value_shift", value_shift, legal=(-1.0, 1.0))

    def pixel(self, planes: Planes, params: Params) -> Planes:
        factor, shift, lift = (amount(params, n, planes) for n in ("saturation", "saturation_shift", "value_shift"))
        return change_saturation_and_value(planes, factor, shift, lift)
