"""The corruptions of ImageNet-C and CIFAR-10-C at five severities, as pipelines of layers.

Hendrycks and Dietterich 2019, "Benchmarking neural network robustness to common corruptions and perturbations", arXiv
1903.12261. docs/corruptions.md says what differs, and compares the results with a published implementation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from augment.core.layer import Layer
from augment.core.pipeline import Pipeline
from augment.draws.arguments import whole
from augment.draws.distributions import Constant
from augment.layers.filtering.blur import RandomGaussianBlur
from augment.layers.filtering.defocus import RandomDefocus
from augment.layers.filtering.glass import RandomGlassBlur
from augment.layers.filtering.jpeg import RandomJPEG
from augment.layers.filtering.motion import RandomMotionBlur
from augment.layers.filtering.pixelate import RandomPixelate
from augment.layers.filtering.snowfall import RandomSnowfall
from augment.layers.filtering.spatter import Spatter
from augment.layers.filtering.zoom import RandomZoomBlur
from augment.layers.geometric.dense import RandomElasticTransform
from augment.layers.photometric.adjust import RandomHSV
from augment.layers.photometric.fog import RandomFog
from augment.layers.photometric.jitter import ColorJitter
from augment.layers.photometric.noise import (
    RandomGaussianNoise,
    RandomSaltAndPepperNoise,
    RandomShotNoise,
    RandomSpeckleNoise,
)

SEVERITIES = (1, 2, 3, 4, 5)

Rows = tuple[tuple[Any, ...], ...]
"""Arguments at severities 1 to 5."""


def _spatter(mean: float, std: float, sigma: float, threshold: float, mode: str, last: float) -> Spatter:
    """Build the layer from a published row, whose last number is the weight of water or the smoothing of mud."""
    if mode == "rain":
        return Spatter(mean, std, sigma, threshold, intensity=last, p=1.0)
    return Spatter(mean, std, sigma, threshold, intensity=1.0, mode=mode, mud_sigma=last, p=1.0)


_LAYERS: dict[str, Callable[..., Layer]] = {
    "gaussian_noise": lambda std: RandomGaussianNoise(std=std, p=1.0),
    "shot_noise": lambda photons: RandomShotNoise(photons, p=1.0),
    "impulse_noise": lambda amount: RandomSaltAndPepperNoise(amount, 0.5, p=1.0, per_channel=True),
    "defocus_blur": lambda radius, smoothing: RandomDefocus(radius, smoothing, p=1.0),
    "glass_blur": lambda sigma, max_delta, iterations: RandomGlassBlur(sigma, max_delta, iterations, p=1.0),
    "motion_blur": lambda length: RandomMotionBlur(Constant(length), 45.0, (1.0, 1.0), "replicate", "bilinear", p=1.0),
    "zoom_blur": lambda factor, steps: RandomZoomBlur(factor, steps, p=1.0),
    "snow": lambda density, spread, threshold, size, length, white: RandomSnowfall(
        density, spread, threshold, size, length, whitening=white, p=1.0
    ),
    "fog": lambda intensity, roughness: RandomFog(intensity, roughness, p=1.0),
    "brightness": lambda lift: RandomHSV(value_shift=lift),
    "contrast": lambda factor: ColorJitter(contrast=(factor, factor)),
    "elastic_transform": lambda alpha: RandomElasticTransform(
        15, (2.24, 2.24), (alpha, alpha), padding_mode="reflection", p=1.0
    ),
    "pixelate": lambda scale: RandomPixelate(scale, p=1.0),
    "jpeg_compression": lambda quality: RandomJPEG((quality, quality)),
    "speckle_noise": lambda std: RandomSpeckleNoise(std, p=1.0),
    "gaussian_blur": lambda sigma: RandomGaussianBlur(2 * round(4 * sigma) + 1, (sigma, sigma), "replicate", p=1.0),
    "spatter": _spatter,
    "saturate": lambda factor, shift: RandomHSV(factor, shift),
}
"""For each corruption a function that builds its layer.

