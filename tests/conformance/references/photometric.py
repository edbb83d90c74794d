"""References of pixel operators: Kornia, torchvision, Pillow, scipy, and drawing with loops and slices."""

import colorsys
import math

import cv2
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
from scipy.stats import poisson

from augment.draws.noise import normal_field, uniform_field
from augment.layers.photometric import plasma
from tests.conformance.references.register import not_compared, per_image, reference

HSV = 1e-7  # Kornia adds 1e-8 to the divisor of the saturation

not_compared("RandomGaussianNoise", "random by pixel; its distribution is tested in test_noise.py")


not_compared("RandomSpeckleNoise", "random by pixel; its distribution is tested in test_corruptions.py")
not_compared("RandomShotNoise", "random by pixel; its counts are compared with scipy in test_corruptions.py")
not_compared("RandomSaltAndPepperNoise", "random by pixel; its distribution is tested in test_photometric.py")
not_compared("PixelDropout", "random by pixel; its distribution is tested in test_dropout.py")
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


@reference("XYMasking", example={"num_masks_x": (0, 3), "mask_y_length": (1, 5), "fill": (0.25, 0.5, 0.75)})
@per_image
def _(image, row):
    colour, image = torch.tensor([0.25, 0.5, 0.75]).double()[:, None, None], image.clone()
    for left, width in zip(row["left"], row["width"], strict=True):
        image[:, :, int(left) : int(left + width)] = colour
    for top, height in zip(row["top"], row["height"], strict=True):
        image[:, int(top) : int(top + height)] = colour
    return image


@reference("RandomShadow")
@per_image
def _(image, row):
    """Ask OpenCV for every pixel and polygon."""
    image = image.clone()
    for *corners, taken in zip(row["x"], row["y"], row["shadow_intensity_range"], strict=True):
        outline = np.array(corners, dtype=np.float32).T.reshape(-1, 1, 2)
        for y in range(image.shape[1]):
            for x in range(image.shape[2]):
                if cv2.pointPolygonTest(outline, (float(x), float(y)), False) > 0:
                    image[:, y, x] *= 1 - taken
    return image


@reference("RandomSunFlare")
@per_image
def _(image, row):
    """Draw one disk after the other on a copy, and mix the copy in."""
    pixels, sun = image.permute(1, 2, 0).numpy(), np.array([1.0, 0.9, 0.7])
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    copy, total, mean = pixels.copy(), 0.0, 0.0
    circles = (row[f"circle_{name}"] for name in ("x", "y", "radius", "alpha", "color"))
    for at_x, at_y, radius, alpha, colour in zip(*circles, strict=True):
        if radius > 0:
            copy[np.hypot(x - at_x, y - at_y) <= radius] = colour
            pixels = alpha * copy + (1 - alpha) * pixels
            mean, total = mean + alpha * radius, total + radius
    copy, rings = pixels.copy(), 40 // 10
    alphas = np.linspace(0, min(mean / total * 5, 1), rings)[::-1] ** 3
    for radius, alpha in zip(np.linspace(1, 40, rings), alphas, strict=True):
        copy[np.hypot(x - row["x"], y - row["y"]) <= radius] = sun
        pixels = alpha * copy + (1 - alpha) * pixels
    return torch.from_numpy(pixels).permute(2, 0, 1)


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


@reference("RandomFog")
@per_image
def _(image, row):
    """Compute the published equation in numpy; the fractal is compared with Kornia's above."""
    key, roughness = torch.tensor([row["key"]]), torch.tensor([row["roughness"]], dtype=torch.float64)
    cloud = plasma.plasma(key, roughness, (1, *image.shape[1:]))[0].numpy()
    cloud = (cloud - cloud.min()) / np.ptp(cloud)
    top = image.numpy().max()
    out = (image.numpy() + row["intensity"] * cloud) * top / (top + row["intensity"])
    return torch.from_numpy(np.clip(out, 0, 1))


@reference("RandomHSV")
@per_image
def _(image, row):
    """Compute each pixel with Python's colorsys."""

    def changed(pixel):
        hue, saturation, value = colorsys.rgb_to_hsv(*pixel)
        saturation = min(max(saturation * row["saturation"] + row["saturation_shift"], 0), 1)
        return colorsys.hsv_to_rgb(hue, saturation, min(max(value + row["value_shift"], 0), 1))

    return torch.from_numpy(np.apply_along_axis(changed, 0, image.numpy()))


@reference("MultiplicativeNoise")
def _(images, params):
    return (images * params["multiplier"][:, None, None, None]).clamp(0, 1)


@reference("ISONoise", example={"intensity": (0.01, 0.05)})  # larger counts are those of an expansion, see noise.py
@per_image
def _(image, row):
    """Compute each pixel with Python's colorsys, and counts with scipy."""
    hls = np.apply_along_axis(lambda pixel: colorsys.rgb_to_hls(*pixel), 0, image.numpy())
    keys, size = torch.tensor([row["key"]]), tuple(image.shape[1:])
    uniforms, normal = uniform_field(keys[:, :2], size)[0].double(), normal_field(keys[:, 2:], size)[0].double()
    counts = poisson.ppf(uniforms.clamp(min=2.0**-60).numpy(), row["intensity"] * hls[1].std() * 255)
    hls[0] += row["color_shift"] * row["intensity"] * normal.numpy()
    hls[1] += row["intensity"] * counts / 255 * (1 - hls[1])
    return torch.from_numpy(np.apply_along_axis(lambda pixel: colorsys.hls_to_rgb(*pixel), 0, hls))


@reference("FancyPCA")
def _(images, params):
    values, vectors = np.diag([0.2175, 0.0188, 0.0045]), np.zeros((3, 3))
    vectors[0], vectors[1] = (-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140)
    vectors[2] = (-0.5836, -0.6948, 0.4203)
    shift = (params["alpha"][:, None] * params["weight"]) @ torch.from_numpy(vectors @ values).T
    return (images + shift[:, :, None, None]).clamp(0, 1)


@reference("HEStain", tolerance=1e-8, example={"preset": "ruifrok", "augment_background": True})  # black is not 0 there
@per_image
def _(image, row):
    """Separate three stains, the third at right angles to the others, as Ruifrok and Johnston complete the matrix."""
    stains = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])
    stains = np.vstack([stains, np.cross(*stains)])
    density = -np.log(np.maximum(image.numpy(), 1e-6)).reshape(3, -1).T
    amount = density @ np.linalg.inv(stains)
    amount[:, :2] = amount[:, :2] * row["intensity_scale_range"] + row["intensity_shift_range"]
    return torch.from_numpy(np.exp(-amount @ stains).T.reshape(image.shape).clip(0, 1))
