"""A typical layer of each class, for photographs of about 240 pixels."""

from __future__ import annotations

import inspect
from typing import Any

import augment as A
from augment.core.layer import Layer
from augment.tools.errors import ToolError

_HIDDEN = {"Layer", "Warp", "DenseWarp", "PixelOp", "ImageOp", "Mix", "Opaque", "Pipeline", "Normalize", "Denormalize"}
"""What is no layer by itself, or changes no image that is shown."""


def _three() -> list[Layer]:
    return [
        A.RandomRotation(30.0, p=1.0),
        A.ColorJitter(0.5, 0.5, 0.5, 0.2, p=1.0),
        A.RandomGaussianBlur(15, (1.0, 3.0), p=1.0),
    ]


_PHOTOGRAPH: dict[str, Any] = {
    "CenterCrop": {"size": (160, 160)},
    "ChromaticAberration": {"primary_distortion_limit": 0.1, "secondary_distortion_limit": 0.2},
    "CoarseDropout": {"num_holes_range": (1, 8)},
    "Downscale": {"scale_range": (0.05, 0.5), "downscale": "area"},
    "LongestMaxSize": {"max_size": 120},
    "OneOf": lambda: {"layers": _three()},
    "OpticalDistortion": {"distort_limit": 0.6},
    "Pad": {"padding": (24, 24, 48, 48)},
    "PadTo": {"size": (320, 320)},
    "Preprocess": {"size": 160},
    "RandomApply": lambda: {"layers": _three()},
    "RandomBoxBlur": {"kernel_size": (9, 9)},
    "RandomCrop": {"size": (160, 160)},
    "RandomElasticTransform": {"kernel_size": (63, 63), "sigma": (8.0, 8.0), "alpha": ((0.0, 6.0), (0.0, 6.0))},
    "RandomErasing": {"ratio": 1.0},
    "RandomGaussianBlur": {"kernel_size": 31, "sigma": (0.3, 6.0)},
    "RandomGaussianNoise": {"std": (0.0, 0.2)},
    "RandomIoUCrop": {"size": (240, 240)},
    "RandomKeepRatioCrop": {"size": (240, 240), "scale": (0.3, 1.0)},
    "RandomMedianBlur": {"kernel_size": (7, 7)},
    "RandomMix": lambda: {"layers": [A.RandomMixUp(), A.RandomCutMix()]},
    "RandomMotionBlur": lambda: {
        "kernel_size": A.Uniform(3, 25),
        "angle": 90.0,
        "direction": 0.8,
        "resample": "bilinear",
    },
    "RandomOrder": lambda: {"layers": _three()},
    "RandomPerspective": {"distortion_scale": (0.0, 0.8)},
    "RandomPosterize": {"bits": (1, 8)},
    "RandomRain": {"number_of_drops": (50, 1000), "drop_height": (5, 20), "drop_width": (-5, 5)},
    "RandomResizedCrop": {"size": (240, 240)},
    "RandomSaltAndPepperNoise": {"amount": (0.0, 0.2)},
    "RandomSizedBBoxSafeCrop": {"size": (240, 240)},
    "RandomDefocus": {"radius": (1.0, 8.0), "alias_blur": 0.3},
    "RandomShadow": {"shadow_intensity_range": (0.3, 0.7)},
    "RandomSunFlare": {"src_radius": 120, "src_color": (1.0, 0.95, 0.8)},
    "RandomSnowfall": {"density": (0.0, 0.2), "length": 12.0, "whitening": (0.1, 0.3)},
    "RandomThinPlateSpline": {"scale": (0.0, 0.4)},
    "RandomToneCurve": {"scale": (0.0, 0.4)},
    "PixelDropout": {"dropout_prob": (0.0, 0.3)},
    "Resize": {"size": (120, 240)},
    "SmallestMaxSize": {"max_size": 120},
    "Spatter": {"gauss_sigma": (1.0, 4.0), "intensity": (0.4, 0.8)},
    "SomeOf": lambda: {"layers": _three(), "n": 2},
}
"""Arguments where the ones of `Layer.example` suit the small images of tests."""


def layer_names() -> list[str]:
    """Return the names of all layers that a picture shows."""
    classes = ((name, getattr(A, name)) for name in A.__all__)
    return [name for name, kind in classes if inspect.isclass(kind) and issubclass(kind, Layer) and name not in _HIDDEN]


def example_layer(name: str) -> Layer:
    """Return a typical layer of a class, which acts on every sample.

    Raises:
        ToolError: `augment` has no such layer.

    Example:
        >>> example_layer("RandomGamma").p.support()
        (1.0, 1.0)
    """
    if name not in layer_names():
        raise ToolError(f"--layer: {name!r} must be a layer of augment, such as {', '.join(layer_names()[:3])}.")
    kind = getattr(A, name)
    given = _PHOTOGRAPH.get(name, kind.example)
    arguments = dict(given() if callable(given) else given)
    if "p" in inspect.signature(kind).parameters:
        arguments["p"] = 1.0
    return kind(**arguments)
