"""One step of a policy: every sample has its own operator, all samples are done at once.

Whatever each sample drew, a step is one warp with a matrix per sample, one table of 256 levels per sample and channel,
and two blends with weights per sample. That is less work than any two operators for all, and it does not grow with the
number of operators to choose among. Values are bytes, as the operators are defined on them; torchvision's results are
matched to the level, its truncations included.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from augment import matrix as mat
from augment.base import Layer
from augment.batch import Batch
from augment.distributions import Bernoulli, Choice
from augment.filtering.tables import LEVELS, equalizing_table, histogram
from augment.geometric.affine import about_centre, rotation
from augment.layer import Warp, check_dense
from augment.pixels import planes, to_bytes, to_float
from augment.policies.operators import GEOMETRIC, Operator, value_of
from augment.shorthand import Quantity
from augment.types import Float, Matrices, Noise, Num, Params, PerSample, Plane, Size, UInt8

_LUMA = (0.2989, 0.587, 0.114)
"""torchvision's weights of red, green and blue, which it rounds."""


def _chosen(operators: tuple[Operator, ...], params: Params, name: str) -> PerSample | None:
    """(B,) bool, who drew an operator; None if it is not among them."""
    names = [operator.name for operator in operators]
    return params["op"] == names.index(name) if name in names else None


def _value(operators: tuple[Operator, ...], params: Params, name: str, rest: float) -> PerSample | float:
    """(B,) the value of those who drew an operator, and what changes nothing for the others."""
    chosen = _chosen(operators, params, name)
    return rest if chosen is None else torch.where(chosen, params["value"], rest)


class SlotWarp(Warp):
    """The geometric half of a step: shear, shift or rotation, or nothing, for each sample.

    Args:
        operators: those to choose among.
        resample: "nearest", "bilinear" or "bicubic".
        fill: value outside of the image, in [0, 1].
    """

    padding = "zeros"

    def __init__(self, operators: tuple[Operator, ...], resample: str, fill: float) -> None:
        super().__init__()
        self.operators, self.resample, self.fill = operators, resample, fill

    def resolve(self, params: Params, size: Size) -> Params:
        """`op`, which operator, and its `value`, see `operators`."""
        value = value_of(self.operators, params["op"], params["level"], params["sign"], size)
        return {"op": params["op"], "value": value} | {k: params[k] for k in ("gate",) if k in params}

    def matrix(self, size: Size, params: Params, like: Tensor) -> Matrices:
        shear_x, shear_y, left, top, degrees = (
            like.new_zeros(len(like)) + _value(self.operators, params, name, 0.0)
            for name in ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate")
        )
        # at most one differs from the identity, so that their order does not matter; shears hold the image's corner
        shift = mat.translation(-left, -top, like)
        shear = mat.matrix(((1.0, shear_x, shear_x / 2), (shear_y, 1.0, shear_y / 2), (0.0, 0.0, 1.0)), like)
        return mat.compose(about_centre(size, rotation(degrees, like)), shear, shift)

    def describe(self, params: Params) -> dict[str, object]:
        return _described(self.operators, params, geometric=True)


