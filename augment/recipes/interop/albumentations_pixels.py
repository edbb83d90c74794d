"""Converters from albumentations' transforms of colours, filters, noise and types."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import torch

import augment as A  # names are looked up when a converter is called, because augment imports this module
from augment.core.layer import Layer
from augment.recipes.interop.albumentations_arguments import (
    WARP_MODES,
    fill_of,
    holes,
    named,
    only,
    scaled,
    together,
    whole,
)
from augment.recipes.interop.conversion import Conversion, Converted, NoEquivalentError, colour, unit

_LUMA, _MEAN = None, (1 / 3, 1 / 3, 1 / 3)
_GRAYS = {"weighted_average": _LUMA, "average": _MEAN}

_UPSCALE_MODES = {0: "nearest", 1: "bilinear", 5: "bilinear"}
_DOWNSCALE_MODES = {**_UPSCALE_MODES, 3: "area"}
"""OpenCV's interpolations; 5 is INTER_LINEAR_EXACT. INTER_AREA (3) smooths only where the image gets smaller."""


# colour


def _brightness_contrast(t: Any, _: Conversion) -> Converted:
    only(t, "it follows the mean of the image", brightness_by_max=True)
    only(t, "it follows the range of the image", ensure_safe_range=False)
    contrast = A.RandomContrast(scaled(t.contrast_limit, 1, 1), clip_output=False)
    return together([contrast, A.RandomBrightness(scaled(t.brightness_limit, 1, 1))], t.p)


def _hue_saturation_value(t: Any, _: Conversion) -> Converted:
    """OpenCV's hue of bytes has 180 steps to the circle, saturation and value have 255."""
    hue = A.RandomHue(scaled(t.hue_shift_limit, 1 / 180))
    saturation, value = scaled(t.sat_shift_limit, 1 / 255), scaled(t.val_shift_limit, 1 / 255)
    return together([hue, A.RandomHSV(1.0, saturation, value)], t.p)


def _rgb_shift(t: Any, _: Conversion) -> Converted:
    red, green, blue = map(unit_range, (t.r_shift_limit, t.g_shift_limit, t.b_shift_limit))
    return A.RandomRGBShift(red, green, blue, p=t.p)


def unit_range(pair: Sequence[float]) -> tuple[float, float]:
    """Converts signed shifts to floats; beyond 1 they mean 8-bit values."""
    return scaled(pair, 1 / 255 if max(map(abs, pair)) > 1 else 1)


def _gray(t: Any, _: Conversion) -> Converted:
    only(t, "the number of channels cannot change", num_output_channels=3)
    if t.method not in _GRAYS:
        raise NoEquivalentError(f"method={t.method!r}: only {', '.join(_GRAYS)} are weighted sums")
    return A.RandomGrayscale(_GRAYS[t.method], p=t.p)


def _posterize(t: Any, _: Conversion) -> Converted:
    if not isinstance(t.num_bits, tuple):
        raise NoEquivalentError(f"num_bits={t.num_bits}: all channels have the same bits")
    return A.RandomPosterize(whole(t.num_bits), p=t.p)


def _equalize(t: Any, _: Conversion) -> Converted:
    only(t, "each channel is equalized", by_channels=True)
    only(t, "the whole image is equalized", mask=None)
    return A.RandomEqualize(p=t.p)


def _auto_contrast(t: Any, _: Conversion) -> Converted:
    """Its method "cdf" is OpenCV's equalization."""
    only(t, "the whole range is stretched", cutoff=0, ignore=None)
    return A.RandomAutoContrast(p=t.p) if t.method == "pil" else A.RandomEqualize(p=t.p)


def _normalize(t: Any, _: Conversion) -> Converted:
    if t.normalization == "min_max_per_channel":
        layer: Any = A.RandomAutoContrast(clip_output=False)
        layer.deterministic = t.p == 1  # it is not random, so evaluation applies it too
        return together([layer], t.p)
    only(t, "there is no normalisation by the image's own statistics", normalization="standard")
    if t.max_pixel_value not in (1, 255, 65535):
        raise NoEquivalentError(f"max_pixel_value={t.max_pixel_value}: 1 is the largest value here")
    return together([A.Normalize(t.mean, t.std)], t.p)


def _multiplicative_noise(t: Any, _: Conversion) -> Converted:
    return A.MultiplicativeNoise(tuple(t.multiplier), t.per_channel, t.elementwise, p=t.p)


def _shadow(t: Any, _: Conversion) -> Converted:
    number, light = tuple(t.num_shadows_limit), tuple(t.shadow_intensity_range)
    return A.RandomShadow(t.shadow_roi, number, t.shadow_dimension, light, p=t.p)


