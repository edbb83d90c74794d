"""The photometric operators of policies, on bytes: every sample its own, in a few passes over all of them.

Everything that maps a level of a channel to a level is one table of 256 levels per sample and channel; Color blends
with gray, Sharpness with a smoothed copy. torchvision's results are matched to the level, its truncations included.
"""

from collections.abc import Callable, Collection, Sequence

import torch
from torch import Tensor

from augment.filtering.tables import LEVELS, equalizing_table, histogram
from augment.rows import on_chosen, rows_of
from augment.types import Bool, Float, Integer, Params, PerSample, UInt8

_LUMA = (0.2989, 0.587, 0.114)
"""torchvision's weights of red, green and blue, which it rounds."""

_STRETCHED = frozenset({"AutoContrast", "Equalize"})
_CURVED = _STRETCHED | {"Brightness", "Contrast", "Posterize", "Solarize", "SolarizeAdd", "Invert"}
PHOTOMETRIC = _CURVED | {"Color", "Sharpness"}

Bytes = UInt8[Tensor, "b h w"]
Levels = Float[Tensor, "b h w"]


def drew(names: Sequence[str], op: PerSample, which: Collection[str]) -> Bool[Tensor, " b"]:
    """Who drew one of some operators; `op` counts through `names`."""
    drawn = torch.zeros_like(op, dtype=torch.bool)
    for i, name in enumerate(names):
        if name in which:
            drawn = drawn | (op == i)
    return drawn


def on_bytes(values: tuple[Bytes, ...], names: Sequence[str], op: PerSample, value: PerSample) -> tuple[Bytes, ...]:
    """Carries out the photometric operator that each sample drew, none where it drew another.

    Args:
        values: the planes of the image.
        names: of the operators to choose among.
        op, value: which of them, and its value, see `operators`.
    """
    drawn = [{"op": op, "value": value}]
    if not _CURVED.isdisjoint(names):
        values = on_chosen(drew(names, op, _CURVED), lambda v, p: _through_tables(v, names, **p[0]), values, drawn)
    if "Color" in names and len(values) >= 3:
        coloured = on_chosen(drew(names, op, {"Color"}), lambda v, p: _coloured(v, p[0]), values[:3], drawn)
        values = (*coloured, *values[3:])
    if "Sharpness" in names and min(values[0].shape[1:]) > 2:
        values = on_chosen(drew(names, op, {"Sharpness"}), lambda v, p: _sharpened(v, p[0]), values, drawn)
    return values


@torch.library.custom_op("augment::on_bytes", mutates_args=())
def on_bytes_by_rows(image: Tensor, names: str, op: Tensor, value: Tensor) -> Tensor:
    """`on_bytes` for compiled code on a CPU, (B, C, H, W): the compiler leaves it alone, so that it takes rows out."""
    return torch.stack(on_bytes(image.unbind(1), names.split(), op, value), dim=1)


@on_bytes_by_rows.register_fake
def _(image: Tensor, names: str, op: Tensor, value: Tensor) -> Tensor:
    return torch.empty_like(image, memory_format=torch.contiguous_format)


def _cut(levels: Tensor) -> Tensor:
    """To bytes as torchvision does: cut to the range, the fraction dropped."""
    return levels.clamp(0, LEVELS - 1).to(torch.uint8)


def _grey(values: tuple[Bytes, ...]) -> Levels:
    """Whole levels, as torchvision's; the mean of the channels that are not three."""
    if len(values) < 3:
        return sum(v.float() for v in values) / len(values)
    return sum(v.float() * weight for v, weight in zip(values, _LUMA, strict=False)).floor()


def _coloured(values: tuple[Bytes, ...], params: Params) -> tuple[Bytes, ...]:
    """Blends three channels with gray."""
    factor = params["value"][:, None, None]
    rest = _grey(values) * (1 - factor)
    return tuple(_cut(v.float() * factor + rest) for v in values)


def _sharpened(values: tuple[Bytes, ...], params: Params) -> tuple[Bytes, ...]:
    """Blends with a smoothed copy (ones around a five, over 13); the outermost pixels stay."""
    return tuple(_blended_with_smooth(v.float(), params["value"][:, None, None]) for v in values)