class SlotPixels(Layer):
    """The photometric half of a step, on bytes.

    Args:
        operators: those to choose among.
    """

    def __init__(self, operators: tuple[Operator, ...]) -> None:
        super().__init__()
        self.operators = operators

    def resolve(self, params: Params, size: Size) -> Params:
        """`op`, which operator, and its `value`, see `operators`."""
        value = value_of(self.operators, params["op"], params["level"], params["sign"], size)
        return {"op": params["op"], "value": value} | {k: params[k] for k in ("gate",) if k in params}

    def apply(self, batch: Batch, params: list[Params], run: list[Layer]) -> Batch:
        """Bytes stay bytes; floats are rounded to levels where an operator acts and otherwise stay what they are."""
        (drawn,) = params
        check_dense(self, batch)
        resolved = self.resolve(drawn, batch.size)
        gate = resolved.pop("gate", None)
        if gate is not None:
            resolved["op"] = torch.where(gate, resolved["op"], -1)
        before = planes(batch.image)
        values = tuple(to_bytes(plane) for plane in before)
        if torch.compiler.is_compiling():
            # written once as one tensor, or the compiler computes them again for every operator that reads them
            values = torch.stack(values, dim=1).unbind(1)
        after = on_bytes(values, self.operators, resolved)
        if before[0].dtype != torch.uint8:
            acts = self._acts(resolved)
            after = tuple(_where(acts, to_float(new), to_float(old)) for new, old in zip(after, before, strict=True))
        return batch.replace(image=after)

    def _acts(self, params: Params) -> PerSample:
        acts = torch.zeros_like(params["op"], dtype=torch.bool)
        for i, operator in enumerate(self.operators):
            if operator.name not in GEOMETRIC and operator.name != "Identity":
                acts = acts | (params["op"] == i)
        return acts

    def describe(self, params: Params) -> dict[str, object]:
        return _described(self.operators, params, geometric=False)


def _described(operators: tuple[Operator, ...], params: Params, geometric: bool) -> dict[str, object]:
    """The operator's name and value, for the half of the step that carries it out."""
    operator = operators[int(params["op"][0])]
    if (operator.name in GEOMETRIC) != geometric:
        return {"applied": False}
    return {"operator": operator.name, "value": float(params["value"][0])}


Bytes = UInt8[Tensor, "b h w"]
Levels = Float[Tensor, "b h w"]


def on_bytes(values: tuple[Bytes, ...], operators: tuple[Operator, ...], params: Params) -> tuple[Bytes, ...]:
    """Carries out the photometric operator that each sample drew (`op`, `value`), none where op is -1."""
    out = _through_tables(values, operators, params)
    coloured = _chosen(operators, params, "Color")
    if coloured is not None and len(values) >= 3:
        grey = _grey(values)
        factor = params["value"][:, None, None]
        blended = (_cut(v.float() * factor + grey * (1 - factor)) for v in values[:3])
        out = (*(_where(coloured, new, old) for new, old in zip(blended, out[:3], strict=True)), *out[3:])
    sharpened = _chosen(operators, params, "Sharpness")
    if sharpened is not None and min(values[0].shape[1:]) > 2:
        factor = params["value"][:, None, None]
        out = tuple(_where(sharpened, _sharpened(v, factor), o) for v, o in zip(values, out, strict=True))
    return out


def _where(chosen: PerSample, new: Plane, old: Plane) -> Plane:
    return torch.where(chosen[:, None, None], new, old)


def _cut(levels: Tensor) -> Tensor:
    """To bytes as torchvision does: cut to the range, the fraction dropped."""
    return levels.clamp(0, LEVELS - 1).to(torch.uint8)


def _grey(values: tuple[Bytes, ...]) -> Levels:
    """Whole levels, as torchvision's; the mean of the channels that are not three."""
    if len(values) < 3:
        return sum(v.float() for v in values) / len(values)
    return sum(v.float() * weight for v, weight in zip(values, _LUMA, strict=False)).floor()


def _sharpened(value: Bytes, factor: Float[Tensor, "b 1 1"]) -> Bytes:
    """Blends with a smoothed copy (ones around a five, over 13); the outermost pixels stay."""
    level = value.float()
    rows = level[:, :-2] + level[:, 1:-1] + level[:, 2:]
    inner = level[:, 1:-1, 1:-1]
    smooth = ((rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:] + 4 * inner) / 13).round()
    change = torch.nn.functional.pad((1 - factor) * (smooth - inner), (1, 1, 1, 1))
    return _cut(level + change)


