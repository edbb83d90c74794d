"""Presets: functions that return a Pipeline, or Views (view_presets.py). Copy the body of one to write your own.

All presets accept images of any size, also mixed in one batch, bring them to `size` and normalise them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

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
from augment.recipes.corruptions import CIFAR_C, IMAGENET_C, IMAGENET_C_EXTRA, cifar_c, imagenet_c  # noqa: F401
from augment.recipes.interop.timm_recipes import from_timm as from_timm
from augment.recipes.options import IMAGENET_MEAN, IMAGENET_STD, Options
from augment.recipes.view_presets import aug_splits as aug_splits
from augment.recipes.view_presets import byol as byol
from augment.recipes.view_presets import dino as dino
from augment.recipes.view_presets import fixmatch as fixmatch
from augment.recipes.view_presets import simclr as simclr

FRAMINGS = ("crop", "shift", "whole")
"""Ways to bring images to one size, see `framed`."""


def framed(size: int | Sequence[int], framing: str) -> list[Layer]:
    """Returns layers that bring images of any size to one size.

    Args:
        size: (height, width) or one number for both, in pixels.
        framing: "crop" for photographs: a random crop of 8 to 100 % of the area and a horizontal flip (Szegedy et al.
            2015, "Going deeper with convolutions", section 6); "shift" for small images that fill their frame: a shift
            of up to four pixels and a horizontal flip (He et al. 2015, "Deep residual learning", section 4.2); "whole"
            for images that must not be cropped or flipped, such as digits: a resize that ignores the aspect ratio.
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
    """For photographs of at least 128 pixels.

    Crop and horizontal flip of Szegedy et al. 2015 (section 6), the colour jitter of SimCLR (Chen et al. 2020, appendix
    A) at half its strength, as in many supervised recipes, and random erasing (Zhong et al. 2017) at timm's rate.

    Args:
        size: (height, width) or one number for both, in pixels.
        mean, std: arguments of Normalize, one number or one per channel.
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
    """For small images that fill their frame: a shift of up to four pixels and a horizontal flip.

    He et al. 2015, "Deep residual learning", section 4.2. Images of another size are resized first.

    Args:
        size, mean, std, options: see `imagenet`.
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
    """Two of 14 operators per image at one strength.

    Cubuk et al. 2020. n = 2 and m = 9 are the values for ResNet-50 on ImageNet and the defaults of torchvision. Larger
    networks and longer training tolerate more (m up to 28 for EfficientNet-B7).

    Args:
        size, mean, std, options: see `imagenet`.
        framing: "crop", "shift" or "whole", see `framed`.
        n: number of operators per image.
        m: strength, from 0 to 30.
        same_on_batch: use one draw for all samples of a batch, as other batched implementations do; for comparison.
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
    """One of 14 operators per image at one of 31 random strengths, without tuning.

    Müller and Hutter 2021, "wide" space of table 1.

    Args:
        size, mean, std, options: see `imagenet`.
        framing: "crop", "shift" or "whole", see `framed`.
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
    """One of 25 pairs of operators per image, found by a search on a data set.

    Cubuk et al. 2019, policies of the appendix.

    Args:
        size, mean, std, options: see `imagenet`.
        framing: "crop", "shift" or "whole", see `framed`.
        policy: "imagenet", "cifar10" or "svhn", the data set of the search.
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
    """For robustness against corruptions: three short chains of mild operators, averaged with the image.

    Hendrycks et al. 2020, algorithm 1 with its defaults: severity 3, three chains of one to three operators, alpha 1.
    The consistency loss of the paper is not included.

    Args:
        size, mean, std, options: see `imagenet`.
        framing: "crop", "shift" or "whole", see `framed`.
        severity: largest magnitude, from 1 to 10.
    """
    return Pipeline(*framed(size, framing), AugMix(severity), Normalize(mean, std), **options)


def three_augment(
    size: int | Sequence[int] = 224,
    mean: Statistic = IMAGENET_MEAN,
    std: Statistic = IMAGENET_STD,
    framing: str = "crop",
    **options: Unpack[Options],
) -> Pipeline:
    """For vision transformers: grayscale, solarize or blur, then colour jitter of 0.3.

    Touvron et al. 2022, "DeiT III", section 3.2.

    Args:
        size, mean, std, options: see `imagenet`.
        framing: "crop", "shift" or "whole", see `framed`.
    """
    return Pipeline(*framed(size, framing), ThreeAugment(), Normalize(mean, std), **options)


def light(
    size: int | Sequence[int] = 224,
    mean: Statistic = IMAGENET_MEAN,
    std: Statistic = IMAGENET_STD,
    **options: Unpack[Options],
) -> Pipeline:
    """For scarce or delicate data: small affine transforms, without flips or colour changes.

    Rotation within 15 degrees as in Ciresan et al. 2010, "Deep, big, simple neural nets for handwritten digit
    recognition" (section 2), scale within 10 %, where they use 15 to 20 %, and translation within 8 % of the side.

    Args:
        size, mean, std, options: see `imagenet`.
    """
    move = RandomAffine(15.0, translate=(0.08, 0.08), scale=(0.9, 1.1), p=1.0)
    return Pipeline(*framed(size, "whole"), move, Normalize(mean, std), **options)


def ocr(
    size: int | Sequence[int] = 32,
    mean: Statistic = IMAGENET_MEAN,
    std: Statistic = IMAGENET_STD,
    **options: Unpack[Options],
) -> Pipeline:
    """For characters, words and documents: distortions by cameras and scanners, without flips or rotations.

    Operators, ranges and probabilities of docTR's training for text recognition (references/recognition), without its
    shadows. Pixels outside the page repeat its border. Words need a wide size, such as (32, 128).

    Args:
        size, mean, std, options: see `imagenet`.
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
    """For scans and stained tissue: no elastic deformation, no change of hue, no flip.

    Ranges and probabilities of nnU-Net (Isensee et al. 2021, supplement; version 2 of its code): rotation within 30
    degrees and scale from 0.7 to 1.4, each in every fifth image, noise with a variance of up to 0.1 of the image's,
    blur, brightness and contrast. nnU-Net does not deform elastically either. Its flips, which exchange left and
    right, and its gamma, which shifts hues, are left out. Add RandomHorizontalFlip if sides have no meaning. Noise is
    relative to `std`.

    Args:
        size, mean, std, options: see `imagenet`.
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
    """For comparison: resizes and normalises as in evaluation, without the crop.

    Args:
        size, mean, std, options: see `imagenet`.
    """
    return Pipeline(*framed(size, "whole"), Normalize(mean, std), **options)
