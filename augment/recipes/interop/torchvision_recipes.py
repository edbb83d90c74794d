"""Conversion of torchvision's v2 transforms. It finds them by name, so torchvision need not be installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

import augment as A  # names are looked up when a converter is called, because augment imports this module
from augment.core.layer import Layer
from augment.draws.distributions import Distribution
from augment.geometry.fill import Fill
from augment.recipes.interop.conversion import Conversion, Converted, NoEquivalentError, colour, single, unit
from augment.recipes.interop.torchvision_stage import for_images, stage

_PACKAGE = "torchvision.transforms.v2"
_INTERPOLATIONS = {0: "nearest", 2: "bilinear", 3: "bicubic"}


def from_torchvision(transform: Any, strict: bool = False) -> Layer:
    """Converts torchvision's v2 transforms to layers with the same ranges and probabilities, drawn per sample.

    Args:
        transform: a `v2.Compose` of transforms, nested to any depth, or a single transform.
        strict: raise an error if a transform has no equivalent. Otherwise it runs unchanged in an `Opaque` stage.

    Returns:
        A Pipeline for a Compose, with the dtype of its last type conversion; a layer for a single transform.

    Raises:
        ValueError: some transforms cannot be converted; the error lists all of them with reasons. Without `strict`,
            these are the transforms that cannot be a stage either.

    Example:
        >>> from torchvision.transforms import v2
        >>> A.from_torchvision(v2.RandomHorizontalFlip(p=0.3))
        RandomHorizontalFlip(
          (p): Bernoulli(0.3)
        )
    """
    conversion = Conversion(_find, stage, strict)
    layers = conversion.layers(transform)
    conversion.finished("from_torchvision")
    if type(transform).__name__ == "Compose" or conversion.dtype is not None:
        return A.Pipeline(*layers, dtype=conversion.dtype)
    return single(layers)


def _find(transform: Any) -> Callable[[Any, Conversion], Converted] | None:
    cls = type(transform)
    return TABLE.get(cls.__name__) if cls.__module__.startswith(_PACKAGE) else None


def _refused(reason: str) -> Callable[[Any, Conversion], Converted]:
    def convert(t: Any, _: Conversion) -> Converted:
        raise NoEquivalentError(reason, runs=False)

    return convert


def _opaque(reason: str) -> Callable[[Any, Conversion], Converted]:
    def convert(t: Any, _: Conversion) -> Converted:
        raise NoEquivalentError(reason)

    return convert


def _nothing(t: Any, _: Conversion) -> Converted:
    return []


def _resize_mode(t: Any) -> str:
    """Returns the interpolation of a resize, for which our layers use torch's names."""
    value = getattr(t.interpolation, "value", t.interpolation)
    return _INTERPOLATIONS.get(value, value)


def _resample(t: Any) -> str:
    """Returns the interpolation of other warps, for which "nearest" always takes the pixel at the centre."""
    mode = _resize_mode(t)
    return "nearest" if mode == "nearest-exact" else mode


def _fill(t: Any) -> Fill:
    """Returns the fill in [0, 1], one number or one per channel."""
    fill = for_images(t.fill)
    return 0.0 if fill is None else colour(unit(fill))


def _centred(t: Any) -> None:
    if t.center is not None:
        raise NoEquivalentError(f"center={t.center}: the centre of rotation is always the image centre")


def _apply(t: Any, conversion: Conversion) -> Converted:
    layers = conversion.sequence(t.transforms)
    return A.RandomApply(layers, p=t.p) if layers else []


def _choice(t: Any, conversion: Conversion) -> Converted:
    layers = conversion.alternatives(t.transforms)
    mixing = [layer for layer in layers if isinstance(layer, A.Mix)]
    if not mixing:
        return A.OneOf(layers, weights=t.p)
    if len(mixing) < len(layers):
        raise NoEquivalentError("a choice between mixing and something else", runs=False)
    return A.RandomMix(mixing, weights=t.p, num_classes=mixing[0].num_classes)


def _rotation(t: Any, _: Conversion) -> Converted:
    if t.expand:
        raise NoEquivalentError("expand=True gives images of different sizes", runs=False)
    _centred(t)
    low, high = t.degrees
    return A.RandomRotation((low, high), _resample(t), p=1.0, fill_value=_fill(t))


def _affine(t: Any, _: Conversion) -> Converted:
    _centred(t)
    translate, scale, shear = (None if value is None else tuple(value) for value in (t.translate, t.scale, t.shear))
    return A.RandomAffine(tuple(t.degrees), translate, scale, shear, resample=_resample(t), fill_value=_fill(t), p=1.0)


