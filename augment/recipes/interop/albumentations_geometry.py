"""Converters from albumentations' geometric transforms to layers with the same ranges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import augment as A  # names are looked up when a converter is called, because augment imports this module
from augment.recipes.interop.albumentations_arguments import (
    WARP_MODES,
    always,
    frame,
    margin,
    masks_unchanged,
    named,
    only,
    scaled,
)
from augment.recipes.interop.conversion import Conversion, Converted, NoEquivalentError

_RESIZE_MODES = {**WARP_MODES, 3: "area", 5: "bilinear", 6: "nearest-exact"}
"""OpenCV's interpolations; 5 is INTER_LINEAR_EXACT. INTER_LANCZOS4 (4) has no equivalent."""


def _resize_mode(t: Any) -> str:
    """Returns the interpolation of a resize."""
    masks_unchanged(t)
    mode = named(_RESIZE_MODES, t, "interpolation")
    if getattr(t, "area_for_downscale", None) is None:
        return mode
    only(t, "masks are moved by their nearest pixel", area_for_downscale="image")
    if mode != "bilinear":
        raise NoEquivalentError(f"area_for_downscale with interpolation={mode!r}")
    return "area"


def _resizing(t: Any) -> dict[str, Any]:
    """Returns the interpolation of layers that smooth like OpenCV: by "area" alone."""
    mode = _resize_mode(t)
    return {"resample": mode, "antialias": mode == "area"}


def _rotate(t: Any, _: Conversion) -> Converted:
    only(t, "images would come out in many sizes", crop_border=False)
    return A.RandomRotation(tuple(t.limit), p=t.p, **frame(t))


def _affine(t: Any, _: Conversion) -> Converted:
    """Shears before it rotates, where albumentations shears after that."""
    only(t, "images would come out in many sizes", fit_output=False)
    only(t, "a scale is uniform in its range", balanced_scale=False)
    if t.translate_px and any(t.translate_px[axis] != (0, 0) for axis in "xy"):
        raise NoEquivalentError("translate_px: shifts are fractions of the image here")
    x, y = t.scale["x"], t.scale["y"]
    scale = tuple(x) if t.keep_ratio else (*x, *y)
    moves = tuple(A.Uniform(*t.translate_percent[axis]) for axis in "xy") if t.translate_percent else None
    shear = (*t.shear["x"], *t.shear["y"])
    return A.RandomAffine(scaled(t.rotate, -1), moves, scale, shear, p=t.p, **frame(t))


def _grid_distortion(t: Any, _: Conversion) -> Converted:
    masks_unchanged(t)
    only(t, "the border of the image stays in place here", normalized=True)
    return A.RandomGridDistortion(t.num_steps, tuple(t.distort_limit), named(WARP_MODES, t, "interpolation"), p=t.p)


def _optical_distortion(t: Any, _: Conversion) -> Converted:
    return A.OpticalDistortion(tuple(t.distort_limit), t.mode, p=t.p, **frame(t))


def _resize(t: Any, _: Conversion) -> Converted:
    always(t)
    return A.Resize((t.height, t.width), **_resizing(t))


def _max_size(side: str) -> Callable[[Any, Conversion], Converted]:
    def convert(t: Any, _: Conversion) -> Converted:
        always(t)
        if not isinstance(t.max_size, int):
            raise NoEquivalentError("images would come out in many sizes: give one max_size")
        return A.Resize(t.max_size, side, **_resizing(t))

    return convert


def _resized_crop(t: Any, _: Conversion) -> Converted:
    always(t)
    mode = _resize_mode(t)
    return A.RandomResizedCrop(tuple(t.size), t.scale, t.ratio, "bilinear" if mode == "area" else mode)


def _box_safe_crop(t: Any, _: Conversion) -> Converted:
    always(t)
    only(t, "RandomSizedBBoxSafeCrop erodes each box, not what contains all of them", erosion_rate=0)
    mode = _resize_mode(t)
    return A.RandomSizedBBoxSafeCrop((t.height, t.width), resample="bilinear" if mode == "area" else mode)


def _crop(t: Any, _: Conversion) -> Converted:
    always(t)
    only(t, "it pads by as much as is missing, RandomCrop on both sides by it", pad_if_needed=False)
    return A.RandomCrop((t.height, t.width))


def _center_crop(t: Any, _: Conversion) -> Converted:
    always(t)
    only(t, "CenterCrop refuses images that are too small", pad_if_needed=False)
    return A.CenterCrop((t.height, t.width))


def _pad(t: Any, _: Conversion) -> Converted:
    always(t)
    return A.Pad(t.padding, *margin(t))


def _pad_if_needed(t: Any, _: Conversion) -> Converted:
    always(t)
    only(t, "PadTo pads at the right and at the bottom", position="top_left")
    only(t, "PadTo has a size", pad_height_divisor=None, pad_width_divisor=None)
    fill, mode = margin(t)
    return A.PadTo((t.min_height, t.min_width), mode, fill, crop_if_exceeds=False)


GEOMETRY: dict[str, Callable[[Any, Conversion], Converted]] = {
    "Affine": _affine,
    "CenterCrop": _center_crop,
    "D4": lambda t, _: A.D4(t.p),
    "GridDistortion": _grid_distortion,
    "HorizontalFlip": lambda t, _: A.RandomHorizontalFlip(t.p),
    "LongestMaxSize": _max_size("long"),
    "OpticalDistortion": _optical_distortion,
    "Pad": _pad,
    "PadIfNeeded": _pad_if_needed,
    "RandomCrop": _crop,
    "RandomGridShuffle": lambda t, _: A.RandomJigsaw(tuple(t.grid), ensure_perm=False, p=t.p),
    "RandomResizedCrop": _resized_crop,
    "RandomRotate90": lambda t, _: A.RandomRotation90((0, 3), p=t.p),
    "RandomSizedBBoxSafeCrop": _box_safe_crop,
    "Resize": _resize,
    "Rotate": _rotate,
    "ShiftScaleRotate": _affine,
    "SmallestMaxSize": _max_size("short"),
    "SquareSymmetry": lambda t, _: A.D4(t.p),
    "TimeReverse": lambda t, _: A.RandomHorizontalFlip(t.p),
    "Transpose": lambda t, _: A.Transpose(t.p),
    "VerticalFlip": lambda t, _: A.RandomVerticalFlip(t.p),
}
"""Converters of single transforms; the others are in `albumentations_recipes.REFUSED`."""
