"""Named recipes: functions that return a Pipeline. Copy the body of one to write your own.

All of them take images of any size, also mixed ones, bring them to `size` and normalise them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict, Unpack

import torch

from augment.core.layer import Layer
from augment.core.pipeline import Pipeline
from augment.layers.filtering.blur import RandomGaussianBlur
from augment.layers.geometric.affine import RandomAffine
from augment.layers.geometric.crop import RandomCrop, RandomResizedCrop
from augment.layers.geometric.flip import RandomHorizontalFlip
from augment.layers.geometric.perspective import RandomPerspective
from augment.layers.geometric.resize import Resize
from augment.layers.photometric.erasing import RandomErasing
from augment.layers.photometric.grayscale import RandomGrayscale
from augment.layers.photometric.jitter import ColorJitter
from augment.layers.photometric.noise import RandomGaussianNoise
from augment.layers.photometric.normalize import Normalize, Statistic
from augment.layers.photometric.tone import RandomInvert
from augment.layers.policies.augmix import AugMix
from augment.layers.policies.autoaugment import AutoAugment
from augment.layers.policies.randaugment import RandAugment, TrivialAugmentWide
from augment.layers.policies.three_augment import ThreeAugment

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Channel statistics of ImageNet in [0, 1], the values that published weights expect."""

FRAMINGS = ("crop", "shift", "whole")
"""How a policy's images are brought to their size, see `framed`."""


class Options(TypedDict, total=False):
    """Further arguments of every recipe, those of `Pipeline`."""

    seed: int
    dtype: torch.dtype | str | None
    compile: bool | str


def framed(size: int | Sequence[int], framing: str) -> list[Layer]:
    """The layers that bring images of any size to one.

    Args:
        size: (height, width) or one number for both, in pixels.
        framing: "crop" for photographs: a part of 8 to 100 % of the area and a mirror image (Szegedy et al. 2015,
            "Going deeper with convolutions", section 6); "shift" for small images that fill their frame: up to four
            pixels and a mirror image (He et al. 2015, "Deep residual learning", section 4.2); "whole" for what must
            neither be cut nor mirrored, such as digits: resized, aspect not kept.
    """
    pair = tuple(size) if isinstance(size, Sequence) else (size, size)
    if framing == "crop":
        return [RandomResizedCrop(pair, scale=(0.08, 1.0)), RandomHorizontalFlip()]
    if framing == "shift":
        return [Resize(pair), RandomCrop(pair, padding=4), RandomHorizontalFlip()]
    if framing == "whole":
        return [Resize(pair)]
    raise ValueError(f"framed: framing={framing!r} must be one of {', '.join(FRAMINGS)}.")


def imagenet(
    size: int | Sequence[int] = 224,
    mean: Statistic = IMAGENET_MEAN,
    std: Statistic = IMAGENET_STD,
    **options: Unpack[Options],
) -> Pipeline:
    """For photographs of 128 pixels and more.

    Crop and mirror image of Szegedy et al. 2015 (section 6), the colour jitter of SimCLR (Chen et al. 2020, appendix
    A) at half its strength, as in many supervised recipes, random erasing (Zhong et al. 2017) at timm's rate.

    Args:
        size: (height, width) or one number for both, in pixels.
        mean, std: for Normalize, one number or one a channel.
        options: seed, dtype and compile of `Pipeline`.
    """
    return Pipeline(
        *framed(size, "crop"),
        ColorJitter(0.4, 0.4, 0.4, 0.1, p=0.8),
        Normalize(mean, std),
        RandomErasing(p=0.25),  # after Normalize: 0 is the mean colour
        **options,
    )


def cifar(
    size: int | Sequence[int] = 32,
    mean: Statistic = IMAGENET_MEAN,
    std: Statistic = IMAGENET_STD,
    **options: Unpack[Options],
) -> Pipeline:
    """For small images that fill their frame: four pixels of shift and a mirror image.

    He et al. 2015, "Deep residual learning", section 4.2.

    Args:
        size: (height, width) or one number for both, in pixels; images of another size are resized first.
        mean, std: for Normalize, one number or one a channel.
        options: seed, dtype and compile of `Pipeline`.
    """
    return Pipeline(*framed(size, "shift"), Normalize(mean, std), **options)


