"""References of pixel operators: Kornia, torchvision, Pillow, scipy, and drawing with loops and slices."""

import math

import kornia.color as color
import kornia.enhance as enhance
import numpy as np
import torch
import torchvision.transforms.v2.functional as tv
from kornia.augmentation import RandomPlanckianJitter
from kornia.contrib import diamond_square
from kornia.filters.kernels import gaussian
from PIL import Image, ImageOps
from scipy.interpolate import BPoly

from augment.layers.photometric import plasma
from tests.conformance.references.register import not_compared, per_image, reference

HSV = 1e-7  # Kornia adds 1e-8 to the divisor of the saturation

not_compared("RandomGaussianNoise", "random by pixel; its distribution is tested in test_noise.py")


not_compared("RandomSaltAndPepperNoise", "random by pixel; its distribution is tested in test_photometric.py")
not_compared("RandomChannelShuffle", "the order is drawn inside; tested in test_photometric.py")
not_compared("RandomChannelDropout", "the channels are drawn inside; tested in test_photometric.py")


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


@reference("ColorJiggle", tolerance=HSV)
def _(images, params):
    images = enhance.adjust_brightness(images, params["brightness"] - 1)
    images = enhance.adjust_contrast(images, params["contrast"])
    images = enhance.adjust_saturation(images, params["saturation"])
    return enhance.adjust_hue(images, params["hue"] * 2 * math.pi)


@reference("RandomInvert")
def _(images, params):
    return enhance.invert(images, params["max_val"][:, None, None, None])


@reference("RandomSolarize")
def _(images, params):
    return enhance.solarize(images, params["thresholds"], params["additions"])


@reference("RandomPosterize", example={"bits": (0, 8)})
@per_image
def _(image, row):  # Pillow instead of Kornia, see test_posterize_of_bytes_is_exact
    byte = Image.fromarray((image * 255).round().byte().permute(1, 2, 0).contiguous().numpy())
    return torch.from_numpy(np.array(ImageOps.posterize(byte, int(row["bits"])))).permute(2, 0, 1).double() / 255


@reference("RandomToneCurve")
@per_image
def _(image, row):
    curve = BPoly([[0.0], [row["shadows"]], [row["highlights"]], [1.0]], [0, 1])
    return torch.from_numpy(curve(image.numpy()))


@reference("RandomRGBShift")
def _(images, params):
    return enhance.shift_rgb(images, *(params[f"{c}_shift_limit"] for c in "rgb"))


@reference("RandomPlanckianJitter", tolerance=1e-7)  # Kornia's table is float32
def _(images, params):
    theirs = RandomPlanckianJitter("blackbody", p=1.0)
    distance = (theirs.pl[None, :, 0] - params["red"][:, None]).abs()
    return theirs.apply_transform(images, {"idx": distance.argmin(1)}, {})


def lit(images, params, light):
    return (images + params["gain"][:, None, None, None] * light[:, None]).clamp(0, 1)


@reference("RandomLinearIllumination")
def _(images, params):
    height, width = images.shape[-2:]
    down = torch.linspace(0, 1, height, dtype=images.dtype)[:, None].expand(height, width)
    right = torch.linspace(0, 1, width, dtype=images.dtype).expand(height, width)
    return lit(images, params, torch.stack([down, down.flip(0), right, right.flip(1)])[params["edge"].long()])


@reference("RandomLinearCornerIllumination")
def _(images, params):
    height, width = images.shape[-2:]
    down = torch.linspace(0, 1, height, dtype=images.dtype)[:, None]
    right = torch.linspace(0, 1, width, dtype=images.dtype)
    corners = torch.stack([right + down, down - right, right - down, -right - down])[None]
    corners = enhance.normalize_min_max(corners, eps=0.0)[0]  # Kornia's 1e-6 reduces the gain by a millionth
    return lit(images, params, corners[params["corner"].long()])


@reference("RandomGaussianIllumination")
def _(images, params):  # Kornia without the 1e-6 in the divisor, see test_a_spot_reaches_its_gain
    profiles = []
    for axis, n in enumerate(images.shape[-2:]):
        mean = params["center"][:, axis, None] * n - (0.5 if n % 2 else 0.0)
        profiles.append(gaussian(n, params["sigma"][:, axis, None] * n, mean=mean))
    spot = profiles[0][:, :, None] @ profiles[1][:, None, :]
    return lit(images, params, enhance.normalize_min_max(spot[:, None], eps=0.0)[:, 0])


def fractal(images, params, channels):
    """Run Kornia with our draws, which cover the visible part of its grid."""
    height, width = images.shape[-2:]
    levels = (height - 2).bit_length()
    sizes = list(zip(plasma._nodes(height, levels), plasma._nodes(width, levels), strict=True))
    grids = plasma._draws(params["key"], channels, sizes)
    queue = [grids[0], *grids[2:]]  # the first level adds nothing

    def take(size, **_):
        ours = queue.pop(0).double().flatten(0, 1)[:, None]
        theirs = torch.full(size, 0.5, dtype=torch.float64)
        theirs[..., : ours.shape[-2], : ours.shape[-1]] = ours[..., : size[-2], : size[-1]]
        return theirs

    shape = (len(images), channels, height, width)
    return diamond_square(shape, params["roughness"], random_fn=take, dtype=images.dtype)


@reference("RandomPlasmaBrightness")
def _(images, params):
    return (images + params["intensity"][:, None, None, None] * (2 * fractal(images, params, 3) - 1)).clamp(0, 1)


@reference("RandomPlasmaContrast")
def _(images, params):
    return ((images - 0.5) * 4 * fractal(images, params, 3) + 0.5).clamp(0, 1)


@reference("RandomPlasmaShadow")
def _(images, params):
    shaded = fractal(images, params, 1) < params["shade_quantity"][:, None, None, None]
    return (images + shaded * params["shade_intensity"][:, None, None, None]).clamp(0, 1)


@reference("CoarseDropout")
@per_image
def _(image, row):
    image = image.clone()
    for top, left, height, width in zip(*(row[name] for name in ("top", "left", "height", "width")), strict=True):
        image[:, int(top) : int(top + height), int(left) : int(left + width)] = 0
    return image


@reference("GridMask", example={"rotation": 0.0, "unit_range": (5, 12), "ratio": (0.3, 0.7)})
@per_image
def _(image, row):  # test_photometric.py draws rotated grids
    unit, band = int(row["unit"]), int(row["band"])
    cell = np.pad(np.zeros((unit - band, unit - band)), ((band, 0), (band, 0)), constant_values=1)
    grid = np.tile(cell, (9 * 37 // unit, 9 * 37 // unit))
    height, width = image.shape[-2:]
    # the grid starts at the image centre, which is half a pixel off the pixel grid if the side is even
    top = 4 * unit + int(np.floor(row["top"] - (height - 1) / 2)) % unit
    left = 4 * unit + int(np.floor(row["left"] - (width - 1) / 2)) % unit
    return image * torch.from_numpy(grid[top : top + height, left : left + width])
