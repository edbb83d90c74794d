"""Joint jitter of brightness, contrast, saturation and hue."""

from collections.abc import Sequence
from typing import ClassVar

import torch

from augment.core.kinds import PixelOp
from augment.data.types import Params, PerSample
from augment.draws.arguments import is_whole, shown
from augment.draws.distributions import Bernoulli
from augment.draws.shorthand import Quantity
from augment.kernels.reference.coloring import adjust_color

_STEPS = ("brightness", "contrast", "saturation", "hue")


class ColorJitter(PixelOp):
    """Jitters brightness, contrast, saturation and hue with Pillow's and torchvision's definitions.

    Brightness blends with black, contrast with the image's mean gray, and saturation with its gray image, each clipped
    to [0, 1]; hue rotates in HSV. torchvision draws a new order of the four for every call. Here the order is fixed,
    so that one pass does the work of four.

    Args:
        brightness, contrast, saturation: range of the factor, not negative; a number v means (max(0, 1 - v), 1 + v).
        hue: range of the hue shift in full circles, within [-0.5, 0.5]; a number v means (-v, v).
        order: order of 0 brightness, 1 contrast, 2 saturation and 3 hue, each at most once.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.ColorJitter(0.4, 0.4, 0.4, 0.1, p=0.8)(images).shape
        torch.Size([2, 3, 16, 16])
    """

    example = {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1}
    identity = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0}
    differentiable = frozenset(_STEPS)
    operator = adjust_color

    definitions: ClassVar[dict[str, str]] = {
        "brightness": "blend with black",
        "contrast": "blend with mean",
        "saturation": "blend with gray",
        "hue": "turn hue",
    }

    def __init__(
        self,
        brightness: Quantity = 0.0,
        contrast: Quantity = 0.0,
        saturation: Quantity = 0.0,
        hue: Quantity = 0.0,
        order: Sequence[int] = (0, 1, 2, 3),
        p: float | Bernoulli = 1.0,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        listed = isinstance(order, (list, tuple))
        if not listed or not all(is_whole(i) and 0 <= i <= 3 for i in order) or len(set(order)) != len(order):
            label = f"{type(self).__name__}: order={shown(order)}"
            raise (ValueError if listed else TypeError)(f"{label} must hold numbers from 0 to 3, each at most once.")
        for name, value in zip(_STEPS, (brightness, contrast, saturation), strict=False):
            self.quantity(name, value, legal=(0.0, 100.0), around=1.0, clip=True)
        self.quantity("hue", hue, legal=(-0.5, 0.5), around=0.0)
        neutral = dict.fromkeys(_STEPS[:3], (1.0, 1.0)) | {"hue": (0.0, 0.0)}
        steps = [_STEPS[i] for i in order]
        self.steps = [s for s in steps if getattr(self, s).draws or getattr(self, s).support() != neutral[s]]

    def arguments(self, params: Params, dtype: torch.dtype) -> tuple[tuple[str, ...], tuple[PerSample, ...]]:
        """The steps and their amounts."""
        return tuple(self.definitions[step] for step in self.steps), tuple(params[step] for step in self.steps)


class ColorJiggle(ColorJitter):
    """Jitters brightness, contrast, saturation and hue with Kornia's definitions.

    Brightness adds factor - 1 (RandomBrightness), contrast multiplies the pixel (RandomContrast), saturation multiplies
    the saturation of HSV (RandomSaturation), and hue rotates in HSV, each clipped to [0, 1]. The order is fixed, as in
    ColorJitter.

    Args:
        brightness, contrast, saturation: range of the factor, not negative; a number v means (max(0, 1 - v), 1 + v).
        hue: range of the hue shift in full circles, within [-0.5, 0.5]; a number v means (-v, v).
        order: order of 0 brightness, 1 contrast, 2 saturation and 3 hue, each at most once.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.ColorJiggle(0.2, 0.2, 0.2, 0.1)(images).shape
        torch.Size([2, 3, 16, 16])
    """

    definitions: ClassVar[dict[str, str]] = {
        "brightness": "add",
        "contrast": "multiply",
        "saturation": "scale saturation",
        "hue": "turn hue",
    }
