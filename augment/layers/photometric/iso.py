"""The noise of a camera sensor at a high ISO setting."""

import torch

from augment.core.kinds import PixelOp
from augment.data.color import clamped, shift_hue
from augment.data.pixels import NOTHING, amount
from augment.data.types import Params, Plane, Planes
from augment.draws.distributions import Bernoulli
from augment.draws.noise import normal_field, uniform_field
from augment.draws.shorthand import Quantity
from augment.layers.photometric.noise import poisson

_LEVELS = 255
"""Luminance is counted in levels of a byte."""


class ISONoise(PixelOp):
    """Adds noise of hue and luminance, independent for every pixel, as a sensor at a high ISO does; clips to [0, 1].

    The definition is albumentations' up to version 1.3, in HLS: hue gets Gaussian noise, and a Poisson count of levels
    makes pixels lighter, in proportion to what they lack to white. The count's mean is `intensity` times the standard
    deviation of the image's luminance. Version 2.0.8 counts in units of white instead, so that the counts are almost
    always 0, and turns hues by degrees. Images with fewer than three channels have no hue. The gradient takes the
    counts as constants.

    Args:
        color_shift: standard deviation of the hue in full circles, at an intensity of 1, within [0, 1].
        intensity: strength of both noises, not negative, without a gradient; 0 changes nothing.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.ISONoise(color_shift=(0.01, 0.05), intensity=(0.1, 0.5))(images).shape
        torch.Size([2, 3, 16, 16])
    """

    example = {"color_shift": (0.01, 0.05), "intensity": (0.1, 0.5)}
    identity = {"intensity": 0.0}
    differentiable = frozenset({"color_shift"})

    def __init__(
        self,
        color_shift: Quantity = (0.01, 0.05),
        intensity: Quantity = (0.1, 0.5),
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.quantity("color_shift", color_shift, legal=(0.0, 1.0))
        self.quantity("intensity", intensity, legal=(0.0, 100.0))
        self.quantity("key", (0.0, 1.0), count=4)

    def pixel(self, planes: Planes, params: Params) -> Planes:
        colour = clamped(planes[:3] if len(planes) >= 3 else planes[:1])
        size, intensity = tuple(colour[0].shape[1:]), amount(params, "intensity", planes)
        luminance = _luminance(colour)
        fixed = luminance.detach()
        deviation = (fixed - fixed.mean((1, 2), keepdim=True)).square().mean((1, 2), keepdim=True).sqrt()
        uniforms = uniform_field(params["key"][:, :2], size).to(colour[0].dtype)
        share = intensity * poisson(uniforms, intensity * deviation * _LEVELS) / _LEVELS
        if len(colour) == 3:
            turns = amount(params, "color_shift", planes) * intensity * normal_field(params["key"][:, 2:], size)
            colour = shift_hue(colour, turns.to(colour[0].dtype))
        return (*clamped(_lighter(colour, luminance, luminance + share * (1 - luminance))), *planes[len(colour) :])


def _luminance(colour: Planes) -> Plane:
    """Returns the L of HLS: half the sum of the largest and the smallest channel."""
    stack = torch.stack(colour, 1)
    return (stack.amax(1) + stack.amin(1)) / 2


def _lighter(colour: Planes, old: Plane, new: Plane) -> Planes:
    """Changes the luminance of HLS, keeping hue and saturation, which is the chroma's share of the largest possible."""
    possible = 1 - (2 * old - 1).abs()
    some = possible > NOTHING
    ratio = torch.where(some, 1 - (2 * new - 1).abs(), 0.0) / torch.where(some, possible, 1.0)
    return tuple(new + (plane - old) * ratio for plane in colour)
