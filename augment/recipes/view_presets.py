"""Presets that return Views: several augmentations of each sample, for self-supervised and semi-supervised training.

They are in `augment.presets`. All accept images of any size, also mixed in one batch.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import torch

from augment.core.kinds import Warp
from augment.core.layer import Layer
from augment.core.mix import Mix
from augment.core.pipeline import Pipeline
from augment.core.views import Views
from augment.draws.arguments import whole
from augment.layers.filtering.blur import RandomGaussianBlur
from augment.layers.geometric.crop import RandomCrop, RandomResizedCrop
from augment.layers.geometric.flip import RandomHorizontalFlip
from augment.layers.geometric.resize import Resize
from augment.layers.photometric.grayscale import RandomGrayscale
from augment.layers.photometric.holes import CoarseDropout
from augment.layers.photometric.jitter import ColorJitter
from augment.layers.photometric.normalize import Normalize, Statistic
from augment.layers.photometric.tone import RandomSolarize
from augment.layers.policies.randaugment import RandAugment
from augment.recipes.options import IMAGENET_MEAN, IMAGENET_STD

Pixels = int | Sequence[int]


def simclr(
    size: Pixels = 224,
    mean: Statistic = IMAGENET_MEAN,
    std: Statistic = IMAGENET_STD,
    strength: float = 1.0,
    blur: bool = True,
    seed: int = 0,
    dtype: torch.dtype | str | None = None,
    compile: bool | str = "auto",
) -> Views:
    """Two views with strong colour distortion (Chen et al. 2020, "A simple framework", arXiv 2002.05709, appendix A).

        first, second = A.presets.simclr(32, strength=0.5, blur=False)(images, index=index)  # CIFAR-10, appendix B.9

    Args:
        size: (height, width) or one number for both, in pixels.
        mean, std: arguments of Normalize, one number or one per channel.
        strength: of the colour jitter; the paper takes 1 on ImageNet and 0.5 on CIFAR-10.
        blur: False leaves out the blur, as the paper does on CIFAR-10.
        seed: keys the draws, see `Views`.
        dtype, compile: see `Pipeline`.
    """
    jitter = ColorJitter(0.8 * strength, 0.8 * strength, 0.8 * strength, 0.2 * strength, p=0.8)
    layers: list[Layer] = [RandomResizedCrop(size, scale=(0.08, 1.0)), RandomHorizontalFlip(), jitter]
    layers += [RandomGrayscale(p=0.2)]
    if blur:
        layers.append(RandomGaussianBlur(_tenth(size), sigma=(0.1, 2.0), p=0.5))
    view = Pipeline(*layers, Normalize(mean, std), dtype=dtype, compile=compile)
    return Views([view, view], seed=seed)


def byol(
    size: Pixels = 224,
    mean: Statistic = IMAGENET_MEAN,
    std: Statistic = IMAGENET_STD,
    seed: int = 0,
    dtype: torch.dtype | str | None = None,
    compile: bool | str = "auto",
) -> Views:
    """Two views that differ in blur and solarize (Grill et al. 2020, "Bootstrap your own latent", table 6).

        first, second = A.presets.byol(224)(images, index=index)

    Args:
        size, mean, std, seed, dtype, compile: see `simclr`.
    """
    views = [
        Pipeline(
            RandomResizedCrop(size, scale=(0.08, 1.0), resample="bicubic"),
            *_colours(saturation=0.2),
            RandomGaussianBlur(_tenth(size), sigma=(0.1, 2.0), p=blurred),
            RandomSolarize(thresholds=(0.5, 0.5), additions=(0.0, 0.0), p=solarized),
            Normalize(mean, std),
            dtype=dtype,
            compile=compile,
        )
        for blurred, solarized in ((1.0, 0.0), (0.1, 0.2))
    ]
    return Views(views, seed=seed)


def dino(
    size: Pixels = 224,
    mean: Statistic = IMAGENET_MEAN,
    std: Statistic = IMAGENET_STD,
    local_size: Pixels = 96,
    local_views: int = 6,
    seed: int = 0,
    dtype: torch.dtype | str | None = None,
    compile: bool | str = "auto",
) -> Views:
    """Multi-crop: two large views and several small ones (Caron et al. 2021, arXiv 2104.14294, sections 3.1 and 3.2).

    The colours are BYOL's. Areas of the crops and probabilities of the small views are those of the authors' code,
    facebookresearch/dino, main_dino.py, which blurs by a radius of 0.1 to 2.

        large, other, *small = A.presets.dino(224)(images, index=index)

    Args:
        size, mean, std, seed, dtype, compile: see `simclr`.
        local_size: (height, width) of the small views or one number for both, in pixels.
        local_views: number of small views.
    """

    def view(pixels: Pixels, scale: tuple[float, float], blurred: float, solarized: float) -> Pipeline:
        return Pipeline(
            RandomResizedCrop(pixels, scale=scale, resample="bicubic"),
            *_colours(saturation=0.2),
            RandomGaussianBlur(13, sigma=(0.1, 2.0), p=blurred),  # 3 standard deviations to each side
            RandomSolarize(thresholds=(0.5, 0.5), additions=(0.0, 0.0), p=solarized),
            Normalize(mean, std),
            dtype=dtype,
            compile=compile,
        )

    large = [view(size, (0.4, 1.0), 1.0, 0.0), view(size, (0.4, 1.0), 0.1, 0.2)]
    return Views([*large, *[view(local_size, (0.05, 0.4), 0.5, 0.0)] * local_views], seed=seed)


def fixmatch(
    size: Pixels = 32,
    mean: Statistic = IMAGENET_MEAN,
    std: Statistic = IMAGENET_STD,
    flip: bool = True,
    seed: int = 0,
    dtype: torch.dtype | str | None = None,
    compile: bool | str = "auto",
) -> Views:
    """A weak view for the pseudo-label and a strong one to train on (Sohn et al. 2020, arXiv 2001.07685, section 2.3).

    Weak is a flip and a shift by up to an eighth of each side. Strong is the same, then RandAugment with two operators
    of random strength and Cutout with a gray square of up to half of the side (tables 11 and 12).

        weak, strong = A.presets.fixmatch(32)(unlabelled, index=index)

    Args:
        size, mean, std, seed, dtype, compile: see `simclr`.
        flip: False for data that mirror images do not belong to, such as the paper's SVHN.
    """
    height, width = (size, size) if isinstance(size, int) else size
    shift = RandomCrop((height, width), padding=(width // 8, height // 8), padding_mode="reflect")
    weak: list[Layer] = [Resize((height, width)), shift, *([RandomHorizontalFlip()] if flip else [])]
    strong = [
        RandAugment(2, 30, mstd=math.inf, resample="bilinear", fill=0.5),
        CoarseDropout(1, (0.0, 0.5), (0.0, 0.5), fill=0.5, p=1.0),
    ]
    views = [
        Pipeline(*layers, Normalize(mean, std), dtype=dtype, compile=compile) for layers in (weak, [*weak, *strong])
    ]
    return Views(views, seed=seed)


def aug_splits(pipeline: Pipeline, num_splits: int = 3) -> Views:
    """A clean view of each sample, and augmented ones (Hendrycks et al. 2020, "AugMix", arXiv 1912.02781, section 3).

    The crops, resizes and flips that a pipeline begins with run once, so all views show the same part of the image. Of
    the layers after them, the clean view has those that are not random, such as Normalize, and the other views all.
    timm names it --aug-splits with --resplit.

        clean, first, second = A.presets.aug_splits(A.presets.augmix(224))(images, index=index)

    Args:
        pipeline: what augments; its seed, dtype and compile are those of the views.
        num_splits: number of views, from 2 to 16.

    Raises:
        ValueError: a layer after the first crops, resizes and flips changes the size of images, or mixes samples.
    """
    num_splits = whole("aug_splits", "num_splits", num_splits, 2, 16)
    first = sum(1 for _ in itertools.takewhile(_keeps_upright, pipeline.layers))
    framing, rest = pipeline.layers[:first], pipeline.layers[first:]
    for leaf in (leaf for layer in rest for leaf in layer.leaves()):
        name = type(leaf).__name__
        if isinstance(leaf, Mix):
            raise ValueError(f"aug_splits: {name} mixes samples, and views of a sample must show the same ones.")
        if tuple(leaf.out_size(_PROBE)) != _PROBE:
            raise ValueError(f"aug_splits: {name} changes the size of images; put it before the layers that augment.")
    options: dict[str, Any] = {"dtype": pipeline.dtype, "compile": pipeline.compile_mode}
    clean = Pipeline(*(leaf for layer in rest for leaf in layer.fixed_leaves()), **options)
    augmented = Pipeline(*rest, **options)
    shared = Pipeline(*framing, seed=pipeline.seed, compile=pipeline.compile_mode) if framing else None
    return Views([clean, *[augmented] * (num_splits - 1)], shared=shared, seed=pipeline.seed)


_PROBE = (4099, 5003)
"""A size that no layer delivers by accident, and larger than crops."""


def _keeps_upright(layer: Layer) -> bool:
    """Whether a layer only crops, resizes, shifts, flips or turns by right angles."""
    return isinstance(layer, Warp) and (layer.lattice or layer.separable)


def _colours(saturation: float) -> list[Layer]:
    """Flip, colour jitter and grayscale with the probabilities of BYOL, table 6."""
    return [
        RandomHorizontalFlip(),
        ColorJitter(0.4, 0.4, saturation, 0.1, p=0.8),
        RandomGrayscale(p=0.2),
    ]


def _tenth(size: Pixels) -> int:
    """The odd number of taps next to a tenth of the height, as SimCLR's and BYOL's 23 of 224 pixels."""
    height = size if isinstance(size, int) else size[0]
    return max(3, 2 * (height // 20) + 1)