def _blended_with_smooth(level: Levels, factor: Float[Tensor, "b 1 1"]) -> Bytes:
    rows = level[:, :-2] + level[:, 1:-1] + level[:, 2:]
    inner = level[:, 1:-1, 1:-1]
    smooth = ((rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:] + 4 * inner) / 13).round()
    change = torch.nn.functional.pad((1 - factor) * (smooth - inner), (1, 1, 1, 1))
    return _cut(level + change)


def _through_tables(
    values: tuple[Bytes, ...], names: Sequence[str], op: PerSample, value: PerSample
) -> tuple[Bytes, ...]:
    """Everything that maps a level of a channel to a level, whatever it was that each sample drew."""
    table = _tables(values, names, op, value)
    offset = torch.arange(len(table), device=table.device, dtype=torch.int32)[:, None, None] * LEVELS
    flat = [table[:, c].reshape(-1) for c in range(table.shape[1])]
    return tuple(_looked_up(flat[c if len(flat) > 1 else 0], v.to(torch.int32) + offset) for c, v in enumerate(values))


def _looked_up(table: UInt8[Tensor, " n"], index: Integer[Tensor, "b h w"]) -> Bytes:
    return table.index_select(0, index.reshape(-1)).view(index.shape)


def _tables(
    values: tuple[Bytes, ...], names: Sequence[str], op: PerSample, value: PerSample
) -> UInt8[Tensor, "b c2 256"]:
    """(B, C, 256), or (B, 1, 256) where the channels share it: what each level becomes."""
    value = value[:, None, None]
    level = torch.arange(float(LEVELS), device=value.device)
    table = level.expand(len(value), 1, LEVELS)

    def choose(name: str, curve: Tensor) -> None:
        nonlocal table
        if name in names:
            table = torch.where(drew(names, op, {name})[:, None, None], curve, table)

    choose("Brightness", level * value)
    if "Contrast" in names:
        mean = _statistic(values, drew(names, op, {"Contrast"}), lambda some: _grey(some).mean((1, 2)))[:, None, None]
        choose("Contrast", level * value + mean * (1 - value))
    bits = (LEVELS / torch.exp2(value)).clamp(1, LEVELS)  # the step between the levels that are kept
    choose("Posterize", torch.floor(level / bits) * bits)
    choose("Solarize", torch.where(level >= value, LEVELS - 1 - level, level))
    choose("SolarizeAdd", torch.where(level < 128, level + value, level))
    choose("Invert", LEVELS - 1 - level)
    if not _STRETCHED.isdisjoint(names):
        counts = _statistic(values, drew(names, op, _STRETCHED), _counts)
        choose("AutoContrast", _stretching_table(counts, level))
        choose("Equalize", equalizing_table(counts).to(level.dtype))
    return _cut(table)


def _statistic(
    values: tuple[Bytes, ...], wanted: Bool[Tensor, " b"], function: Callable[[tuple[Bytes, ...]], Tensor]
) -> Tensor:
    """(B, ...), a statistic of the images at least of the samples that want it."""
    rows = rows_of(wanted)
    if rows is None:
        return function(values)
    some = function(tuple(v[rows] for v in values))
    return some.new_zeros(len(wanted), *some.shape[1:]).index_copy(0, rows, some)


def _counts(values: tuple[Bytes, ...]) -> Integer[Tensor, "b c 256"]:
    """How many pixels of a channel have each level."""
    return torch.stack([histogram(v.flatten(1).to(torch.int64)) for v in values], dim=1)


def _stretching_table(counts: Integer[Tensor, "b c 256"], level: Float[Tensor, " 256"]) -> Float[Tensor, "b c 256"]:
    """Takes the smallest level of a channel to 0 and the largest to 255."""
    there = counts > 0
    low = torch.where(there, level, float(LEVELS)).amin(-1, keepdim=True)
    high = torch.where(there, level, -1.0).amax(-1, keepdim=True)
    flat = high <= low
    scale = torch.where(flat, 1.0, (high - low) * (1.0 / (LEVELS - 1)))
    return torch.where(flat, level, (level - low) / scale)