def randaugment(
    size: int | Sequence[int] = 224,
    mean: Statistic = IMAGENET_MEAN,
    std: Statistic = IMAGENET_STD,
    framing: str = "crop",
    n: int = 2,
    m: float = 9,
    same_on_batch: bool = False,
    **options: Unpack[Options],
) -> Pipeline:
    """Two operators of 14 for every image, at one strength.

    Cubuk et al. 2020: n = 2 and m = 9 are those of ResNet-50 on ImageNet and torchvision's default;
    larger networks and longer training bear more (m up to 28 for EfficientNet-B7).

    Args:
        size: (height, width) or one number for both, in pixels.
        mean, std: for Normalize, one number or one a channel.
        framing: what comes before: "crop", "shift" or "whole", see `framed`.
        n: how many operators an image gets.
        m: strength, from 0 to 30.
        same_on_batch: one policy for all images of a batch, as other batched implementations do; to compare.
        options: seed, dtype and compile of `Pipeline`.
    """
    policy = RandAugment(n, m, resample="bilinear", same_on_batch=same_on_batch)
    return Pipeline(*framed(size, framing), policy, Normalize(mean, std), **options)


def trivialaugment(
    size: int | Sequence[int] = 224,
    mean: Statistic = IMAGENET_MEAN,
    std: Statistic = IMAGENET_STD,
    framing: str = "crop",
    **options: Unpack[Options],
) -> Pipeline:
    """One operator of 14 for every image, at a random strength of 31: nothing to tune.

    Müller and Hutter 2021, the "wide" space of table 1.

    Args:
        size: (height, width) or one number for both, in pixels.
        mean, std: for Normalize, one number or one a channel.
        framing: what comes before: "crop", "shift" or "whole", see `framed`.
        options: seed, dtype and compile of `Pipeline`.
    """
    return Pipeline(*framed(size, framing), TrivialAugmentWide(resample="bilinear"), Normalize(mean, std), **options)


def autoaugment(
    size: int | Sequence[int] = 224,
    mean: Statistic = IMAGENET_MEAN,
    std: Statistic = IMAGENET_STD,
    framing: str = "crop",
    policy: str = "imagenet",
    **options: Unpack[Options],
) -> Pipeline:
    """One of 25 pairs of operators, found by a search on a data set.

    Cubuk et al. 2019, the policies of its appendix.

    Args:
        size: (height, width) or one number for both, in pixels.
        mean, std: for Normalize, one number or one a channel.
        framing: what comes before: "crop", "shift" or "whole", see `framed`.
        policy: "imagenet", "cifar10" or "svhn", the data that it was searched on.
        options: seed, dtype and compile of `Pipeline`.
    """
    return Pipeline(*framed(size, framing), AutoAugment(policy, resample="bilinear"), Normalize(mean, std), **options)


def augmix(
    size: int | Sequence[int] = 224,
    mean: Statistic = IMAGENET_MEAN,
    std: Statistic = IMAGENET_STD,
    framing: str = "crop",
    severity: int = 3,
    **options: Unpack[Options],
) -> Pipeline:
    """Three short chains of mild operators, averaged with the image: for robustness against corruptions.

    Hendrycks et al. 2020, algorithm 1 and its defaults: severity 3, three chains of one to three operators, alpha 1.
    The consistency loss of the paper is not part of it.

    Args:
        size: (height, width) or one number for both, in pixels.
        mean, std: for Normalize, one number or one a channel.
        framing: what comes before: "crop", "shift" or "whole", see `framed`.
        severity: the strongest magnitude that is drawn, from 1 to 10.
        options: seed, dtype and compile of `Pipeline`.
    """
    return Pipeline(*framed(size, framing), AugMix(severity), Normalize(mean, std), **options)


def three_augment(
    size: int | Sequence[int] = 224,
    mean: Statistic = IMAGENET_MEAN,
    std: Statistic = IMAGENET_STD,
    framing: str = "crop",
    **options: Unpack[Options],
) -> Pipeline:
    """Gray, solarized or blurred, then colour jitter of 0.3: for vision transformers.

    Touvron et al. 2022, "DeiT III", section 3.2.

    Args:
        size: (height, width) or one number for both, in pixels.
        mean, std: for Normalize, one number or one a channel.
        framing: what comes before: "crop", "shift" or "whole", see `framed`.
        options: seed, dtype and compile of `Pipeline`.
    """
    return Pipeline(*framed(size, framing), ThreeAugment(), Normalize(mean, std), **options)