def _perspective(t: Any, _: Conversion) -> Converted:
    return A.RandomPerspective(t.distortion_scale, resample=_resample(t), p=t.p, fill_value=_fill(t))


def _resize(t: Any, _: Conversion) -> Converted:
    if t.size is None:
        mode, smooth = _resize_mode(t), bool(t.antialias)
        return A.LongestMaxSize(t.max_size, mode) if smooth else A.Resize(t.max_size, "long", mode, antialias=False)
    if t.max_size is not None:
        raise NoEquivalentError("size and max_size cannot be combined", runs=False)
    size = tuple(t.size) if len(t.size) == 2 else t.size[0]
    return A.Resize(size, resample=_resize_mode(t), antialias=bool(t.antialias))


def _crop(t: Any, _: Conversion) -> Converted:
    left, right, top, bottom = t.padding or (0, 0, 0, 0)
    seen = t.padding_mode == "constant" and (t.pad_if_needed or t.padding is not None)
    fill = _fill(t) if seen else 0.0
    return A.RandomCrop(tuple(t.size), (left, top, right, bottom), t.pad_if_needed, fill, t.padding_mode)


def _resized_crop(t: Any, _: Conversion) -> Converted:
    return A.RandomResizedCrop(tuple(t.size), tuple(t.scale), tuple(t.ratio), _resize_mode(t))


def _pad(t: Any, _: Conversion) -> Converted:
    return A.Pad(t.padding, _fill(t) if t.padding_mode == "constant" else 0.0, t.padding_mode)


def _jitter(t: Any, _: Conversion) -> Converted:
    return A.ColorJitter(t.brightness or 0.0, t.contrast or 0.0, t.saturation or 0.0, t.hue or 0.0)


def _photometric_distort(t: Any, _: Conversion) -> Converted:
    """Contrast is applied before or after saturation and hue, with equal probability."""
    contrast = A.ColorJitter(contrast=tuple(t.contrast), p=t.p)
    saturation = A.ColorJitter(saturation=tuple(t.saturation), p=t.p)
    hue = A.ColorJitter(hue=tuple(t.hue), p=t.p)
    orders = [A.Pipeline(contrast, saturation, hue), A.Pipeline(saturation, hue, contrast)]
    brightness = A.ColorJitter(brightness=tuple(t.brightness), p=t.p)
    return [brightness, A.OneOf(orders), A.RandomChannelShuffle(p=t.p)]


def _grayscale(t: Any, _: Conversion) -> Converted:
    if t.num_output_channels != 3:
        raise NoEquivalentError("the number of channels cannot change; use num_output_channels=3", runs=False)
    layer: Any = A.RandomGrayscale(p=1.0)
    layer.deterministic = True  # it is not random, so evaluation applies it too
    return layer


def _solarize(t: Any, _: Conversion) -> Converted:
    threshold = t.threshold / 255 if t.threshold > 1 else t.threshold
    return A.RandomSolarize((threshold, threshold), (0.0, 0.0), p=t.p)


def _noise(t: Any, _: Conversion) -> Converted:
    noise = A.RandomGaussianNoise(t.mean, t.sigma, p=1.0)
    return [noise, A.RandomBrightness((1.0, 1.0))] if t.clip else noise  # RandomBrightness only clips to [0, 1]


def _erasing(t: Any, _: Conversion) -> Converted:
    value = "random" if t.value is None else colour(unit(t.value))
    return A.RandomErasing(tuple(t.scale), tuple(t.ratio), value, p=t.p)


def _jpeg(t: Any, _: Conversion) -> Converted:
    return A.RandomJPEG(A.Choice(range(t.quality[0], t.quality[1] + 1)))


def _beta(t: Any) -> Distribution:
    return A.Beta(t.alpha, t.alpha)


def _rand_augment(t: Any, _: Conversion) -> Converted:
    bins = t.num_magnitude_bins
    return A.RandAugment(t.num_ops, t.magnitude, num_magnitude_bins=bins, resample=_resample(t), fill=_fill(t))


def _augmix(t: Any, _: Conversion) -> Converted:
    names = ("severity", "mixture_width", "chain_depth", "alpha", "all_ops")
    return A.AugMix(**{name: getattr(t, name) for name in names}, resample=_resample(t), fill=_fill(t))


def _to_dtype(t: Any, conversion: Conversion) -> Converted:
    dtype, scale = t.dtype, getattr(t, "scale", True)
    dtype = for_images(dtype)
    if dtype is None:
        return []
    known = conversion.dtype is not None and conversion.dtype.is_floating_point and dtype.is_floating_point
    if not scale and not known:
        raise NoEquivalentError("scale=False keeps the range of uint8, but floats must lie in [0, 1]", runs=False)
    conversion.dtype = dtype
    return []


