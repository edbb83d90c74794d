"""timm's policies for AutoAugment: 25 pairs of (operator, probability, magnitude), of timm 1.0.31.

"original" is the policy of the paper's appendix, "v0" that of the EfficientNets of TPUs, and "originalr" and "v0r" are
the same with a Posterize that gets stronger with its magnitude. A magnitude is a whole number from 0 to 10.
"""

from augment.layers.policies.autoaugment_tables import POLICIES, Half

_V0: tuple[tuple[Half, Half], ...] = (
    (("Equalize", 0.8, None), ("ShearY", 0.8, 4)),
    (("Color", 0.4, 9), ("Equalize", 0.6, None)),
    (("Color", 0.4, 1), ("Rotate", 0.6, 8)),
    (("Solarize", 0.8, 3), ("Equalize", 0.4, None)),
    (("Solarize", 0.4, 2), ("Solarize", 0.6, 2)),
    (("Color", 0.2, 0), ("Equalize", 0.8, None)),
    (("Equalize", 0.4, None), ("SolarizeAdd", 0.8, 3)),
    (("ShearX", 0.2, 9), ("Rotate", 0.6, 8)),
    (("Color", 0.6, 1), ("Equalize", 1.0, None)),
    (("Invert", 0.4, None), ("Rotate", 0.6, 0)),
    (("Equalize", 1.0, None), ("ShearY", 0.6, 3)),
    (("Color", 0.4, 7), ("Equalize", 0.6, None)),
    (("Posterize", 0.4, 6), ("AutoContrast", 0.4, None)),
    (("Solarize", 0.6, 8), ("Color", 0.6, 9)),
    (("Solarize", 0.2, 4), ("Rotate", 0.8, 9)),
    (("Rotate", 1.0, 7), ("TranslateY", 0.8, 9)),
    (("ShearX", 0.0, 0), ("Solarize", 0.8, 4)),
    (("ShearY", 0.8, 0), ("Color", 0.6, 4)),
    (("Color", 1.0, 0), ("Rotate", 0.6, 2)),
    (("Equalize", 0.8, None), ("Equalize", 0.0, None)),
    (("Equalize", 1.0, None), ("AutoContrast", 0.6, None)),
    (("ShearY", 0.4, 7), ("SolarizeAdd", 0.6, 7)),
    (("Posterize", 0.8, 2), ("Solarize", 0.6, 10)),
    (("Solarize", 0.6, 8), ("Equalize", 0.6, None)),
    (("Color", 0.8, 6), ("Rotate", 0.4, 5)),
)

TIMM_POLICIES: dict[str, tuple[str, tuple[tuple[Half, Half], ...]]] = {
    "original": ("timm_original", POLICIES["imagenet"]),
    "originalr": ("timm_reversed", POLICIES["imagenet"]),
    "v0": ("timm", _V0),
    "v0r": ("timm_reversed", _V0),
}
"""The space of operators and the pairs, by timm's name."""
