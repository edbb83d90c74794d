"""What becomes of values: colour, light, noise and weather."""

import math

import kornia.augmentation as K
import kornia.color as color
import kornia.contrib as contrib
import kornia.enhance as enhance

import augment as A
from augment.draws.noise import uniform_field
from tests.kornia_cases.register import case

FACTOR = (0.6, 1.4)


@case("brightness, added", "enhance.adjust_brightness", A.RandomBrightness(FACTOR, p=1.0))
def _(images, params):
    return enhance.adjust_brightness(images, params["brightness"] - 1)


@case("contrast, multiplied", "enhance.adjust_contrast", A.RandomContrast(FACTOR, p=1.0))
def _(images, params):
    return enhance.adjust_contrast(images, params["contrast"])


@case("contrast, about the mean", "enhance.adjust_contrast_with_mean_subtraction", A.ColorJitter(contrast=FACTOR))
def _(images, params):
    return enhance.adjust_contrast_with_mean_subtraction(images, params["contrast"])


@case("saturation, HSV", "enhance.adjust_saturation", A.RandomSaturation(FACTOR, p=1.0))
def _(images, params):
    return enhance.adjust_saturation(images, params["saturation"])


@case("saturation, about gray", "enhance.adjust_saturation_with_gray_subtraction", A.ColorJitter(saturation=FACTOR))
def _(images, params):
    return enhance.adjust_saturation_with_gray_subtraction(images, params["saturation"])


@case("hue", "enhance.adjust_hue", A.RandomHue((-0.2, 0.2), p=1.0))
def _(images, params):
    return enhance.adjust_hue(images, params["hue"] * 2 * math.pi)


@case("gamma", "enhance.adjust_gamma", A.RandomGamma((0.7, 1.4), (0.8, 1.0), p=1.0))
def _(images, params):
    return enhance.adjust_gamma(images, params["gamma"], params["gain"])


@case("solarize", "enhance.solarize", A.RandomSolarize(0.3, 0.1, p=1.0))
def _(images, params):
    return enhance.solarize(images, params["thresholds"], params["additions"])


@case("posterize", "enhance.posterize", A.RandomPosterize((2, 6), p=1.0))
def _(images, params):
    return enhance.posterize(images, params["bits"].long())


@case("invert", "enhance.invert", A.RandomInvert((0.9, 1.0), p=1.0))
def _(images, params):
    return enhance.invert(images, params["max_val"][:, None, None, None])


case("equalize", "enhance.equalize", A.RandomEqualize(p=1.0))(lambda x, _: enhance.equalize(x))
case("autocontrast", "enhance.normalize_min_max", A.RandomAutoContrast(p=1.0))(
    lambda x, _: enhance.normalize_min_max(x).clamp(0, 1)
)
case("CLAHE", "enhance.equalize_clahe", A.RandomClahe((20.0, 20.0), (4, 4), p=1.0))(
    lambda x, _: enhance.equalize_clahe(x, 20.0, (4, 4))
)
case("grayscale", "color.rgb_to_grayscale", A.RandomGrayscale(p=1.0))(
    lambda x, _: color.rgb_to_grayscale(x).expand(-1, 3, -1, -1)
)


@case("normalize", "enhance.normalize", A.Normalize(A.IMAGENET_MEAN, A.IMAGENET_STD))
def _(images, params):
    return enhance.normalize(images, images.new_tensor(A.IMAGENET_MEAN), images.new_tensor(A.IMAGENET_STD))


@case("planckian", "RandomPlanckianJitter.apply_transform", A.RandomPlanckianJitter(p=1.0))
def _(images, params):
    distance = (PLANCKIAN.pl[None, :, 0] - params["red"][:, None]).abs()
    return PLANCKIAN.apply_transform(images, {"idx": distance.argmin(1)}, {})


@case("shift of red, green, blue", "enhance.shift_rgb", A.RandomRGBShift(0.2, 0.2, 0.2, p=1.0))
def _(images, params):
    return enhance.shift_rgb(images, *(params[f"{c}_shift_limit"] for c in "rgb"))


PLANCKIAN, RAIN, SNOW = K.RandomPlanckianJitter(p=1.0), K.RandomRain(p=1.0), K.RandomSnow(p=1.0)
LINEAR, SPOT, NOISE = (
    K.RandomLinearIllumination(p=1.0),
    K.RandomGaussianIllumination(p=1.0),
    K.RandomGaussianNoise(p=1.0),
)

case("linear illumination", "RandomLinearIllumination", A.RandomLinearIllumination(p=1.0), same=False)(
    lambda x, _: LINEAR(x)
)
case("Gaussian illumination", "RandomGaussianIllumination", A.RandomGaussianIllumination(p=1.0), same=False)(
    lambda x, _: SPOT(x)
)
case("Gaussian noise", "RandomGaussianNoise", A.RandomGaussianNoise(std=0.1, p=1.0), same=False)(lambda x, _: NOISE(x))


@case("plasma contrast", "contrib.diamond_square", A.RandomPlasmaContrast(p=1.0), same=False)
def _(images, params):
    fractal = contrib.diamond_square(tuple(images.shape), params["roughness"].to(images.dtype), dtype=images.dtype)
    return ((images - 0.5) * 4 * fractal + 0.5).clamp(0, 1)


@case("rain", "RandomRain.apply_transform", A.RandomRain((20, 40), (3, 9), (-4, 4), p=1.0))
def _(images, params):
    drawn = {f"{name}_factor": params[name].long() for name in ("number_of_drops", "drop_height", "drop_width")}
    return RAIN.apply_transform(images, drawn | {"coordinates_factor": uniform_field(params["key"], (40, 2))}, {})


case("snow", "RandomSnow.apply_transform", A.RandomSnow((0.3, 0.7), (1.2, 2.5)))(
    lambda x, params: SNOW.apply_transform(x, params, {})
)