def _through_tables(values: tuple[Bytes, ...], operators: tuple[Operator, ...], params: Params) -> tuple[Bytes, ...]:
    """Everything that maps a level of a channel to a level, whatever it was that each sample drew."""
    names = {operator.name for operator in operators}
    if not names - GEOMETRIC - {"Identity", "Color", "Sharpness"}:
        return values
    counts = None
    if names & {"AutoContrast", "Equalize"}:
        counts = torch.stack([histogram(v.flatten(1).to(torch.int64)) for v in values], dim=1)
    table = _tables(values, operators, params, counts)
    offset = torch.arange(len(table), device=table.device, dtype=torch.int32)[:, None, None] * LEVELS
    flat = [table[:, c].reshape(-1) for c in range(table.shape[1])]
    return tuple(flat[c if len(flat) > 1 else 0][value.to(torch.int32) + offset] for c, value in enumerate(values))


def _tables(
    values: tuple[Bytes, ...],
    operators: tuple[Operator, ...],
    params: Params,
    counts: Num[Tensor, "b c 256"] | None,
) -> UInt8[Tensor, "b c2 256"]:
    """(B, C, 256), or (B, 1, 256) where the channels share it: what each level becomes."""
    value = params["value"][:, None, None]
    level = torch.arange(float(LEVELS), device=value.device)
    table = level.expand(len(value), 1, LEVELS)

    def choose(name: str, curve: Tensor) -> None:
        nonlocal table
        chosen = _chosen(operators, params, name)
        if chosen is not None:
            table = torch.where(chosen[:, None, None], curve, table)

    names = {operator.name for operator in operators}
    choose("Brightness", level * value)
    if "Contrast" in names:
        mean = _grey(values).mean((1, 2))[:, None, None]
        choose("Contrast", level * value + mean * (1 - value))
    bits = (LEVELS / torch.exp2(value)).clamp(1, LEVELS)  # the step between the levels that are kept
    choose("Posterize", torch.floor(level / bits) * bits)
    choose("Solarize", torch.where(level >= value, LEVELS - 1 - level, level))
    choose("SolarizeAdd", torch.where(level < 128, level + value, level))
    choose("Invert", LEVELS - 1 - level)
    if counts is not None:
        choose("AutoContrast", _stretching_table(counts, level))
        choose("Equalize", equalizing_table(counts).to(level.dtype))
    return _cut(table)


def _stretching_table(counts: Num[Tensor, "b c 256"], level: Float[Tensor, " 256"]) -> Float[Tensor, "b c 256"]:
    """Takes the smallest level of a channel to 0 and the largest to 255."""
    there = counts > 0
    low = torch.where(there, level, float(LEVELS)).amin(-1, keepdim=True)
    high = torch.where(there, level, -1.0).amax(-1, keepdim=True)
    flat = high <= low
    scale = torch.where(flat, 1.0, (high - low) * (1.0 / (LEVELS - 1)))
    return torch.where(flat, level, (level - low) / scale)


class Slot(Layer):
    """One step of a policy: draws an operator, a level and a sign for every sample, and carries them out.

    Args:
        operators: those to choose among.
        level: strength in [0, 1], a distribution or a number.
        weights: relative frequencies of the operators, equal if not given.
        resample: "nearest", "bilinear" or "bicubic", for the geometric operators.
        fill: value outside of the image, in [0, 1].
        p: probability that a sample gets any operator.
    """

    def __init__(
        self,
        operators: tuple[Operator, ...],
        level: Quantity,
        weights: Sequence[float] | None = None,
        resample: str = "nearest",
        fill: float = 0.0,
        p: float | Bernoulli = 1.0,
    ) -> None:
        super().__init__(p)
        self.quantity("op", Choice(range(len(operators)), weights))
        self.quantity("level", level, legal=(0.0, 1.0))
        self.quantity("sign", Choice((-1.0, 1.0)))
        self.halves = nn.ModuleList([SlotWarp(operators, resample, fill), SlotPixels(operators)])

    def leaves(self) -> list[Layer]:
        return list(self.halves)

    def leaf_params(self, noise: Noise) -> list[Params]:
        return [self.params(noise)] * 2
