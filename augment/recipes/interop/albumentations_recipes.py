"""Conversion of whole albumentations recipes (2.0.8, the last version under the MIT licence), which is not imported."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import augment as A  # names are looked up when a converter is called, because augment imports this module
from augment.core.layer import Layer
from augment.recipes.interop.albumentations_arguments import only, together
from augment.recipes.interop.albumentations_geometry import GEOMETRY
from augment.recipes.interop.albumentations_pixels import PIXELS
from augment.recipes.interop.conversion import Conversion, Converted, NoEquivalentError, single

_PACKAGE = "albumentations"


def from_albumentations(transform: Any) -> Layer:
    """Converts a transform of albumentations to layers with the same ranges, probabilities and nesting.

    A transform of albumentations takes one NumPy image, so none can run as an `Opaque` stage: one without an equivalent
    is always refused, as by `strict=True` of the other conversions. docs/interop.md lists them all.

    Args:
        transform: a Compose or another container, nested to any depth, or a single transform.

    Returns:
        A Pipeline for a container, a layer for a single transform. `ToTensorV2` is left out, and `ToFloat` and
        `FromFloat` set the `dtype` of the pipeline.

    Raises:
        ValueError: some transforms cannot be converted; the error lists all of them with reasons.

    Example:
        >>> import albumentations
        >>> A.from_albumentations(albumentations.HorizontalFlip(p=0.3))
        RandomHorizontalFlip(
          (p): Bernoulli(0.3)
        )
    """
    conversion = Conversion(_find, _stage, strict=True)
    layers = conversion.layers(transform)
    conversion.finished("from_albumentations")
    if type(transform).__name__ in CONTAINERS or conversion.dtype is not None:
        return A.Pipeline(*layers, seed=getattr(transform, "seed", None) or 0, dtype=conversion.dtype)
    return single(layers)


def _find(transform: Any) -> Callable[[Any, Conversion], Converted] | None:
    cls = type(transform)
    if not cls.__module__.startswith(_PACKAGE):
        raise NoEquivalentError("it takes a NumPy image; write it as a layer, or as a function of tensors in Opaque")
    if cls.__name__ in REFUSED:
        raise NoEquivalentError(REFUSED[cls.__name__])
    return (CONTAINERS | GEOMETRY | PIXELS).get(cls.__name__)


def _stage(transform: Any) -> Layer:
    raise NoEquivalentError("it takes a NumPy image, so it cannot run as it is")


def _forced(transform: Any) -> Any:
    """Returns a transform as OneOf and OneOrOther apply it, with probability 1; two containers ignore this."""
    if type(transform).__name__ in ("SomeOf", "RandomOrder", "OneOrOther"):
        return transform
    transform = copy.copy(transform)
    transform.p = 1.0
    return transform


def _sequence(t: Any, conversion: Conversion) -> Converted:
    if getattr(t, "_additional_targets", None):
        raise NoEquivalentError("additional_targets: a Batch has one image; call the pipeline with the same noise")
    layers = conversion.sequence(t.transforms)
    return together(layers, t.p) if layers else []


def _one_of(t: Any, conversion: Conversion) -> Converted:
    layers = conversion.alternatives(map(_forced, t.transforms))
    return A.OneOf(layers, weights=list(t.transforms_ps), p=t.p)


def _one_or_other(t: Any, conversion: Conversion) -> Converted:
    first, other = conversion.alternatives(map(_forced, (t.transforms[0], t.transforms[-1])))
    return A.OneOf([first, other], weights=[t.p, 1 - t.p])


def _some_of(t: Any, conversion: Conversion) -> Converted:
    if t.n > 1:
        only(t, "layers are drawn without replacement", replace=False)
    return A.SomeOf(conversion.alternatives(t.transforms), t.n, p=t.p)


def _random_order(t: Any, conversion: Conversion) -> Converted:
    if t.n == 1:
        return _some_of(t, conversion)
    only(t, "layers are drawn without replacement", replace=False)
    only(t, "RandomOrder applies all layers, SomeOf keeps their order", n=len(t.transforms))
    return A.RandomOrder(conversion.alternatives(t.transforms), p=t.p)


CONTAINERS: dict[str, Callable[[Any, Conversion], Converted]] = {
    "Compose": _sequence,
    "OneOf": _one_of,
    "OneOrOther": _one_or_other,
    "RandomOrder": _random_order,
    "ReplayCompose": _sequence,
    "Sequential": _sequence,
    "SomeOf": _some_of,
}

_MISSING = "there is no such layer"
_SIZES = "images of many sizes do not make a batch"
_VOLUMES = "there are no layers for volumes"
_SPECTRA = "there are no layers for spectrograms"
_ANNOTATIONS = "its draw depends on annotations"

REFUSED: dict[str, str] = {
    # geometry
    "AtLeastOneBBoxRandomCrop": "there is no such layer; use RandomIoUCrop or RandomSizedBBoxSafeCrop",
    "BBoxSafeRandomCrop": f"{_SIZES}; use RandomSizedBBoxSafeCrop",
    "Crop": "it cuts pixels that are numbered; cut them when loading",
    "CropAndPad": _SIZES,
    "CropNonEmptyMaskIfExists": _ANNOTATIONS,
    "ElasticTransform": "its strength in pixels depends on the image size; use RandomElasticTransform",
    "GridElasticDeform": "it moves the corners of a grid by pixels; use RandomThinPlateSpline or RandomGridDistortion",
    "Morphological": _MISSING,
    "Perspective": "it draws the corners from a normal distribution; use RandomPerspective",
    "PiecewiseAffine": _MISSING,
    "RandomCropFromBorders": _SIZES,
    "RandomCropNearBBox": _ANNOTATIONS,
    "RandomScale": _SIZES,
    "RandomSizedCrop": "its size in pixels depends on the image size; use RandomResizedCrop",
    "SafeRotate": "its scale depends on the angle; use RandomRotation or RandomAffine",
    "ThinPlateSpline": "it has another grid of control points; use RandomThinPlateSpline",
    # colour
    "CLAHE": "it acts on the lightness of LAB; RandomClahe acts on each channel",
    "FancyPCA": "it multiplies the distances from the mean colour; use FancyPCA of augment",
    "FDA": "its images come with the call; FDA of augment takes those of the batch",
    "HEStain": "it drops the colours that two stains do not explain; use HEStain of augment",
    "HistogramMatching": "its images come with the call; HistogramMatching of augment takes those of the batch",
    "Illumination": "it has other patterns; use RandomLinearIllumination or RandomGaussianIllumination",
    "PixelDistributionAdaptation": _MISSING,
    "PlanckianJitter": "it interpolates its table in other ways; use RandomPlanckianJitter",
    "PlasmaBrightnessContrast": "it has another plasma; use RandomPlasmaBrightness and RandomPlasmaContrast",
    "PlasmaShadow": "it has another plasma; use RandomPlasmaShadow",
    "RandomToneCurve": "its curve is not straight at scale 0; use RandomToneCurve of augment",
    "SelectiveChannelTransform": "name the channels of colours by Pipeline(color_channels=...)",
    "ToRGB": "the number of channels cannot change; convert when loading",
    "ToSepia": _MISSING,
    # filters, noise and holes
    "AdditiveNoise": "only normal noise in every pixel is equivalent: use GaussNoise",
    "AdvancedBlur": _MISSING,
    "ConstrainedCoarseDropout": _ANNOTATIONS,
    "Emboss": _MISSING,
    "GridDropout": "it has another grid; use GridMask",
    "ISONoise": "its counts are nearly always 0; use ISONoise of augment",
    "MaskDropout": _ANNOTATIONS,
    "MotionBlur": "it draws its line in whole pixels; use RandomMotionBlur",
    "RandomFog": "it draws another fog; use RandomFog of augment",
    "RandomGravel": _MISSING,
    "RandomRain": "it draws other rain; use RandomRain of augment",
    "RingingOvershoot": _MISSING,
    "Sharpen": "it mixes with another kernel; use RandomSharpness",
    "ShotNoise": "it counts photons in linear light; use RandomShotNoise",
    "Spatter": "it finds outlines by Canny's detector; use Spatter of augment",
    "Superpixels": _MISSING,
    "ZoomBlur": "it averages another number of images; use RandomZoomBlur",
    # several images, texts, functions, spectrograms and volumes
    "FrequencyMasking": _SPECTRA,
    "Lambda": "its function takes a NumPy image; use Opaque with a function of tensors",
    "Mosaic": "its images come with the call; RandomMosaic takes those of the batch",
    "OverlayElements": "its images come with the call",
    "TextImage": _MISSING,
    "TimeMasking": _SPECTRA,
    **dict.fromkeys(("CenterCrop3D", "CoarseDropout3D", "CubicSymmetry", "Pad3D", "PadIfNeeded3D"), _VOLUMES),
    **dict.fromkeys(("RandomCrop3D", "ToTensor3D"), _VOLUMES),
}
"""Why the other transforms have no equivalent."""
