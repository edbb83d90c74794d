"""Converters from Kornia's augmentations to layers with the same ranges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import kornia.augmentation as K
from kornia.constants import Resample

import augment as A  # names are looked up when a converter is called, because augment imports this module
from augment.draws.arguments import is_number
from augment.draws.shorthand import Quantity
from augment.layers.photometric.channels import planckian_factors
from augment.recipes.interop.conversion import (
    Conversion,
    Converted,
    NoEquivalentError,
    colour,
    number,
    numbers,
    quantities,
    quantity,
)


def _drawn(k: Any, name: str) -> Quantity:
    """Returns the range of a uniformly drawn parameter."""
    return quantity(next(sampler[0] for sampler in k._param_generator.samplers if sampler[1] == name))


def gate(k: Any) -> dict[str, Any]:
    """Returns the arguments common to random layers. Kornia's decision per batch becomes one per sample."""
    return {"p": k.p * k.p_batch, "same_on_batch": bool(k.same_on_batch)}


def _always(k: Any) -> None:
    if k.p * k.p_batch != 1:
        raise NoEquivalentError(f"with p={k.p * k.p_batch} images would come out in two sizes", runs=False)


def _resample(k: Any) -> str:
    return k.flags["resample"].name.lower()


def _frame(k: Any) -> dict[str, Any]:
    """Returns the resampling and padding arguments."""
    mode = k.flags["padding_mode"]
    mode = (mode if isinstance(mode, str) else mode.name).lower()
    if mode == "reflection" and k.flags.get("align_corners"):
        mode = "reflect"  # mirrors at the centres of the border pixels
    return {"resample": k.flags.get("resample", Resample.BILINEAR).name.lower(), "padding_mode": mode}


def _affine(k: Any, _: Conversion) -> Converted:
    g, frame = k._param_generator, _frame(k)
    if frame["padding_mode"] == "fill":
        frame |= {"padding_mode": "zeros", "fill_value": colour(k.flags["fill_value"])}
    translate = None if g.translate is None else tuple(numbers(g.translate))
    scale, shear = (None if value is None else quantities(value) for value in (g.scale, g.shear))
    return A.RandomAffine(quantity(g.degrees), translate, scale, shear, **frame, **gate(k))


def _translate(k: Any, _: Conversion) -> Converted:
    g = k._param_generator
    x, y = (None if value is None else quantity(value) for value in (g.translate_x, g.translate_y))
    return A.RandomTranslate(x, y, **_frame(k), **gate(k))


def _quarter_turns(k: Any, _: Conversion) -> Converted:
    times = _drawn(k, "times")
    low, high = (-times, times) if is_number(times) else cast("tuple[float, float]", times)
    return A.RandomRotation90((int(low), int(high)), **gate(k))


def _crop(k: Any, _: Conversion) -> Converted:
    names = ("size", "padding", "pad_if_needed", "padding_mode")
    seen = k.flags["padding_mode"] == "constant" and (k.flags["pad_if_needed"] or k.flags["padding"] is not None)
    fill = colour(k.flags["fill"]) if seen else 0.0
    return A.RandomCrop(**{name: k.flags[name] for name in names}, fill=fill, **gate(k))


def _resized_crop(k: Any, _: Conversion) -> Converted:
    g = k._param_generator
    size = tuple(int(n) for n in numbers(k.flags["size"]))
    return A.RandomResizedCrop(size, quantity(g.scale), quantity(g.ratio), _resample(k), **gate(k))


def _center_crop(k: Any, _: Conversion) -> Converted:
    _always(k)
    return A.CenterCrop(k.size)


def _resize(k: Any, _: Conversion) -> Converted:
    _always(k)
    return A.Resize(k.flags["size"], k.flags["side"], _resample(k), k.flags["antialias"])


def _longest(k: Any, _: Conversion) -> Converted:
    _always(k)
    return A.LongestMaxSize(k.flags["size"], _resample(k))


def _smallest(k: Any, _: Conversion) -> Converted:
    _always(k)
    return A.SmallestMaxSize(k.flags["size"], _resample(k))


def _spline(k: Any, _: Conversion) -> Converted:
    scale = 0.0 if k.dist is None else float(k.dist.high)
    return A.RandomThinPlateSpline(scale, **_frame(k), **gate(k))