Published code blurs motion with half of a Gaussian; our lines fall linearly, over a length with the same variance. The
detail of its fog falls by a factor of wibbledecay ** 2 per level, which is 1 / roughness.
"""

_IMAGENET_C: dict[str, Rows] = {
    "gaussian_noise": ((0.08,), (0.12,), (0.18,), (0.26,), (0.38,)),
    "shot_noise": ((60.0,), (25.0,), (12.0,), (5.0,), (3.0,)),
    "impulse_noise": ((0.03,), (0.06,), (0.09,), (0.17,), (0.27,)),
    "defocus_blur": ((3.0, 0.1), (4.0, 0.5), (6.0, 0.5), (8.0, 0.5), (10.0, 0.5)),
    "glass_blur": ((0.7, 1, 2), (0.9, 2, 1), (1.0, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
    "motion_blur": ((9.0,), (14.1,), (21.8,), (30.1,), (38.0,)),
    "zoom_blur": ((1.1, 11), (1.15, 16), (1.2, 11), (1.24, 13), (1.3, 11)),
    "snow": (
        (0.1, 0.3, 0.5, 3.0, 11.6, 0.2),
        (0.2, 0.3, 0.5, 2.0, 11.6, 0.3),
        (0.55, 0.3, 0.9, 4.0, 21.4, 0.3),
        (0.55, 0.3, 0.85, 4.5, 21.4, 0.35),
        (0.55, 0.3, 0.85, 2.5, 27.3, 0.45),
    ),
    "fog": ((1.5, 0.25), (2.0, 0.25), (2.5, 0.35), (2.5, 0.44), (3.0, 0.51)),
    "brightness": ((0.1,), (0.2,), (0.3,), (0.4,), (0.5,)),
    "contrast": ((0.4,), (0.3,), (0.2,), (0.1,), (0.05,)),
    "elastic_transform": ((0.125,), (0.1625,), (0.2125,), (0.25,), (0.3,)),
    "pixelate": ((0.6,), (0.5,), (0.4,), (0.3,), (0.25,)),
    "jpeg_compression": ((25.0,), (18.0,), (15.0,), (10.0,), (7.0,)),
    "speckle_noise": ((0.15,), (0.2,), (0.35,), (0.45,), (0.6,)),
    "gaussian_blur": ((1.0,), (2.0,), (3.0,), (4.0,), (6.0,)),
    "spatter": (
        (0.65, 0.3, 4.0, 0.69, "rain", 0.6),
        (0.65, 0.3, 3.0, 0.68, "rain", 0.6),
        (0.65, 0.3, 2.0, 0.68, "rain", 0.5),
        (0.65, 0.3, 1.0, 0.65, "mud", 1.5),
        (0.67, 0.4, 1.0, 0.65, "mud", 1.5),
    ),
    "saturate": ((0.3, 0.0), (0.1, 0.0), (2.0, 0.0), (5.0, 0.1), (20.0, 0.2)),
}

_CIFAR_C: dict[str, Rows] = {
    "gaussian_noise": ((0.04,), (0.06,), (0.08,), (0.09,), (0.1,)),
    "shot_noise": ((500.0,), (250.0,), (100.0,), (75.0,), (50.0,)),
    "impulse_noise": ((0.01,), (0.02,), (0.03,), (0.05,), (0.07,)),
    "defocus_blur": ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1)),
    "glass_blur": ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
    "motion_blur": ((3.5,), (4.7,), (6.0,), (6.0,), (7.4,)),
    "zoom_blur": ((1.05, 6), (1.1, 11), (1.15, 16), (1.2, 21), (1.25, 26)),
    "snow": (
        (0.1, 0.2, 0.6, 1.0, 8.6, 0.05),
        (0.1, 0.2, 0.5, 1.0, 11.2, 0.1),
        (0.15, 0.3, 0.55, 1.75, 11.2, 0.1),
        (0.25, 0.3, 0.6, 2.25, 16.3, 0.15),
        (0.3, 0.3, 0.65, 1.25, 28.9, 0.2),
    ),
    "fog": ((0.2, 0.11), (0.5, 0.11), (0.75, 0.16), (1.0, 0.25), (1.5, 0.33)),
    "brightness": ((0.05,), (0.1,), (0.15,), (0.2,), (0.3,)),
    "contrast": ((0.75,), (0.5,), (0.4,), (0.3,), (0.15,)),
    "pixelate": ((0.95,), (0.9,), (0.85,), (0.75,), (0.65,)),
    "jpeg_compression": ((80.0,), (65.0,), (58.0,), (50.0,), (40.0,)),
    "speckle_noise": ((0.06,), (0.1,), (0.12,), (0.16,), (0.2,)),
    "gaussian_blur": ((0.4,), (0.6,), (0.7,), (0.8,), (1.0,)),
    "spatter": (
        (0.62, 0.1, 0.7, 0.7, "rain", 0.5),
        (0.65, 0.1, 0.8, 0.7, "rain", 0.5),
        (0.65, 0.3, 1.0, 0.69, "rain", 0.5),
        (0.65, 0.1, 0.7, 0.69, "mud", 0.6),
        (0.65, 0.1, 0.5, 0.68, "mud", 0.6),
    ),
    "saturate": ((0.3, 0.0), (0.1, 0.0), (1.5, 0.0), (2.0, 0.1), (2.5, 0.2)),
}

IMAGENET_C_EXTRA = ("speckle_noise", "gaussian_blur", "spatter", "saturate")
"""The 4 additional corruptions, which do not count in the mean of either data set."""

IMAGENET_C = tuple(name for name in _IMAGENET_C if name not in IMAGENET_C_EXTRA)
"""14 of the 15 corruptions of ImageNet-C. Frost is missing, because photographs of frost define it."""

CIFAR_C = tuple(name for name in _CIFAR_C if name not in IMAGENET_C_EXTRA)
"""13 of the 15 corruptions of CIFAR-10-C, without frost and without its elastic transform, which is also affine."""


def imagenet_c(name: str, severity: int, seed: int = 0, compile: bool | str = "auto") -> Pipeline:
    """A corruption of ImageNet-C: uint8 images in, uint8 images out, keyed by sample as every pipeline.

    The strengths are those for photographs of 224 pixels, after resizing and cropping.

    Args:
        name: one of `IMAGENET_C` or `IMAGENET_C_EXTRA`.
        severity: from 1 to 5.
        seed, compile: of `Pipeline`.

    Example:
        >>> A.presets.imagenet_c("fog", severity=3)(torch.zeros(2, 3, 64, 64, dtype=torch.uint8)).dtype
        torch.uint8
    """
    return _corruption("imagenet_c", _IMAGENET_C, name, severity, seed, compile)


def cifar_c(name: str, severity: int, seed: int = 0, compile: bool | str = "auto") -> Pipeline:
    """A corruption of CIFAR-10-C, whose strengths are those for images of 32 pixels; otherwise like `imagenet_c`.

    Args:
        name: one of `CIFAR_C` or `IMAGENET_C_EXTRA`.
        severity, seed, compile: see `imagenet_c`.

    Example:
        >>> A.presets.cifar_c("fog", severity=3)(torch.zeros(2, 3, 32, 32, dtype=torch.uint8)).dtype
        torch.uint8
    """
    return _corruption("cifar_c", _CIFAR_C, name, severity, seed, compile)


def _corruption(
    owner: str, table: dict[str, Rows], name: str, severity: int, seed: int, compile: bool | str
) -> Pipeline:
    if name not in table:
        raise ValueError(f"{owner}: name={name!r} must be one of {', '.join(table)}.")
    row = table[name][whole(owner, "severity", severity, SEVERITIES[0], SEVERITIES[-1]) - 1]
    return Pipeline(_LAYERS[name](*row), seed=seed, dtype="uint8", compile=compile)
