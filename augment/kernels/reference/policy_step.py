"""The photometric operators of policies, on bytes: every sample its own, in a few passes over all of them.

Everything that maps a level of a channel to a level is one table of 256 levels per sample and channel; Color blends
with gray, Sharpness with a smoothed copy. torchvision's results are matched to the level, its truncations included.
"""

import functools
from collections.abc import Callable, Collection, Sequence

import torch
from torch import Tensor

from augment.data.color import weighted, with_rgb
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
"""torchvision's weights of red, green and blue, which it rounds."""

_STRETCHED = frozenset({"AutoContrast", "Equalize"})
CURVED = _STRETCHED | {"Brightness", "Contrast", "Posterize", "Solarize", "SolarizeAdd", "Invert"}
COLOURED, SHARPENED = frozenset({"Color"}), frozenset({"Sharpness"})
PHOTOMETRIC = CURVED | COLOURED | SHARPENED

Bytes = UInt8[Tensor, "b c h w"]
Count = Callable[[Bytes, Bool[Tensor, " b"]], Integer[Tensor, "b c 256"]]


def drew(names: Sequence[str], op: PerSample, which: Collection[str]) -> Bool[Tensor, " b"]:
    """Who drew one of some operators; `op` counts through `names`."""
    drawn = [op == i for i, name in enumerate(names) if name in which]
    return functools.reduce(torch.logical_or, drawn) if drawn else torch.zeros_like(op, dtype=torch.bool)


@operator
def policy_step(
    image: Images, chosen: Bool[Tensor, " b"] | None, names: Sequence[str], op: PerSample, value: PerSample
) -> Images:
    """Carries out the photometric operator that each chosen sample drew, none where it drew another; alpha stays.

    Args:
        image: (B, C, H, W); floats are rounded to bytes, and become floats again.
        chosen: (B,) which samples; None for all.
        names: of the operators to choose among.
        op, value: (B,) which of them, and its value, see `layers.policies.operators`.
    """

    def carried_out(some: Parts, params: Drawn) -> Parts:
        image = some[0] if some[0].dtype == torch.uint8 else materialized_image(to_bytes(some[0]))
        image = on_bytes(image, names, **params[0])
        return (image if some[0].dtype == torch.uint8 else to_float(image).to(some[0].dtype),)

    return on_chosen(chosen, carried_out, (image,), [{"op": op, "value": value}])[0]


def on_bytes(image: Bytes, names: Sequence[str], op: PerSample, value: PerSample) -> Bytes:
    """The same for all samples of bytes."""
    if colours(image.shape[1]) < image.shape[1]:
        return on_colours(image, lambda coloured: on_bytes(coloured, names, op, value))
    names = drawn_names(names, op)
    functions = ((CURVED, _through_tables), (COLOURED, _coloured), (SHARPENED, _sharpened))
    out: Bytes | Planes = image
    for which, function in functions:
        if not which.isdisjoint(names):
            out = _for_those(drew(names, op, which), function, image, out, names, op, value)
    return stacked(out)


def drawn_names(names: Sequence[str], op: PerSample) -> Sequence[str]:
    """The names, empty where no sample drew the operator, if it pays to look: the others need not be computed."""
    if not takes_rows(op):
        return names
    drawn = set(op.tolist())
    return [name if i in drawn else "" for i, name in enumerate(names)]


def wanted(chosen: Bool[Tensor, " b"] | None, names: Sequence[str], op: PerSample) -> PerSample:
    """(B,) operators, beyond the last one for samples that are not chosen."""
    return op if chosen is None else torch.where(chosen, op, len(names))


def _for_those(
    chosen: Bool[Tensor, " b"],
    function: Callable[[Bytes, Sequence[str], PerSample, PerSample], Planes],
    image: Bytes,
    out: Bytes | Planes,
    names: Sequence[str],
    op: PerSample,
    value: PerSample,
) -> Bytes | Planes:
    """`function` of the chosen images, for the others what they have become already."""
    if not takes_rows(op):  # from the image, so that compiled code has one pass for all operators
        new = function(image, names, op, value)
        return tuple(torch.where(chosen[:, None, None], *pair) for pair in zip(new, planes(out), strict=True))

    def applied(some: Parts, params: Drawn) -> Parts:
        return (stacked(function(some[0], names, params[0]["op"], params[0]["value"])),)

    return on_chosen(chosen, applied, (stacked(out),), [{"op": op, "value": value}])[0]


def _cut(levels: Tensor) -> Tensor:
    """To bytes as torchvision does: cut to the range, the fraction dropped."""
    return whole_bytes(levels.clamp(0, LEVELS - 1))


def _grey(image: Bytes) -> Float[Tensor, "b h w"]:
    """Whole levels, as torchvision's; the mean of the channels that are not three."""
    levels = each(image, Tensor.float)
    if len(levels) < 3:
        return weighted(levels, [1 / len(levels)] * len(levels))
    return weighted(levels[:3], _LUMA).floor()