def _to_tensor(t: Any, conversion: Conversion) -> Converted:
    conversion.dtype = torch.float32
    return []


TABLE: dict[str, Callable[[Any, Conversion], Converted]] = {
    # containers
    "Compose": lambda t, c: c.sequence(t.transforms),
    "RandomApply": _apply,
    "RandomChoice": _choice,
    "RandomOrder": lambda t, c: A.RandomOrder(c.alternatives(t.transforms)),
    # geometry
    "CenterCrop": lambda t, _: A.CenterCrop(tuple(t.size)),
    "ElasticTransform": _opaque("its strength in pixels depends on the image size"),
    "FiveCrop": _refused("returns five images per image"),
    "Pad": _pad,
    "RandomAffine": _affine,
    "RandomCrop": _crop,
    "RandomHorizontalFlip": lambda t, _: A.RandomHorizontalFlip(t.p),
    "RandomIoUCrop": _refused("gives images of different sizes; use RandomIoUCrop(size)"),
    "RandomPerspective": _perspective,
    "RandomResize": _refused("gives images of different sizes"),
    "RandomResizedCrop": _resized_crop,
    "RandomRotation": _rotation,
    "RandomShortestSize": _refused("gives images of different sizes"),
    "RandomVerticalFlip": lambda t, _: A.RandomVerticalFlip(t.p),
    "RandomZoomOut": _refused("gives images of different sizes"),
    "Resize": _resize,
    "ScaleJitter": _refused("gives images of different sizes"),
    "TenCrop": _refused("returns ten images per image"),
    # colour and noise
    "ColorJitter": _jitter,
    "GaussianBlur": lambda t, _: A.RandomGaussianBlur(tuple(t.kernel_size[::-1]), tuple(t.sigma), p=1.0),
    "GaussianNoise": _noise,
    "Grayscale": _grayscale,
    "JPEG": _jpeg,
    "LinearTransformation": _opaque("there is no equivalent"),
    "Normalize": lambda t, _: A.Normalize(t.mean, t.std),
    "RGB": _refused("changes the number of channels"),
    "RandomAdjustSharpness": lambda t, _: A.RandomSharpness((t.sharpness_factor, t.sharpness_factor), p=t.p),
    "RandomAutocontrast": lambda t, _: A.RandomAutoContrast(p=t.p),
    "RandomChannelPermutation": lambda t, _: A.RandomChannelShuffle(p=1.0),
    "RandomEqualize": lambda t, _: A.RandomEqualize(p=t.p),
    "RandomErasing": _erasing,
    "RandomGrayscale": lambda t, _: A.RandomGrayscale(p=t.p),
    "RandomInvert": lambda t, _: A.RandomInvert(p=t.p),
    "RandomPhotometricDistort": _photometric_distort,
    "RandomPosterize": lambda t, _: A.RandomPosterize((t.bits, t.bits), p=t.p),
    "RandomSolarize": _solarize,
    # policies and mixing
    "AugMix": _augmix,
    "AutoAugment": lambda t, _: A.AutoAugment(t.policy.value, _resample(t), _fill(t)),
    "CutMix": lambda t, _: A.RandomCutMix(_beta(t), num_classes=t.num_classes),
    "MixUp": lambda t, _: A.RandomMixUp(_beta(t), num_classes=t.num_classes),
    "RandAugment": _rand_augment,
    "TrivialAugmentWide": lambda t, _: A.TrivialAugmentWide(t.num_magnitude_bins, resample=_resample(t), fill=_fill(t)),
    # types and annotations
    "ClampBoundingBoxes": _nothing,
    "ClampKeyPoints": _nothing,
    "ConvertBoundingBoxFormat": _refused("use Batch.with_box_format"),
    "ConvertImageDtype": _to_dtype,
    "Identity": _nothing,
    "PILToTensor": _nothing,
    "SanitizeBoundingBoxes": _nothing,
    "SanitizeKeyPoints": _nothing,
    "SetClampingMode": _nothing,
    "ToDtype": _to_dtype,
    "ToImage": _nothing,
    "ToPILImage": _refused("the images of a pipeline are tensors"),
    "ToPureTensor": _nothing,
    "ToTensor": _to_tensor,
    "UniformTemporalSubsample": _refused("changes the number of frames"),
}
"""Converters by name. Lambda has none, because its function is unknown; it runs in an `Opaque` stage."""
