"""Pipelines for training from the arguments of timm's `create_transform` (timm 1.0.31)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from augment.core import checks
from augment.core.layer import Layer
from augment.core.pipeline import Pipeline
from augment.draws.arguments import shown, whole
from augment.draws.shorthand import Quantity
from augment.layers.filtering.blur import RandomGaussianBlur
from augment.layers.geometric.crop import CenterCrop, RandomResizedCrop
from augment.layers.geometric.flip import RandomHorizontalFlip, RandomVerticalFlip
from augment.layers.geometric.keep_ratio import RandomKeepRatioCrop
from augment.layers.geometric.resize import Resize
from augment.layers.photometric.erasing import RandomErasing
from augment.layers.photometric.grayscale import RandomGrayscale
from augment.layers.photometric.jitter import ColorJitter
from augment.layers.photometric.normalize import Normalize
from augment.layers.photometric.tone import RandomSolarize
from augment.layers.policies.augmix import AugMix
from augment.layers.policies.autoaugment import AutoAugment
from augment.layers.policies.containers import OneOf
from augment.layers.policies.randaugment import RandAugment

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""timm's defaults, the statistics of ImageNet."""

_ERASED_AREA, _ERASED_RATIO = (0.02, 1 / 3), (0.3, 1 / 0.3)
_BLUR_SIGMA = (0.1, 2.0)  # torchvision's default, which timm uses

_EVALUATION = ("crop_pct", "crop_mode", "crop_border_pixels", "use_prefetcher", "is_training")
"""Arguments that change nothing in timm's transform for training on images."""


def from_timm(config: nn.Module | Mapping[str, Any] | None = None, /, **arguments: Any) -> Pipeline:
    """For training as with timm's `create_transform(..., is_training=True)`, per sample.

    Args:
        config: a timm model, or its data configuration as a dict: input size, interpolation, mean and std. timm is
            imported if it is a model.
        arguments: arguments of `create_transform`, which override the configuration; and seed, dtype and compile of
            `Pipeline`. docs/interop.md lists the differences.

    Raises:
        ValueError: an argument is unknown, or has no equivalent.

    Example:
        >>> recipe = A.presets.from_timm(auto_augment="rand-m9-mstd0.5-inc1", re_prob=0.25, re_mode="pixel")
        >>> [type(layer).__name__ for layer in recipe.layers]
        ['RandomResizedCrop', 'RandomHorizontalFlip', 'RandAugment', 'Normalize', 'RandomErasing']
    """
    options = {name: arguments.pop(name) for name in ("seed", "dtype", "compile") if name in arguments}
    given = _configured(config) | arguments
    if given.get("is_training", True) is not True:
        raise ValueError("from_timm: is_training=False must be True; A.Preprocess.from_timm(model) is for evaluation.")
    return Pipeline(*_layers(**{name: value for name, value in given.items() if name not in _EVALUATION}), **options)


def _configured(config: nn.Module | Mapping[str, Any] | None) -> dict[str, Any]:
    if config is None:
        return {}
    if isinstance(config, Mapping):
        return {name: config[name] for name in ("input_size", "interpolation", "mean", "std") if name in config}
    from timm.data import resolve_data_config

    return _configured(resolve_data_config({}, model=config))