def _perspective(k: Any, _: Conversion) -> Converted:
    g = k._param_generator
    return A.RandomPerspective(quantity(g.distortion_scale), g.sampling_method, _resample(k), **gate(k))


def _jitter(cls: str) -> Callable[[Any, Conversion], Converted]:
    def convert(k: Any, _: Conversion) -> Converted:
        order = {} if k._fixed_order is None else {"order": k._fixed_order}
        ranges = [quantity(value) for value in (k.brightness, k.contrast, k.saturation, k.hue)]
        return getattr(A, cls)(*ranges, **order, **gate(k))

    return convert


def _planckian(k: Any, _: Conversion) -> Converted:
    """Finds the chosen rows in the tables, because the module keeps the rows and not their indices."""
    for mode in ("blackbody", "CIED"):
        same = (k.pl.cpu()[:, None] == planckian_factors(mode)[None]).all(-1)
        if same.any(1).all():
            return A.RandomPlanckianJitter(mode, same.int().argmax(1).tolist(), **gate(k))
    raise NoEquivalentError("its table is neither 'blackbody' nor 'CIED'")


def _statistics(cls: str) -> Callable[[Any, Conversion], Converted]:
    def convert(k: Any, _: Conversion) -> Converted:
        layer = getattr(A, cls)(*(numbers(k.flags[name]) for name in ("mean", "std")))
        return layer if k.p == 1 else A.RandomApply([layer], p=k.p, same_on_batch=True)

    return convert


