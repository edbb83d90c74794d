"""The photometric operators of policies on bytes: each sample gets the operator that it drew, in a few passes.

Operators that map each level of a channel to a level become one table of 256 levels per sample and channel. Color
blends with gray, and Sharpness with a smoothed copy. The results are torchvision's to the level, truncations included.
"""

import functools
from collections.abc import Callable, Collection, Sequence

import torch
from torch import Tensor

from augment.data.color import weighted, with_rgb
from augment.data.constants import constant
from augment.data.context import compiling
from augment.data.operator import operator
from augment.data.pixels import (
    colours,
    each,
    materialized_image,
    on_colours,
    planes,
    stacked,
    to_bytes,
    to_float,
    whole_bytes,
)
from augment.data.subset import Drawn, Parts, on_chosen, rows_of, takes_rows
from augment.data.types import Bool, Float, Images, Integer, PerSample, Plane, Planes, UInt8
from augment.kernels.reference.levels import LEVELS, count_levels, equalizing_table

_LUMA = (0.2989, 0.587, 0.114)
"""torchvision's rounded weights of red, green and blue."""

_STRETCHED = frozenset({"AutoContrast", "Equalize"})
CURVED = _STRETCHED | {"Brightness", "Contrast", "Posterize", "Solarize", "SolarizeAdd", "Invert"}
COLOURED, SHARPENED = frozenset({"Color"}), frozenset({"Sharpness"})
PHOTOMETRIC = CURVED | COLOURED | SHARPENED

Bytes = UInt8[Tensor, "b c h w"]
Count = Callable[[Bytes, Bool[Tensor, " b"]], Integer[Tensor, "b c 256"]]


def drew(names: Sequence[str], op: PerSample, which: Collection[str]) -> Bool[Tensor, " b"]:
    """Returns (B,) which samples drew an operator in `which`; `op` (B,) are positions in `names`."""
    positions = [float(i) for i, name in enumerate(names) if name in which]
    if not compiling():
        return torch.isin(op, constant(positions, op))
    drawn = [op == i for i in positions]
    return functools.reduce(torch.logical_or, drawn) if drawn else torch.zeros_like(op, dtype=torch.bool)


@operator
def policy_step(
    image: Images, chosen: Bool[Tensor, " b"] | None, names: Sequence[str], op: PerSample, value: PerSample
) -> Images:
    """Applies to each chosen sample the photometric operator that it drew, if it drew one; alpha stays.

    Args:
        image: (B, C, H, W); floats are rounded to bytes for this and converted back.
        chosen: (B,) bool, which samples; None for all.
        names: names of the operators that a sample can draw.
        op: (B,) position in `names` of what each sample drew.
        value: (B,) argument of that operator, see `layers.policies.operators`.
    """

    def applied(parts: Parts, params: Drawn) -> Parts:
        (given,) = parts
        bytes = given if given.dtype == torch.uint8 else materialized_image(to_bytes(given))
        out = on_bytes(bytes, names, **params[0])
        return (out if given.dtype == torch.uint8 else to_float(out).to(given.dtype),)

    return on_chosen(chosen, applied, (image,), [{"op": op, "value": value}])[0]


def on_bytes(image: Bytes, names: Sequence[str], op: PerSample, value: PerSample) -> Bytes:
    """Does the same for all samples, which are bytes."""
    if colours(image.shape[1]) < image.shape[1]:
        return on_colours(image, lambda coloured: on_bytes(coloured, names, op, value))
    names = drawn_names(names, op)
    functions = ((CURVED, _through_tables), (COLOURED, _coloured), (SHARPENED, _sharpened))
    out: Bytes | Planes = image
    for which, function in functions:
        if not which.isdisjoint(names):
            out = _where_drawn(drew(names, op, which), function, image, out, names, op, value)
    return stacked(out)


def drawn_names(names: Sequence[str], op: PerSample) -> Sequence[str]:
    """Returns the names, with "" for operators that no sample drew, where reading that costs nothing (eager, CPU)."""
    if not takes_rows(op):
        return names
    positions = set(op.tolist())
    return [name if i in positions else "" for i, name in enumerate(names)]


def wanted(chosen: Bool[Tensor, " b"] | None, names: Sequence[str], op: PerSample) -> PerSample:
    """Returns (B,) positions in `names`, and len(names) for samples that are not chosen."""
    return op if chosen is None else torch.where(chosen, op, len(names))


def _where_drawn(
    chosen: Bool[Tensor, " b"],
    function: Callable[[Bytes, Sequence[str], PerSample, PerSample], Planes],
    image: Bytes,
    out: Bytes | Planes,
    names: Sequence[str],
    op: PerSample,
    value: PerSample,
) -> Bytes | Planes:
    """Returns `function` of the chosen images, and `out`, the result of earlier functions, for the others."""
    if not takes_rows(op):  # computed from `image`, so that compiled code has one pass for all operators
        new = function(image, names, op, value)
        return tuple(torch.where(chosen[:, None, None], *pair) for pair in zip(new, planes(out), strict=True))

    def applied(parts: Parts, params: Drawn) -> Parts:
        return (stacked(function(parts[0], names, params[0]["op"], params[0]["value"])),)

    return on_chosen(chosen, applied, (stacked(out),), [{"op": op, "value": value}])[0]