def _layers(
    input_size: int | Sequence[int] = 224,
    no_aug: bool = False,
    train_crop_mode: str | None = None,
    scale: Sequence[float] | None = None,
    ratio: Sequence[float] | None = None,
    hflip: float = 0.5,
    vflip: float = 0.0,
    color_jitter: float | Sequence[float] | None = 0.4,
    color_jitter_prob: float | None = None,
    force_color_jitter: bool = False,
    grayscale_prob: float = 0.0,
    gaussian_blur_prob: float = 0.0,
    auto_augment: str | None = None,
    interpolation: str = "bilinear",
    mean: Sequence[float] = _MEAN,
    std: Sequence[float] = _STD,
    re_prob: float = 0.0,
    re_mode: str = "const",
    re_count: int = 1,
    re_num_splits: int = 0,
    normalize: bool = True,
    **others: Any,
) -> list[Layer]:
    """Returns the layers, in timm's order."""
    if others:
        raise ValueError(f"from_timm: {', '.join(sorted(others))} has no equivalent, see docs/interop.md.")
    name = "from_timm"
    size = checks.image_size(name, tuple(input_size)[-2:] if isinstance(input_size, Sequence) else input_size)
    resample = checks.one_of(name, "interpolation", interpolation, ("nearest", "bilinear", "bicubic", "random"))
    resized = "bilinear" if resample == "random" else resample
    normalized: list[Layer] = [Normalize(mean, std)] if normalize else []
    if no_aug:
        return [Resize(size[0] if size[0] == size[1] else size, resample=resized), CenterCrop(size), *normalized]
    mode = checks.one_of(name, "train_crop_mode", train_crop_mode or "rrc", ("rrc", "rkrc", "rkrr"))
    if mode == "rrc":
        area, aspect = _pair(scale or (0.08, 1.0)), _pair(ratio or (3 / 4, 4 / 3))
        layers: list[Layer] = [RandomResizedCrop(size, area, aspect, resized)]
    else:
        area, aspect = _pair(scale or (0.8, 1.0)), _pair(ratio or (0.9, 1 / 0.9))
        layers = [RandomKeepRatioCrop(size, area, aspect, centred=mode == "rkrc", resample=resized)]
    layers += [RandomHorizontalFlip(p=hflip)] if hflip else []
    layers += [RandomVerticalFlip(p=vflip)] if vflip else []
    if auto_augment:
        layers.append(_policy(auto_augment, resample, tuple(min(255, round(255 * value)) / 255 for value in mean)))
    if color_jitter is not None and (not auto_augment or force_color_jitter or "3a" in auto_augment):
        layers.append(_jitter(color_jitter, 1.0 if color_jitter_prob is None else color_jitter_prob))
    layers += [RandomGrayscale(p=grayscale_prob)] if grayscale_prob else []
    layers += [RandomGaussianBlur(23, _BLUR_SIGMA, p=gaussian_blur_prob)] if gaussian_blur_prob else []
    layers += normalized
    if re_prob and normalize:
        count = whole(name, "re_count", re_count, 1, 100)
        counts = (1, count)
        layers.append(
            RandomErasing(_ERASED_AREA, _ERASED_RATIO, value=re_mode, p=re_prob, count=counts, num_splits=re_num_splits)
        )
    return layers


def _pair(value: Sequence[float]) -> Quantity:
    return list(value)


def _policy(name: str, resample: str, fill: tuple[float, ...]) -> Layer:
    """Returns the policy that timm's name means, filled and interpolated as in create_transform."""
    if name == "3a":  # one of three operators, as in DeiT III
        return OneOf(
            [
                RandomSolarize(thresholds=(0.5, 0.5), additions=(0.0, 0.0), p=1.0),
                RandomGrayscale(p=1.0),
                RandomGaussianBlur(13, _BLUR_SIGMA, p=1.0),  # 3 standard deviations to each side
            ]
        )
    kind: Any = RandAugment if name.startswith("rand") else AugMix if name.startswith("augmix") else AutoAugment
    return kind.from_timm(name, resample=resample, fill=fill)


def _jitter(strength: float | Sequence[float], p: float) -> Layer:
    parts = list(strength) if isinstance(strength, Sequence) else [strength] * 3
    if len(parts) not in (3, 4):
        raise ValueError(f"from_timm: color_jitter={shown(strength)} must be one number, three or four.")
    names = ("brightness", "contrast", "saturation", "hue")
    jitter: dict[str, Any] = dict(zip(names, parts, strict=False))
    return ColorJitter(**jitter, p=p)