def _sun_flare(t: Any, _: Conversion) -> Converted:
    only(t, "there is no flare by physics", method="overlay")
    circles = tuple(t.num_flare_circles_range)
    return A.RandomSunFlare(t.flare_roi, t.src_radius, unit(t.src_color), tuple(t.angle_range), circles, p=t.p)


def _to_float(t: Any, conversion: Conversion) -> Converted:
    if t.max_value not in (None, 1, 255, 65535):
        raise NoEquivalentError(f"max_value={t.max_value}: 1 is the largest value here")
    conversion.dtype = torch.float32
    return []


def _from_float(t: Any, conversion: Conversion) -> Converted:
    levels = {"uint8": 255, "uint16": 65535}
    if levels.get(t.dtype) != t.max_value:
        raise NoEquivalentError(f"dtype={t.dtype!r} with max_value={t.max_value}")
    conversion.dtype = getattr(torch, t.dtype)
    return []


# filters and noise


def _one_of_sizes(cls: str) -> Callable[[Any, Conversion], Converted]:
    """Makes one layer for each odd size of the kernel, all equally likely."""

    def convert(t: Any, _: Conversion) -> Converted:
        low, high = (max(3, int(size) | 1) for size in t.blur_limit)
        return _one_of([(getattr(A, cls)(size, p=1.0), 1) for size in range(low, max(low, high) + 1, 2)], t.p)

    return convert


def _one_of(layers: list[tuple[Layer, int]], p: float) -> Converted:
    if len(layers) == 1:
        return together([layers[0][0]], p)
    return A.OneOf([layer for layer, _ in layers], weights=[float(weight) for _, weight in layers], p=p)


def _gaussian_blur(t: Any, _: Conversion) -> Converted:
    """Size 0 follows from sigma; the layer has the size of the largest."""
    low, high = t.blur_limit
    largest = int(t.sigma_limit[1] * 3.5) * 2 + 1
    sizes = Counter(size | 1 if size else largest for size in range(int(low), int(high) + 1))
    sigma = tuple(t.sigma_limit)
    return _one_of([(A.RandomGaussianBlur(size, sigma, p=1.0), count) for size, count in sizes.items()], t.p)


def _gauss_noise(t: Any, _: Conversion) -> Converted:
    only(t, "every channel has its own noise", per_channel=True)
    only(t, "every pixel has its own noise", noise_scale_factor=1)
    noise = A.RandomGaussianNoise(tuple(t.mean_range), tuple(t.std_range), p=1.0)
    return together([noise, A.RandomBrightness((1.0, 1.0))], t.p)  # RandomBrightness only clips to [0, 1]


def _aberration(t: Any, _: Conversion) -> Converted:
    primary, secondary = tuple(t.primary_distortion_limit), tuple(t.secondary_distortion_limit)
    if primary == (0, 0):
        raise NoEquivalentError("primary_distortion_limit=0: the secondary distortion has the sign of the primary")
    mode = named(WARP_MODES, t, "interpolation")
    return A.ChromaticAberration(primary, secondary, t.mode, mode, p=t.p)


def _downscale(t: Any, _: Conversion) -> Converted:
    down, up = (t.interpolation_pair[way] for way in ("downscale", "upscale"))
    if down not in _DOWNSCALE_MODES or up not in _UPSCALE_MODES:
        raise NoEquivalentError(f"interpolation_pair={t.interpolation_pair}: there is no such mode")
    return A.Downscale(tuple(t.scale_range), _DOWNSCALE_MODES[down], _UPSCALE_MODES[up], p=t.p)


def _unsharp_mask(t: Any, _: Conversion) -> Converted:
    """Sigma 0 follows from the size, as OpenCV computes it."""
    low, high = t.sigma_limit
    layers: list[tuple[Layer, int]] = []
    for size in range(t.blur_limit[0], t.blur_limit[1] + 1, 2):
        sigma = (max(low, 1e-3), high) if high else 0.3 * ((size - 1) / 2 - 1) + 0.8
        layers.append((A.UnsharpMask(size, sigma, tuple(t.alpha), t.threshold / 255, p=1.0), 1))
    return _one_of(layers, t.p)


def _compression(t: Any, _: Conversion) -> Converted:
    only(t, "lossy WebP predicts each block from decoded neighbours, one after another", compression_type="jpeg")
    return A.RandomJPEG(whole(t.quality_range), p=t.p)