def _cut(levels: Tensor) -> Tensor:
    """Converts levels to bytes as torchvision does: clamps to [0, 255] and drops the fraction."""
    return whole_bytes(levels.clamp(0, LEVELS - 1))


def _grey(image: Bytes) -> Float[Tensor, "b h w"]:
    """Returns torchvision's gray (B, H, W) in whole levels; images without three channels give their mean."""
    levels = each(image, Tensor.float)
    if len(levels) < 3:
        return weighted(levels, [1 / len(levels)] * len(levels))
    return weighted(levels[:3], _LUMA).floor()


def _coloured(image: Bytes, names: Sequence[str], op: PerSample, value: PerSample) -> Planes:
    """Blends red, green and blue with gray; an image with fewer channels stays as it is."""
    factor, gray = value[:, None, None], _grey(image)
    return with_rgb(planes(image), lambda rgb: each(rgb, lambda p: _cut(p.float() * factor + gray * (1 - factor))))


def _sharpened(image: Bytes, names: Sequence[str], op: PerSample, value: PerSample) -> Planes:
    """Blends with a smoothed copy (a 3x3 filter of ones with a 5 in the centre, over 13); the outermost pixels stay."""
    height, width = image.shape[-2:]
    y, x = (torch.arange(extent, device=image.device) for extent in (height, width))
    inside = ((y > 0) & (y < height - 1))[:, None] & (x > 0) & (x < width - 1)

    def plane(level: Plane) -> Plane:
        # the input is padded instead of the result, because code for two sizes would be several passes
        padded = torch.nn.functional.pad(level, (1, 1, 1, 1))
        window = [padded[:, i : i + height, j : j + width].float() for i in range(3) for j in range(3)]
        smooth = ((sum(window) + 4 * window[4]) / 13).round()
        return _cut(window[4] + torch.where(inside, (1 - value[:, None, None]) * (smooth - window[4]), 0.0))

    return each(image, plane)


def _through_tables(image: Bytes, names: Sequence[str], op: PerSample, value: PerSample) -> Planes:
    """Applies the operators that map each level of a channel to a level, by tables."""
    tables = level_tables(image, names, op, value, _counts).expand(-1, image.shape[1], -1)  # (B, C, 256)
    pairs = zip(planes(image), tables.unbind(1), strict=True)
    return tuple(table.gather(1, plane.flatten(1).to(torch.int64)).view(plane.shape) for plane, table in pairs)


def level_tables(
    image: Bytes, names: Sequence[str], op: PerSample, value: PerSample, count: Count
) -> UInt8[Tensor, "b c2 256"]:
    """Returns the new value of each level, (B, C, 256), or (B, 1, 256) if all channels share it.

    Args:
        image, names, op, value: see `policy_step`.
        count: computes the histograms of the given samples; the result for other samples is not used.
    """
    value = value[:, None, None]
    level = torch.arange(float(LEVELS), device=value.device)
    table = level.expand(value.shape[0], 1, LEVELS)

    def choose(name: str, curve: Tensor) -> None:
        nonlocal table
        if name in names:
            table = torch.where(drew(names, op, {name})[:, None, None], curve, table)

    choose("Brightness", level * value)
    if "Contrast" in names:
        mean = _statistic(image, drew(names, op, {"Contrast"}), lambda images: _grey(images).mean((1, 2)))
        mean = mean[:, None, None]
        choose("Contrast", level * value + mean * (1 - value))
    spacing = (LEVELS / torch.exp2(value)).clamp(1, LEVELS)  # distance of the levels that remain
    choose("Posterize", torch.floor(level / spacing) * spacing)
    choose("Solarize", torch.where(level >= value, LEVELS - 1 - level, level))
    choose("SolarizeAdd", torch.where(level < 128, level + value, level))
    choose("Invert", LEVELS - 1 - level)
    if not _STRETCHED.isdisjoint(names):
        counts = count(image, drew(names, op, _STRETCHED))
        choose("AutoContrast", _stretching_table(counts, level))
        choose("Equalize", equalizing_table(counts).to(level.dtype))
    return _cut(table)


def _statistic(image: Bytes, wanted: Bool[Tensor, " b"], function: Callable[[Bytes], Tensor]) -> Tensor:
    """Returns a statistic (B, ...) that is computed at least for the wanted samples; others may be 0."""
    rows = rows_of(wanted)
    if rows is None:
        return function(image)
    found = function(image.index_select(0, rows))
    return found.new_zeros(wanted.shape[0], *found.shape[1:]).index_copy(0, rows, found)


def _counts(image: Bytes, wanted: Bool[Tensor, " b"]) -> Integer[Tensor, "b c 256"]:
    """Counts how many pixels of a channel have each level, at least for the wanted samples; others may be 0."""
    return _statistic(image, wanted, count_levels)


def _stretching_table(counts: Integer[Tensor, "b c 256"], level: Float[Tensor, " 256"]) -> Float[Tensor, "b c 256"]:
    """Returns tables that map the smallest level of a channel to 0 and the largest to 255."""
    occurs = counts > 0
    low = torch.where(occurs, level, float(LEVELS)).amin(-1, keepdim=True)
    high = torch.where(occurs, level, -1.0).amax(-1, keepdim=True)
    flat = high <= low
    scale = torch.where(flat, 1.0, (high - low) * (1.0 / (LEVELS - 1)))
    return torch.where(flat, level, (level - low) / scale)
