"""The photometric operators of policies, on bytes: every sample its own, in a few passes over all of them.

Everything that maps a level of a channel to a level is one table of 256 levels per sample and channel; Color blends
with gray, Sharpness with a smoothed copy. torchvision's results are matched to the level, its truncations included.
"""

import functools
from collections.abc import Callable, Collection, Sequence

import torch
from torch import Tensor

from augment.filtering.tables import LEVELS, equalizing_table, histogram
from augment.native import library
from augment.native.policy import carried_out
from augment.pixels import whole_bytes
from augment.rows import Drawn, Parts, on_chosen, rows_of, takes_rows
from augment.types import Bool, Float, Integer, PerSample, UInt8

_LUMA = (0.2989, 0.587, 0.114)
"""torchvision's weights of red, green and blue, which it rounds."""

_STRETCHED = frozenset({"AutoContrast", "Equalize"})
_CURVED = _STRETCHED | {"Brightness", "Contrast", "Posterize", "Solarize", "SolarizeAdd", "Invert"}
PHOTOMETRIC = _CURVED | {"Color", "Sharpness"}

Bytes = UInt8[Tensor, "b c h w"]


def drew(names: Sequence[str], op: PerSample, which: Collection[str]) -> Bool[Tensor, " b"]:
    """Who drew one of some operators; `op` counts through `names`."""
    drawn = [op == i for i, name in enumerate(names) if name in which]
    return functools.reduce(torch.logical_or, drawn) if drawn else torch.zeros_like(op, dtype=torch.bool)


def on_bytes(image: Bytes, names: Sequence[str], op: PerSample, value: PerSample) -> Bytes:
    """Carries out the photometric operator that each sample drew, none where it drew another.

    Args:
        image: (B, C, H, W).
        names: of the operators to choose among.
        op, value: which of them, and its value, see `operators`.
    """
    channels, height, width = image.shape[1:]
    if takes_rows(op):
        drawn = set(op.tolist())
        names = [name if i in drawn else "" for i, name in enumerate(names)]  # what nobody drew need not be computed
    image = _for_those(_CURVED, _through_tables, image, names, op, value)
    if channels == 3:
        image = _for_those({"Color"}, _coloured, image, names, op, value)
    elif channels > 3:
        coloured = _for_those({"Color"}, _coloured, image[:, :3], names, op, value)
        image = torch.cat([coloured, image[:, 3:]], dim=1)
    if min(height, width) > 2:
        image = _for_those({"Sharpness"}, _sharpened, image, names, op, value)
    return image


def _for_those(
    which: Collection[str],
    function: Callable[[Bytes, Sequence[str], PerSample, PerSample], Bytes],
    image: Bytes,
    names: Sequence[str],
    op: PerSample,
    value: PerSample,
) -> Bytes:
    """`function` of the samples that drew one of some operators."""
    if set(which).isdisjoint(names):
        return image

    def applied(some: Parts, params: Drawn) -> Parts:
        return (function(some[0], names, params[0]["op"], params[0]["value"]),)

    return on_chosen(drew(names, op, which), applied, (image,), [{"op": op, "value": value}])[0]


def changed(image: Tensor, names: str, op: Tensor, value: Tensor) -> Tensor:
    """`on_bytes` on a CPU, of the samples that drew something; the names stand in one string."""
    if library.AVAILABLE:
        return carried_out(image, names.split(), op, value)
    out = on_bytes(image, names.split(), op, value)
    return image.clone(memory_format=torch.contiguous_format) if out is image else out.contiguous()


on_bytes_by_rows = torch.library.custom_op("augment::on_bytes", mutates_args=())(changed)
"""The same for compiled code, which leaves it alone; in eager mode it would load the compiler."""


@on_bytes_by_rows.register_fake
def _(image: Tensor, names: str, op: Tensor, value: Tensor) -> Tensor:
    return torch.empty_like(image, memory_format=torch.contiguous_format)


def _cut(levels: Tensor) -> Tensor:
    """To bytes as torchvision does: cut to the range, the fraction dropped."""
    return whole_bytes(levels.clamp(0, LEVELS - 1))


def _grey(image: Bytes) -> Float[Tensor, "b h w"]:
    """Whole levels, as torchvision's; the mean of the channels that are not three."""
    level = image.float()
    if image.shape[1] < 3:
        return level.mean(1)
    red, green, blue = (level[:, i] * weight for i, weight in enumerate(_LUMA))
    return (red + green + blue).floor()


def _coloured(image: Bytes, names: Sequence[str], op: PerSample, value: PerSample) -> Bytes:
    """Blends three channels with gray."""
    factor = value[:, None, None, None]
    return _cut(image.float() * factor + _grey(image)[:, None] * (1 - factor))


def _sharpened(image: Bytes, names: Sequence[str], op: PerSample, value: PerSample) -> Bytes:
    """Blends with a smoothed copy (ones around a five, over 13); the outermost pixels stay."""
    level = image.float()
    rows = level[..., :-2, :] + level[..., 1:-1, :] + level[..., 2:, :]
    inner = level[..., 1:-1, 1:-1]
    smooth = ((rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:] + 4 * inner) / 13).round()
    change = torch.nn.functional.pad((1 - value[:, None, None, None]) * (smooth - inner), (1, 1, 1, 1))
    return _cut(level + change)


def _through_tables(image: Bytes, names: Sequence[str], op: PerSample, value: PerSample) -> Bytes:
    """Everything that maps a level of a channel to a level, whatever it was that each sample drew."""
    table = _tables(image, names, op, value)  # (B, C or 1, 256)
    table = table.expand(-1, image.shape[1], -1)
    return table.gather(2, image.flatten(2).to(torch.int64)).view(image.shape)


def _tables(image: Bytes, names: Sequence[str], op: PerSample, value: PerSample) -> UInt8[Tensor, "b c2 256"]:
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
        mean = _statistic(image, drew(names, op, {"Contrast"}), lambda some: _grey(some).mean((1, 2)))[:, None, None]
        choose("Contrast", level * value + mean * (1 - value))
    bits = (LEVELS / torch.exp2(value)).clamp(1, LEVELS)  # the step between the levels that are kept
    choose("Posterize", torch.floor(level / bits) * bits)
    choose("Solarize", torch.where(level >= value, LEVELS - 1 - level, level))
    choose("SolarizeAdd", torch.where(level < 128, level + value, level))
    choose("Invert", LEVELS - 1 - level)
    if not _STRETCHED.isdisjoint(names):
        counts = _statistic(image, drew(names, op, _STRETCHED), _counts)
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


def _counts(image: Bytes) -> Integer[Tensor, "b c 256"]:
    """How many pixels of a channel have each level."""
    return histogram(image.flatten(2).to(torch.int64))


def _stretching_table(counts: Integer[Tensor, "b c 256"], level: Float[Tensor, " 256"]) -> Float[Tensor, "b c 256"]:
    """Takes the smallest level of a channel to 0 and the largest to 255."""
    there = counts > 0
    low = torch.where(there, level, float(LEVELS)).amin(-1, keepdim=True)
    high = torch.where(there, level, -1.0).amax(-1, keepdim=True)
    flat = high <= low
    scale = torch.where(flat, 1.0, (high - low) * (1.0 / (LEVELS - 1)))
    return torch.where(flat, level, (level - low) / scale)
