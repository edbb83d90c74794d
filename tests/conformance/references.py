"""What each layer is compared with: the same operator of an independent library at the same parameters.

`REFERENCES[name]` maps (images (B, C, H, W) float64, resolved parameters) to images. Kornia's functional operators
where they exist, torchvision's for crops and resizes (Kornia's are not antialiased), plain tensor code for mirrors.
"""

import math
from collections.abc import Callable

import kornia.color as color
import kornia.enhance as enhance
import kornia.filters as filters
import kornia.geometry.transform as geometry
import torch
import torchvision.transforms.v2.functional as tv
from torch import Tensor

from augment.types import Params

Reference = Callable[[Tensor, Params], Tensor]
REFERENCES: dict[str, Reference] = {}
TOLERANCE: dict[str, tuple[float, str]] = {
    "RandomHue": (1e-7, "Kornia adds 1e-8 to the divisor of the saturation"),
    "RandomSaturation": (1e-7, "Kornia adds 1e-8 to the divisor of the saturation"),
    "ColorJitter": (1e-7, "Kornia adds 1e-8 to the divisor of the saturation"),
}
"""Largest difference allowed, 1e-9 where not listed, and why."""

EXAMPLES: dict[str, dict] = {"RandomCrop": {"size": (9, 10), "padding": 0}}
"""Constructor arguments for the comparison, where the reference lacks something of the layer's `example`."""

NOT_COMPARED = {
    "RandomGaussianNoise": "random by pixel; its distribution is tested in test_noise.py",
    "RandomMixUp": "compared in test_mixing.py, together with the labels",
    "RandomCutMix": "compared in test_mixing.py, together with the labels",
}


def reference(name: str) -> Callable[[Reference], Reference]:
    def register(function: Reference) -> Reference:
        REFERENCES[name] = function
        return function

    return register


def per_image(function: Callable[[Tensor, dict[str, float]], Tensor]) -> Reference:
    """Lifts a function of one image (C, H, W) and numbers."""

    def batched(images: Tensor, params: Params) -> Tensor:
        rows = [{name: value[i].tolist() for name, value in params.items()} for i in range(len(images))]
        return torch.stack([function(image, row) for image, row in zip(images, rows, strict=True)])

    return batched


@reference("RandomHorizontalFlip")
def _(images, params):
    return images.flip(-1)


@reference("RandomVerticalFlip")
def _(images, params):
    return images.flip(-2)


@reference("RandomRotation")
def _(images, params):
    return geometry.rotate(images, params["degrees"], align_corners=True)


@reference("RandomRotation90")
def _(images, params):
    return geometry.rotate(images, params["times"] * 90, align_corners=True)


@reference("RandomAffine")
def _(images, params):
    height, width = images.shape[-2:]
    matrix = geometry.get_affine_matrix2d(
        translations=torch.stack([params["translate_x"], params["translate_y"]], -1),
        center=images.new_tensor([[(width - 1) / 2, (height - 1) / 2]]).expand(len(images), 2),
        scale=params["scale"][:, None].expand(-1, 2),
        angle=params["degrees"],
        sx=torch.deg2rad(params["shear_x"]),
        sy=torch.deg2rad(params["shear_y"]),
    )
    return geometry.warp_affine(images, matrix[:, :2], (height, width), align_corners=True)


@reference("RandomPerspective")
def _(images, params):
    height, width = images.shape[-2:]
    start = images.new_tensor([[[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]]])
    matrix = geometry.get_perspective_transform(start.expand(len(images), 4, 2), params["corners"])
    return geometry.warp_perspective(images, matrix, (height, width), align_corners=True)


@reference("CenterCrop")
def _(images, params):
    return tv.center_crop(images, [9, 10])


@reference("RandomCrop")
@per_image
def _(image, row):
    return tv.crop(image, int(row["top"]), int(row["left"]), 9, 10)


@reference("RandomResizedCrop")
@per_image
def _(image, row):
    box = [int(row[name]) for name in ("top", "left", "height", "width")]
    return tv.resized_crop(image, *box, size=[9, 10], antialias=True)


@reference("Resize")
def _(images, params):
    return tv.resize(images, [9, 10], antialias=True)


@reference("RandomBrightness")
def _(images, params):
    return enhance.adjust_brightness(images, params["brightness"] - 1)


@reference("RandomContrast")
def _(images, params):
    return enhance.adjust_contrast(images, params["contrast"])


@reference("RandomSaturation")
def _(images, params):
    return enhance.adjust_saturation(images, params["saturation"])


@reference("RandomHue")
def _(images, params):
    return enhance.adjust_hue(images, params["hue"] * 2 * math.pi)


@reference("RandomGamma")
def _(images, params):
    return enhance.adjust_gamma(images, params["gamma"], params["gain"])


@reference("ColorJitter")
def _(images, params):
    images = enhance.adjust_brightness_accumulative(images, params["brightness"])
    images = enhance.adjust_contrast_with_mean_subtraction(images, params["contrast"])
    images = enhance.adjust_saturation_with_gray_subtraction(images, params["saturation"])
    return enhance.adjust_hue(images, params["hue"] * 2 * math.pi)


@reference("RandomGrayscale")
def _(images, params):
    return color.rgb_to_grayscale(images).expand(-1, 3, -1, -1)


@reference("RandomErasing")
@per_image
def _(image, row):
    box = [int(row[name]) for name in ("top", "left", "height", "width")]
    return tv.erase(image, *box, v=torch.zeros(1, dtype=image.dtype))


@reference("Normalize")
def _(images, params):
    return enhance.normalize(images, torch.tensor(0.4, dtype=images.dtype), torch.tensor(0.3, dtype=images.dtype))


@reference("Denormalize")
def _(images, params):
    return enhance.denormalize(images, torch.tensor(0.4, dtype=images.dtype), torch.tensor(0.3, dtype=images.dtype))


@reference("RandomGaussianBlur")
def _(images, params):
    return filters.gaussian_blur2d(images, (5, 5), params["sigma"][:, None].expand(-1, 2))