def _snow(t: Any, _: Conversion) -> Converted:
    """Its threshold of the lightness is snow_point / 2 + 1 / 3."""
    only(t, "there is no texture of snow", method="bleach")
    threshold = scaled(t.snow_point_range, 1 / 2, 1 / 3)
    return A.RandomSnow(threshold, (t.brightness_coeff, t.brightness_coeff), p=t.p)


def _pixel_dropout(t: Any, _: Conversion) -> Converted:
    only(t, "there is no mask to fill in PixelDropout", mask_drop_value=None)
    if t.drop_value is None:
        raise NoEquivalentError("drop_value=None: only numbers are equivalent")
    return A.PixelDropout(t.dropout_prob, t.per_channel, colour(unit(t.drop_value)), p=t.p)


def _xy_masking(t: Any, _: Conversion) -> Converted:
    """Stripes of length 0 are none."""
    only(t, "XYMasking leaves masks alone", fill_mask=None)
    stripes: list[Any] = []
    for number, length in ((t.num_masks_x, t.mask_x_length), (t.num_masks_y, t.mask_y_length)):
        stripes.append((tuple(number), tuple(length)) if length[1] else (0, 1))
    (across, width), (down, height) = stripes
    return A.XYMasking(across, down, width, height, fill_of(t), p=t.p)


def _coarse_dropout(t: Any, _: Conversion) -> Converted:
    height, width = tuple(t.hole_height_range), tuple(t.hole_width_range)
    if height[1] >= 1:  # then all are pixels
        height, width = tuple(map(int, height)), tuple(map(int, width))
    return A.CoarseDropout(tuple(t.num_holes_range), height, width, p=t.p, **holes(t))


def _erasing(t: Any, _: Conversion) -> Converted:
    """Its ratio is width / height."""
    low, high = t.ratio
    filled = holes(t)
    return A.RandomErasing(tuple(t.scale), (1 / high, 1 / low), filled["fill"], fill_mask=filled["fill_mask"], p=t.p)


def _channel_dropout(t: Any, _: Conversion) -> Converted:
    return A.RandomChannelDropout(whole(t.channel_drop_range), unit(t.fill)[0], p=t.p)


PIXELS: dict[str, Callable[[Any, Conversion], Converted]] = {
    # colour
    "AutoContrast": _auto_contrast,
    "ChannelDropout": _channel_dropout,
    "ChannelShuffle": lambda t, _: A.RandomChannelShuffle(t.p),
    "ColorJitter": lambda t, _: A.ColorJitter(t.brightness, t.contrast, t.saturation, t.hue, p=t.p),
    "Equalize": _equalize,
    "HueSaturationValue": _hue_saturation_value,
    "InvertImg": lambda t, _: A.RandomInvert(p=t.p),
    "Normalize": _normalize,
    "Posterize": _posterize,
    "RandomBrightnessContrast": _brightness_contrast,
    "RandomGamma": lambda t, _: A.RandomGamma(scaled(t.gamma_limit, 1 / 100), p=t.p),
    "RGBShift": _rgb_shift,
    "Solarize": lambda t, _: A.RandomSolarize(tuple(t.threshold_range), (0.0, 0.0), p=t.p),
    "ToGray": _gray,
    # filters, noise and holes
    "Blur": _one_of_sizes("RandomBoxBlur"),
    "ChromaticAberration": _aberration,
    "CoarseDropout": _coarse_dropout,
    "Defocus": lambda t, _: A.RandomDefocus(whole(t.radius), tuple(t.alias_blur), p=t.p),
    "Downscale": _downscale,
    "Erasing": _erasing,
    "GaussianBlur": _gaussian_blur,
    "GaussNoise": _gauss_noise,
    "GlassBlur": lambda t, _: A.RandomGlassBlur(t.sigma, t.max_delta, t.iterations, p=t.p),
    "ImageCompression": _compression,
    "MedianBlur": _one_of_sizes("RandomMedianBlur"),
    "MultiplicativeNoise": _multiplicative_noise,
    "PixelDropout": _pixel_dropout,
    "RandomShadow": _shadow,
    "RandomSnow": _snow,
    "RandomSunFlare": _sun_flare,
    "SaltAndPepper": lambda t, _: A.RandomSaltAndPepperNoise(tuple(t.amount), tuple(t.salt_vs_pepper), p=t.p),
    "UnsharpMask": _unsharp_mask,
    "XYMasking": _xy_masking,
    # types
    "FromFloat": _from_float,
    "NoOp": lambda t, _: [],
    "ToFloat": _to_float,
    "ToTensorV2": lambda t, _: [],
}
"""Converters of single transforms; the others are in `albumentations_recipes.REFUSED`."""
