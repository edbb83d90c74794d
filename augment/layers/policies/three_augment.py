"""3-Augment, the recipe of DeiT III for supervised vision transformers."""

from __future__ import annotations

from augment.draws.arguments import number
from augment.draws.distributions import Bernoulli
from augment.layers.filtering.blur import RandomGaussianBlur
from augment.layers.photometric.grayscale import RandomGrayscale
from augment.layers.photometric.jitter import ColorJitter
from augment.layers.photometric.tone import RandomSolarize
from augment.layers.policies.containers import OneOf, RandomApply


class ThreeAugment(RandomApply):
    """Applies grayscale, solarize or blur to each sample, then colour jitter (Touvron et al. 2022, section 3.2).

    Add the crop and the flip of the recipe as separate layers.

    Args:
        color_jitter: strength of brightness, contrast and saturation, within [0, 100].
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.ThreeAugment()(images).shape
        torch.Size([2, 3, 16, 16])
    """

    def __init__(self, color_jitter: float = 0.3, p: float | Bernoulli = 1.0, same_on_batch: bool = False) -> None:
        color_jitter = number(self, "color_jitter", color_jitter, 0.0, 100.0)
        one = OneOf(
            [
                RandomGrayscale(p=1.0),
                RandomSolarize(thresholds=(0.5, 0.5), additions=(0.0, 0.0), p=1.0),  # Pillow's threshold, 128 of 255
                RandomGaussianBlur(13, sigma=(0.1, 2.0), p=1.0),  # 3 standard deviations to each side
            ],
            same_on_batch=same_on_batch,
        )
        jitter = ColorJitter(color_jitter, color_jitter, color_jitter, same_on_batch=same_on_batch)
        super().__init__([one, jitter], p, same_on_batch)