def light(
    size: int | Sequence[int] = 224,
    mean: Statistic = IMAGENET_MEAN,
    std: Statistic = IMAGENET_STD,
    **options: Unpack[Options],
) -> Pipeline:
    """For scarce or delicate data: small moves, no mirror image, colours untouched.

    Rotation within 15 degrees as in Ciresan et al. 2010, "Deep, big, simple neural nets for handwritten digit
    recognition" (section 2), scale within 10 % where they took 15 to 20 %, and a shift within 8 % of the side.

    Args:
        size: (height, width) or one number for both, in pixels.
        mean, std: for Normalize, one number or one a channel.
        options: seed, dtype and compile of `Pipeline`.
    """
    move = RandomAffine(15.0, translate=(0.08, 0.08), scale=(0.9, 1.1), p=1.0)
    return Pipeline(*framed(size, "whole"), move, Normalize(mean, std), **options)


def ocr(
    size: int | Sequence[int] = 32,
    mean: Statistic = IMAGENET_MEAN,
    std: Statistic = IMAGENET_STD,
    **options: Unpack[Options],
) -> Pipeline:
    """For characters, words and documents: what cameras and scanners do to them, and never a mirror image or a turn.

    Operators, ranges and probabilities of docTR's training of text recognition (references/recognition), without its
    shadows. Outside of the page its border is continued.

    Args:
        size: (height, width) or one number for both, in pixels; words want a wide one, such as (32, 128).
        mean, std: for Normalize, one number or one a channel.
        options: seed, dtype and compile of `Pipeline`.
    """
    return Pipeline(
        *framed(size, "whole"),
        RandomPerspective(0.2, padding_mode="border", p=0.3),
        RandomInvert(p=0.1),
        RandomGrayscale(p=0.1),
        ColorJitter((0.875, 1.125), (0.5, 1.5), (0.5, 1.5), 0.05, p=0.1),
        RandomGaussianNoise(std=0.1, p=0.1),
        RandomGaussianBlur(9, sigma=(0.5, 1.5), p=0.3),  # 3 standard deviations to each side
        Normalize(mean, std),
        **options,
    )


def medical(
    size: int | Sequence[int] = 224,
    mean: Statistic = IMAGENET_MEAN,
    std: Statistic = IMAGENET_STD,
    **options: Unpack[Options],
) -> Pipeline:
    """For scans and stained tissue: shapes stay rigid, colours keep their hue, left stays left.

    Ranges and probabilities of nnU-Net (Isensee et al. 2021, supplement; version 2 of its code): rotation within 30
    degrees and scale from 0.7 to 1.4 in every fifth image, noise of a variance up to 0.1 of the image's, blur,
    brightness and contrast; it deforms nothing elastically either. Its mirror images exchange left and right and its
    gamma turns hues: both are left out. Add RandomHorizontalFlip where sides mean nothing.

    Args:
        size: (height, width) or one number for both, in pixels.
        mean, std: for Normalize, one number or one a channel; noise is relative to std.
        options: seed, dtype and compile of `Pipeline`.
    """
    return Pipeline(
        *framed(size, "whole"),
        RandomAffine(30.0, p=0.2),
        RandomAffine(0.0, scale=(0.7, 1.4), p=0.2),
        RandomGaussianBlur(7, sigma=(0.5, 1.0), p=0.2),  # 3 standard deviations to each side
        ColorJitter(brightness=0.25, p=0.15),
        ColorJitter(contrast=0.25, p=0.15),
        Normalize(mean, std),
        RandomGaussianNoise(std=(0.0, 0.1**0.5), p=0.1),  # after Normalize: in standard deviations of the images
        **options,
    )


def none(
    size: int | Sequence[int] = 224,
    mean: Statistic = IMAGENET_MEAN,
    std: Statistic = IMAGENET_STD,
    **options: Unpack[Options],
) -> Pipeline:
    """For comparison: resized and normalised as in evaluation, without its crop.

    Args:
        size: (height, width) or one number for both, in pixels.
        mean, std: for Normalize, one number or one a channel.
        options: seed, dtype and compile of `Pipeline`.
    """
    return Pipeline(*framed(size, "whole"), Normalize(mean, std), **options)
