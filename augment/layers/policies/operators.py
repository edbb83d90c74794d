"""The operators of the policies, with the magnitudes of the papers, torchvision and timm.

| operator | value | unit |
|---|---|---|
| Identity, AutoContrast, Equalize, Invert | none | |
| ShearX, ShearY | slope | pixels of shift per pixel of distance from the top left corner |
| TranslateX, TranslateY | shift to the right, downwards | pixels; whole pixels except in timm's space |
| Rotate | angle | degrees, positive is counter-clockwise |
| Brightness, Color, Contrast, Sharpness | factor | 1 changes nothing; 0 is black, gray, flat or smooth |
| Posterize | bits to keep | of 8 |
| Solarize | threshold | levels of 255; values at or above it are inverted |
| SolarizeAdd | value added | levels of 255, to values below 128 |

A level in [0, 1] sets the strength; timm's may be larger, see `mmax` of RandAugment. A space lists operators and maps
the level of each to its value.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from augment.data.types import PerSample, Size
from augment.kernels.reference.policy_step import drew

Scale = Callable[[Tensor, Tensor, Size], Tensor]
"""(level (B,) in [0, 1], sign (B,) of 1 or -1, image size) -> value (B,)."""


@dataclass(frozen=True)
class Operator:
    """An operator of a space: its name in the table above, and the function from level to value."""

    name: str
    value: Scale


def _constant(level: Tensor, sign: Tensor, size: Size) -> Tensor:
    return torch.zeros_like(level)


def _signed(largest: float, level: Tensor, sign: Tensor, size: Size) -> Tensor:
    return sign * (level * largest)


def _factor(largest: float, level: Tensor, sign: Tensor, size: Size) -> Tensor:
    return 1 + sign * (level * largest)


def _pixels(largest: float, level: Tensor, sign: Tensor, size: Size) -> Tensor:
    return torch.trunc(sign * (level * largest))


def _part(share: float, axis: int, level: Tensor, sign: Tensor, size: Size) -> Tensor:
    return sign * (level * (share * size[axis]))


def _fraction(share: float, axis: int, level: Tensor, sign: Tensor, size: Size) -> Tensor:
    return torch.trunc(_part(share, axis, level, sign, size))


def _bits(most: int, fewest: int, level: Tensor, sign: Tensor, size: Size) -> Tensor:
    """Maps levels to `most` down to `fewest` bits; halves are rounded to even, as in torch.round."""
    return most - torch.round(level * (most - fewest))


def _threshold(level: Tensor, sign: Tensor, size: Size) -> Tensor:
    return 255 * (1 - level)


def _timm_factor(level: Tensor, sign: Tensor, size: Size) -> Tensor:
    return (1 + sign * (level * 0.9)).clamp(min=0.1)


def _timm_plain_factor(level: Tensor, sign: Tensor, size: Size) -> Tensor:
    return level * 1.8 + 0.1


def _timm_bits(level: Tensor, sign: Tensor, size: Size) -> Tensor:
    return 4 - torch.floor(level * 4)


def _timm_plain_bits(fewest: int, level: Tensor, sign: Tensor, size: Size) -> Tensor:
    return torch.floor(level * 4) + fewest


def _timm_threshold(level: Tensor, sign: Tensor, size: Size) -> Tensor:
    return 256 - _timm_plain_threshold(level, sign, size)


def _timm_plain_threshold(level: Tensor, sign: Tensor, size: Size) -> Tensor:
    return torch.floor(level * 256).clamp(max=256)


def _timm_added(level: Tensor, sign: Tensor, size: Size) -> Tensor:
    return torch.floor(level * 110).clamp(max=128)


def _space(
    shear: float, translate: tuple[Scale, Scale], degrees: float, factor: float, bits: tuple[int, int]
) -> dict[str, Scale]:
    """Builds the operators of AutoAugment (Cubuk et al. 2019, table 6) in torchvision's parametrisation."""
    slope, times = partial(_signed, shear), partial(_factor, factor)  # one object each: computed once for all samples
    return {
        "Identity": _constant,
        "ShearX": slope,
        "ShearY": slope,
        "TranslateX": translate[0],
        "TranslateY": translate[1],
        "Rotate": partial(_signed, degrees),
        "Brightness": times,
        "Color": times,
        "Contrast": times,
        "Sharpness": times,
        "Posterize": partial(_bits, *bits),
        "Solarize": _threshold,
        "AutoContrast": _constant,
        "Equalize": _constant,
    }


