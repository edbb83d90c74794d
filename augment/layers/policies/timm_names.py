"""timm's names of policies, such as "rand-m9-mstd0.5-inc1", as arguments of the layers here (timm 1.0.31).

timm passes over sections without a number, such as a misspelt "mm9"; here they are refused.
"""

from __future__ import annotations

import math
import re
from typing import Any

from augment.draws.arguments import shown

_FILL = 128 / 255
"""timm's fill value outside the image if the mean colour of the data is not given."""

_UNIFORM_ABOVE = 100.0
"""timm draws magnitudes uniformly if `mstd` is larger."""

_WEIGHTS = {
    "Rotate": 3.0,
    "ShearX": 2.0,
    "ShearY": 2.0,
    "TranslateX": 1.0,
    "TranslateY": 1.0,
    "Color": 0.25,
    "Sharpness": 0.25,
    "AutoContrast": 0.25,
    "Solarize": 0.05,
    "SolarizeAdd": 0.05,
    "Contrast": 0.05,
    "Brightness": 0.05,
    "Equalize": 0.05,
    "Posterize": 0.05,
    "Invert": 0.05,
}
"""timm's "tweights"."""

AUTO_AUGMENT = ("original", "originalr", "v0", "v0r")
"""Names of timm's policies for AutoAugment."""


def rand_augment(name: str) -> dict[str, Any]:
    """Returns the arguments of RandAugment for "rand-...".

    Raises:
        ValueError: the name is no such name, or not supported.
    """
    example = "'rand-m9-n2-p0.5-mstd0.5-mmax10-inc1', or with 'tweights'"
    base, _, rest = name.partition("-") if isinstance(name, str) else ("", "", "")
    weighted = "tweights" in rest.split("-")
    rest = "-".join(section for section in rest.split("-") if section != "tweights")
    keys = _sections(rest, {"m": int, "n": int, "p": float, "mstd": float, "mmax": int, "inc": int})
    if base != "rand" or keys is None or (rest == "" and name not in ("rand", "rand-tweights")):
        raise _refused("RandAugment", name, example)
    increasing = bool(keys.get("inc", 0)) or weighted  # the weighted operators are the increasing ones
    arguments: dict[str, Any] = {
        "n": keys.get("n", 2),
        "m": keys.get("m", 10),
        "increasing": increasing,
        "timm": True,
        "mstd": _spread(keys.get("mstd", 0.0)),
        "mmax": keys.get("mmax", 0) or 10,
        "op_p": keys.get("p", 0.5),
        "resample": "random",
        "fill": _FILL,
    }
    if weighted:
        arguments |= {"operators": list(_WEIGHTS), "weights": list(_WEIGHTS.values())}
    return arguments


def auto_augment(name: str) -> dict[str, Any]:
    """Returns the arguments of AutoAugment for "original-mstd0.5" and the like.

    Raises:
        ValueError: the name is no such name, or not supported.
    """
    base, _, rest = name.partition("-") if isinstance(name, str) else ("", "", "")
    keys = _sections(rest, {"mstd": float})
    if base not in AUTO_AUGMENT or keys is None or name.endswith("-"):
        raise _refused("AutoAugment", name, "'original-mstd0.5', with one of " + ", ".join(AUTO_AUGMENT))
    return {"policy": base, "mstd": keys.get("mstd", 0.0), "resample": "random", "fill": _FILL}


def augmix(name: str) -> dict[str, Any]:
    """Returns the arguments of AugMix for "augmix-m5-w4-d2" and the like.

    Raises:
        ValueError: the name is no such name, or not supported.
    """
    base, _, rest = name.partition("-") if isinstance(name, str) else ("", "", "")
    keys = _sections(rest, {"m": int, "w": int, "d": int, "a": float, "mstd": float, "b": int})
    if base != "augmix" or keys is None or keys.get("b", 0) or name.endswith("-"):
        raise _refused("AugMix", name, "'augmix-m3-w3-d2-a1-mstd0.5'; b1, timm's approximation, has no equivalent")
    return {
        "severity": keys.get("m", 3),
        "mixture_width": keys.get("w", 3),
        "chain_depth": keys.get("d", 0) or -1,
        "alpha": keys.get("a", 1.0),
        "timm": True,
        "mstd": keys.get("mstd", math.inf),
        "resample": "random",
        "fill": _FILL,
    }


def _sections(text: str, types: dict[str, type]) -> dict[str, Any] | None:
    """Returns the numbers of sections such as "m9-mstd0.5"; None if a section is unknown or repeated."""
    found: dict[str, Any] = {}
    for section in text.split("-") if text else []:
        match = re.fullmatch(r"([a-z]+)(\d+(?:\.\d+)?)", section)
        if match is None or match[1] not in types or match[1] in found:
            return None
        if types[match[1]] is int and not match[2].isdigit():
            return None
        found[match[1]] = types[match[1]](match[2])
    return found


def _spread(mstd: float) -> float:
    return math.inf if mstd > _UNIFORM_ABOVE else mstd


def _refused(layer: str, name: object, example: str) -> ValueError:
    return ValueError(
        f"{layer}.from_timm: name={shown(name)} must look like {example}: each setting at most once, with its number."
    )
