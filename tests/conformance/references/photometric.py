"""Pixel operators: Kornia's functional ones, torchvision's for erasing."""

import math

import kornia.color as color
import kornia.enhance as enhance
import torch
import torchvision.transforms.v2.functional as tv

from tests.conformance.references.register import not_compared, per_image, reference

HSV = 1e-7  # Kornia adds 1e-8 to the divisor of the saturation

not_compared("RandomGaussianNoise", "random by pixel; its distribution is tested in test_noise.py")


@reference("RandomBrightness")
def _(images, params):
    return enhance.adjust_brightness(images, params["brightness"] - 1)


@reference("RandomContrast")
def _(images, params):
    return enhance.adjust_contrast(images, params["contrast"])


@reference("RandomSaturation", tolerance=HSV)
def _(images, params):
    return enhance.adjust_saturation(images, params["saturation"])


@reference("RandomHue", tolerance=HSV)
def _(images, params):
    return enhance.adjust_hue(images, params["hue"] * 2 * math.pi)


@reference("RandomGamma")
def _(images, params):
    return enhance.adjust_gamma(images, params["gamma"], params["gain"])


@reference("ColorJitter", tolerance=HSV)
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