def _coloured(image: Bytes, names: Sequence[str], op: PerSample, value: PerSample) -> Planes:
    """Blends red, green and blue with gray; where there are no such, nothing changes."""
    factor, gray = value[:, None, None], _grey(image)
    return with_rgb(planes(image), lambda rgb: each(rgb, lambda p: _cut(p.float() * factor + gray * (1 - factor))))


def _sharpened(image: Bytes, names: Sequence[str], op: PerSample, value: PerSample) -> Planes:
    """Blends with a smoothed copy (ones around a five, over 13); the outermost pixels stay."""
    height, width = image.shape[-2:]
    y, x = (torch.arange(extent, device=image.device) for extent in (height, width))
    inside = ((y > 0) & (y < height - 1))[:, None] & (x > 0) & (x < width - 1)

    def plane(level: Plane) -> Plane:
        # a margin around what is read, not around what is computed: sizes that differ compile into several passes
        padded = torch.nn.functional.pad(level, (1, 1, 1, 1))
        around = [padded[:, i : i + height, j : j + width].float() for i in range(3) for j in range(3)]
        smooth = ((sum(around) + 4 * around[4]) / 13).round()
        return _cut(around[4] + torch.where(inside, (1 - value[:, None, None]) * (smooth - around[4]), 0.0))

    return each(image, plane)


def _through_tables(image: Bytes, names: Sequence[str], op: PerSample, value: PerSample) -> Planes:
    """Everything that maps a level of a channel to a level, whatever it was that each sample drew."""
    tables = level_tables(image, names, op, value, _counts).expand(-1, image.shape[1], -1)  # (B, C, 256)
    flat = zip(planes(image), tables.unbind(1), strict=True)
    return tuple(table.gather(1, plane.flatten(1).to(torch.int64)).view(plane.shape) for plane, table in flat)


def level_tables(
    image: Bytes, names: Sequence[str], op: PerSample, value: PerSample, count: Count
) -> UInt8[Tensor, "b c2 256"]:
    """(B, C, 256), or (B, 1, 256) where the channels share it: what each level becomes.

    Args:
        image, names, op, value: see `on_bytes`.
        count: histograms of the images, at least of the samples that want one.
    """
    value = value[:, None, None]
    level = torch.arange(float(LEVELS), device=value.device)
    table = level.expand(len(value), 1, LEVELS)

    def choose(name: str, curve: Tensor) -> None:
        nonlocal table
        if name in names:
            table = torch.where(drew(names, op, {name})[:, None, None], curve, table)

    choose("Brightness", level * value)
    if "Contrast" in names:
        mean = _statistic(image, drew(names, op, {"Contrast"}), lambda some: _grey(some).mean((1, 2)))[:, None, None]
        choose("Contrast", level * value + mean * (1 - value))
    bits = (LEVELS / torch.exp2(value)).clamp(1, LEVELS)  # the step between the levels that are kept
    choose("Posterize", torch.floor(level / bits) * bits)
    choose("Solarize", torch.where(level >= value, LEVELS - 1 - level, level))
    choose("SolarizeAdd", torch.where(level < 128, level + value, level))
    choose("Invert", LEVELS - 1 - level)
    if not _STRETCHED.isdisjoint(names):
        counts = count(image, drew(names, op, _STRETCHED))
        choose("AutoContrast", _stretching_table(counts, level))
        choose("Equalize", equalizing_table(counts).to(level.dtype))
    return _cut(table)


def _statistic(image: Bytes, wanted: Bool[Tensor, " b"], function: Callable[[Bytes], Tensor]) -> Tensor:
    """(B, ...), a statistic of the images at least of the samples that want it."""
    rows = rows_of(wanted)
    if rows is None:
        return function(image)
    some = function(image.index_select(0, rows))
    return some.new_zeros(len(wanted), *some.shape[1:]).index_copy(0, rows, some)


def _counts(image: Bytes, wanted: Bool[Tensor, " b"]) -> Integer[Tensor, "b c 256"]:
    """How many pixels of a channel have each level, at least in the samples that want it."""
    return _statistic(image, wanted, count_levels)


def _stretching_table(counts: Integer[Tensor, "b c 256"], level: Float[Tensor, " 256"]) -> Float[Tensor, "b c 256"]:
    """Takes the smallest level of a channel to 0 and the largest to 255."""
    there = counts > 0
    low = torch.where(there, level, float(LEVELS)).amin(-1, keepdim=True)
    high = torch.where(there, level, -1.0).amax(-1, keepdim=True)
    flat = high <= low
    scale = torch.where(flat, 1.0, (high - low) * (1.0 / (LEVELS - 1)))
    return torch.where(flat, level, (level - low) / scale)