LAYERS: dict[type, Callable[[Any, Conversion], Converted]] = {
    # geometry
    K.CenterCrop: _center_crop,
    K.LongestMaxSize: _longest,
    K.PadTo: lambda k, _: A.PadTo(**k.flags),
    K.RandomAffine: _affine,
    K.RandomCrop: _crop,
    K.RandomElasticTransform: lambda k, _: A.RandomElasticTransform(
        k.flags["kernel_size"],
        tuple(numbers(k.flags["sigma"])),
        tuple(numbers(k.flags["alpha"])),
        **_frame(k),
        **gate(k),
    ),
    K.RandomFisheye: lambda k, _: A.RandomFisheye(
        _drawn(k, "center_x"), _drawn(k, "center_y"), _drawn(k, "gamma"), **gate(k)
    ),
    K.RandomHorizontalFlip: lambda k, _: A.RandomHorizontalFlip(**gate(k)),
    K.RandomPerspective: _perspective,
    K.RandomResizedCrop: _resized_crop,
    K.RandomRotation: lambda k, _: A.RandomRotation(_drawn(k, "degrees"), _resample(k), **gate(k)),
    K.RandomRotation90: _quarter_turns,
    K.RandomShear: lambda k, _: A.RandomShear(quantities(k._param_generator.shear), **_frame(k), **gate(k)),
    K.RandomThinPlateSpline: _spline,
    K.RandomTranslate: _translate,
    K.RandomVerticalFlip: lambda k, _: A.RandomVerticalFlip(**gate(k)),
    K.Resize: _resize,
    K.SmallestMaxSize: _smallest,
    # colour and noise
    K.ColorJiggle: _jitter("ColorJiggle"),
    K.ColorJitter: _jitter("ColorJitter"),
    K.Denormalize: _statistics("Denormalize"),
    K.Normalize: _statistics("Normalize"),
    K.RandomBrightness: lambda k, _: A.RandomBrightness(quantity(k.brightness), k.clip_output, **gate(k)),
    K.RandomChannelDropout: lambda k, _: A.RandomChannelDropout(k.num_drop_channels, float(k.fill_value), **gate(k)),
    K.RandomChannelShuffle: lambda k, _: A.RandomChannelShuffle(**gate(k)),
    K.RandomContrast: lambda k, _: A.RandomContrast(quantity(k.contrast), k.clip_output, **gate(k)),
    K.RandomErasing: lambda k, _: A.RandomErasing(quantity(k.scale), quantity(k.ratio), k.value, **gate(k)),
    K.RandomGamma: lambda k, _: A.RandomGamma(_drawn(k, "gamma_factor"), _drawn(k, "gain_factor"), **gate(k)),
    K.RandomGaussianNoise: lambda k, _: A.RandomGaussianNoise(
        float(k._param_generator.mean), float(k._param_generator.std), **gate(k)
    ),
    K.RandomGrayscale: lambda k, _: A.RandomGrayscale(
        None if k.rgb_weights is None else numbers(k.rgb_weights), **gate(k)
    ),
    K.RandomHue: lambda k, _: A.RandomHue(quantity(k.hue), **gate(k)),
    K.RandomInvert: lambda k, _: A.RandomInvert(number(k.flags["max_val"], "max_val"), **gate(k)),
    K.RandomPlanckianJitter: _planckian,
    K.RandomPosterize: lambda k, _: A.RandomPosterize(quantity(k._param_generator.bits_factor), **gate(k)),
    K.RandomRGBShift: lambda k, _: A.RandomRGBShift(
        _drawn(k, "r_shift"), _drawn(k, "g_shift"), _drawn(k, "b_shift"), **gate(k)
    ),
    K.RandomSaltAndPepperNoise: lambda k, _: A.RandomSaltAndPepperNoise(
        k._param_generator.amount, k._param_generator.salt_and_pepper, **gate(k)
    ),
    K.RandomSaturation: lambda k, _: A.RandomSaturation(quantity(k.saturation), **gate(k)),
    K.RandomSolarize: lambda k, _: A.RandomSolarize(_drawn(k, "thresholds"), _drawn(k, "additions"), **gate(k)),
    # light and weather
    K.RandomGaussianIllumination: lambda k, _: A.RandomGaussianIllumination(
        *(getattr(k._param_generator, name) for name in ("gain", "center", "sigma", "sign")), **gate(k)
    ),
    K.RandomLinearCornerIllumination: lambda k, _: A.RandomLinearCornerIllumination(
        k._param_generator.gain, k._param_generator.sign, **gate(k)
    ),
    K.RandomLinearIllumination: lambda k, _: A.RandomLinearIllumination(
        k._param_generator.gain, k._param_generator.sign, **gate(k)
    ),
    K.RandomPlasmaBrightness: lambda k, _: A.RandomPlasmaBrightness(
        _drawn(k, "roughness"), _drawn(k, "intensity"), **gate(k)
    ),
    K.RandomPlasmaContrast: lambda k, _: A.RandomPlasmaContrast(_drawn(k, "roughness"), **gate(k)),
    K.RandomPlasmaShadow: lambda k, _: A.RandomPlasmaShadow(
        _drawn(k, "roughness"), _drawn(k, "shade_intensity"), _drawn(k, "shade_quantity"), **gate(k)
    ),
    K.RandomRain: lambda k, _: A.RandomRain(
        *(getattr(k._param_generator, name) for name in ("number_of_drops", "drop_height", "drop_width")), **gate(k)
    ),
    K.RandomSnow: lambda k, _: A.RandomSnow(_drawn(k, "snow_coefficient"), _drawn(k, "brightness"), **gate(k)),
    # filters
    K.RandomAutoContrast: lambda k, _: A.RandomAutoContrast(k.clip_output, **gate(k)),
    K.RandomBoxBlur: lambda k, _: A.RandomBoxBlur(
        k.flags["kernel_size"], k.flags["border_type"].name.lower(), k.flags["normalized"], **gate(k)
    ),
    K.RandomClahe: lambda k, _: A.RandomClahe(_drawn(k, "clip_limit_factor"), k.flags["grid_size"], **gate(k)),
    K.RandomEqualize: lambda k, _: A.RandomEqualize(**gate(k)),
    K.RandomGaussianBlur: lambda k, _: A.RandomGaussianBlur(
        k.flags["kernel_size"], quantity(k._param_generator.sigma), k.flags["border_type"].name.lower(), **gate(k)
    ),
    K.RandomJPEG: lambda k, _: A.RandomJPEG(quantity(k.jpeg_quality), **gate(k)),
    K.RandomMedianBlur: lambda k, _: A.RandomMedianBlur(k.flags["kernel_size"], **gate(k)),
    K.RandomMotionBlur: lambda k, _: A.RandomMotionBlur(
        k._param_generator.kernel_size,
        quantity(k._param_generator.angle),
        quantity(k._param_generator.direction),
        k.flags["border_type"].name.lower(),
        _resample(k),
        **gate(k),
    ),
    K.RandomSharpness: lambda k, _: A.RandomSharpness(_drawn(k, "sharpness"), **gate(k)),
}