_THIRD = (partial(_fraction, 1 / 3, 1), partial(_fraction, 1 / 3, 0))
_OF_331 = (partial(_fraction, 150 / 331, 1), partial(_fraction, 150 / 331, 0))  # 150 of the 331 pixels of NASNet
_UP_TO_32 = (partial(_pixels, 32), partial(_pixels, 32))
_ENHANCING = ("Color", "Contrast", "Brightness", "Sharpness")

_TIMM: dict[str, Scale] = {
    "AutoContrast": _constant,
    "Equalize": _constant,
    "Invert": _constant,
    "Rotate": partial(_signed, 30),
    "Posterize": partial(_timm_plain_bits, 0),
    "Solarize": _timm_plain_threshold,
    "SolarizeAdd": _timm_added,
    **dict.fromkeys(_ENHANCING, _timm_plain_factor),
    "ShearX": partial(_signed, 0.3),
    "ShearY": partial(_signed, 0.3),
    "TranslateX": partial(_part, 0.45, 1),
    "TranslateY": partial(_part, 0.45, 0),
}
_TIMM_INCREASING = _TIMM | {
    "Posterize": _timm_bits,
    "Solarize": _timm_threshold,
    **dict.fromkeys(_ENHANCING, _timm_factor),
}
_OF_AUGMIX = ("AutoContrast", *_ENHANCING, "Equalize", "Rotate", "Posterize", "Solarize", "ShearX", "ShearY")

SPACES: dict[str, dict[str, Scale]] = {
    "randaugment": _space(0.3, _OF_331, 30, 0.9, (8, 4)),
    "trivialaugment_wide": _space(0.99, _UP_TO_32, 135, 0.99, (8, 2)),
    "autoaugment": _space(0.3, _OF_331, 30, 0.9, (8, 4)) | {"Invert": _constant},
    "augmix": {name: s for name, s in _space(0.3, _THIRD, 30, 0.9, (4, 0)).items() if name != "Identity"},
    "timm": _TIMM,
    "timm_increasing": _TIMM_INCREASING,
    "timm_original": _TIMM | {"Posterize": partial(_timm_plain_bits, 4)},
    "timm_reversed": _TIMM | {"Posterize": _timm_bits},
    "timm_augmix": {name: _TIMM_INCREASING[name] for name in _OF_AUGMIX}
    | {"TranslateX": partial(_part, 0.3, 1), "TranslateY": partial(_part, 0.3, 0)},
}
"""The spaces of torchvision 0.29 and timm 1.0.31, by name.

timm's are those of `rand-m9` and policy "v0", of `rand-m9-inc1`, of policy "original", of "v0r" and "originalr", and of
`augmix-m3` in its create_transform, which shifts by up to 0.3 of the image there.
"""

GEOMETRIC = frozenset({"ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate"})


def space(name: str, only: Sequence[str] | None = None) -> tuple[Operator, ...]:
    """Returns the operators of a space, or some of them by name.

    Raises:
        ValueError: a name is not in the space.
    """
    scales = SPACES[name]
    names = tuple(scales) if only is None else tuple(only)
    unknown = [n for n in names if n not in scales]
    if unknown or not names:
        raise ValueError(f"operators={names} must be some of {', '.join(scales)}.")
    return tuple(Operator(n, scales[n]) for n in names)


def value_of(
    operators: tuple[Operator, ...],
    which: Collection[str],
    op: PerSample,
    level: PerSample,
    sign: PerSample,
    size: Size,
) -> Tensor:
    """Returns (B,), the value of each sample's operator if it is one of `which`, else 0."""
    value = torch.zeros_like(level)
    names_of: dict[Scale, list[str]] = {}
    for operator in operators:
        if operator.name in which and operator.value is not _constant:
            names_of.setdefault(operator.value, []).append(operator.name)
    every = [operator.name for operator in operators]
    for scale, names in names_of.items():
        value = torch.where(drew(every, op, names), scale(level, sign, size), value)
    return value
