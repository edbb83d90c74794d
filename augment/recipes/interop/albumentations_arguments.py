"""Arguments of albumentations' transforms as arguments of layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import augment as A  # names are looked up when a converter is called, because augment imports this module
from augment.core.layer import Layer
from augment.geometry.fill import Fill
from augment.recipes.interop.conversion import Converted, NoEquivalentError, colour, number, unit

WARP_MODES = {0: "nearest", 1: "bilinear", 2: "bicubic"}
"""OpenCV's interpolations; INTER_LANCZOS4 (4) has no equivalent."""

_BORDERS = {0: "zeros", 1: "border", 2: "reflection", 4: "reflect"}
"""OpenCV's border modes; BORDER_WRAP (3) has no equivalent."""

_PADDINGS = {"zeros": "constant", "border": "replicate", "reflection": "symmetric", "reflect": "reflect"}


def only(t: Any, reason: str, **wanted: Any) -> None:
    """Refuses a transform unless these arguments have the only values that convert."""
    for name, value in wanted.items():
        given = getattr(t, name)
        if given != value:
            raise NoEquivalentError(f"{name}={given!r}: {reason}")


def together(layers: list[Layer], p: float) -> Converted:
    """Returns layers that one decision turns on or off."""
    return layers if p == 1 else A.RandomApply(layers, p=p)


def always(t: Any) -> None:
    only(t, "images would come out in two sizes", p=1)


def named(table: dict[int, str], t: Any, name: str) -> str:
    value = getattr(t, name)
    if value not in table:
        raise NoEquivalentError(f"{name}={value}: there is no such mode")
    return table[value]


def masks_unchanged(t: Any) -> None:
    only(t, "masks are moved by their nearest pixel", mask_interpolation=0)


def fill_of(t: Any) -> Fill:
    """Returns the fill in [0, 1], one number or one per channel."""
    if isinstance(t.fill, str):
        raise NoEquivalentError(f"fill={t.fill!r}: only numbers are equivalent")
    return colour(unit(t.fill))


def fill_outside(t: Any) -> Fill:
    """Returns the fill outside of the image."""
    if t.fill_mask not in (0, None):
        raise NoEquivalentError(f"fill_mask={t.fill_mask}: give it to the batch, Batch(mask_fill=...)")
    return fill_of(t)


def holes(t: Any) -> dict[str, Any]:
    """Returns the fills of holes in images and masks."""
    return {"fill": fill_of(t), "fill_mask": None if t.fill_mask is None else number(t.fill_mask, "fill_mask")}


def frame(t: Any) -> dict[str, Any]:
    """Returns the arguments of warps that look outside of the image."""
    masks_unchanged(t)
    border = named(_BORDERS, t, "border_mode")
    fill = {"fill_value": fill_outside(t)} if border == "zeros" else {}
    return {"resample": named(WARP_MODES, t, "interpolation"), "padding_mode": border, **fill}


def margin(t: Any) -> tuple[Fill, str]:
    """Returns the fill and the mode of paddings."""
    border = named(_BORDERS, t, "border_mode")
    return (fill_outside(t) if border == "zeros" else 0.0), _PADDINGS[border]


def whole(pair: Sequence[int]) -> Any:
    """Returns every whole number of a range with the same probability."""
    return A.Choice(range(int(pair[0]), int(pair[1]) + 1))


def scaled(pair: Sequence[float], factor: float, shift: float = 0.0) -> tuple[float, float]:
    low, high = (factor * value + shift for value in pair)
    return min(low, high), max(low, high)
