"""One step of a policy: every sample gets its own operator, in one pass over the batch.

A step is one warp, with a matrix per sample, and one call of the operator `policy_step` for the photometric operators.
Its cost hardly depends on the number of operators to choose from.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from augment.core.acting import on_acted
from augment.core.kinds import Warp
from augment.core.layer import Layer
from augment.data.batch import Batch
from augment.data.known import Modules
from augment.data.pixels import size_of, stacked
from augment.data.types import Bool, Images, Matrices, Noise, Params, PerSample, Planes, Size
from augment.draws.distributions import Bernoulli, Choice
from augment.draws.shorthand import Quantity
from augment.geometry import matrix as mat
from augment.geometry.fill import Fill
from augment.kernels.reference.policy_step import PHOTOMETRIC, drew, policy_step
from augment.layers.geometric.affine import centre, rotation
from augment.layers.policies.operators import GEOMETRIC, Operator, value_of


def _resolved(operators: tuple[Operator, ...], which: frozenset[str], params: Params, size: Size) -> Params:
    """Returns `op`, the number of the operator, and its `value`; see `operators`."""
    value = value_of(operators, which, params["op"], params["level"], params["sign"], size)
    return {"op": params["op"], "value": value}


def _drew(operators: tuple[Operator, ...], params: Params, which: frozenset[str]) -> Bool[Tensor, " b"]:
    """Returns (B,) which samples drew one of some operators and have an open gate."""
    drawn = drew([operator.name for operator in operators], params["op"], which)
    return drawn & params["gate"] if "gate" in params else drawn


RANDOM = "random"
"""Bilinear or bicubic, drawn for every sample and operator, as timm does."""


def halves_of(operators: tuple[Operator, ...], resample: str, fill: Fill | str) -> list[Layer]:
    """Returns the layers of a step: a warp, or a bilinear and a bicubic one for "random", and the photometric half."""
    modes = ("bilinear", "bicubic") if resample == RANDOM else (resample,)
    return [*(SlotWarp(operators, mode, fill) for mode in modes), SlotPixels(operators)]


def by_half(drawn: Params, cubic: PerSample | None) -> list[Params]:
    """Returns the draws of each layer of `halves_of`.

    Args:
        drawn: the draws of the step.
        cubic: (B,) 1 for samples that are interpolated bicubically; None if there is one warp.
    """
    if cubic is None:
        return [drawn] * 2
    gates = (cubic == 0, cubic == 1)
    return [*(drawn | {"gate": drawn["gate"] & gate if "gate" in drawn else gate} for gate in gates), drawn]


def _described(operators: tuple[Operator, ...], params: Params, geometric: bool) -> dict[str, object]:
    """Returns the operator's name and value if this half of the step carries it out."""
    operator = operators[int(params["op"][0])]
    if (operator.name in GEOMETRIC) != geometric:
        return {"applied": False}
    return {"operator": operator.name, "value": float(params["value"][0])}


class SlotWarp(Warp):
    """The geometric half of a step: shear, shift or rotation, or nothing, for each sample.

    Args:
        operators: the operators to choose from.
        resample: "nearest", "bilinear" or "bicubic".
        fill: colour outside of the image, from `core.fills.fill_value`.
    """

    padding = "zeros"
    on_bytes = True

    def __init__(self, operators: tuple[Operator, ...], resample: str, fill: Fill | str) -> None:
        super().__init__()
        self.operators, self.resample, self.fill = operators, resample, fill

    def resolve(self, params: Params, size: Size) -> Params:
        return _resolved(self.operators, GEOMETRIC, params, size)

    def acts_on(self, params: Params) -> Bool[Tensor, " b"]:
        return _drew(self.operators, params, GEOMETRIC)

    def matrix(self, size: Size, params: Params, like: Tensor) -> Matrices:
        shear_x, shear_y, left, top, degrees = (
            like.new_zeros(like.shape[0]) + self._value(params, name)
            for name in ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate")
        )
        # at most one differs from the identity, so that their product is a sum; shears hold the image's corner
        others = ((0.0, shear_x, shear_x / 2 - left), (shear_y, 0.0, shear_y / 2 - top), (0.0, 0.0, 0.0))
        return mat.about(centre(size), rotation(degrees, like), like) + mat.matrix(others, like)

    def _value(self, params: Params, name: str) -> PerSample:
        """Returns (B,) the values of samples that drew an operator, 0 for the others."""
        return torch.where(_drew(self.operators, params, frozenset({name})), params["value"], 0.0)

    def describe(self, params: Params) -> dict[str, object]:
        return _described(self.operators, params, geometric=True)


class SlotPixels(Layer):
    """The photometric half of a step, on bytes.

    Floats become bytes, too; where a gate leaves samples out, they become levels only where an operator acts.

    Args:
        operators: the operators to choose from.
    """

    def __init__(self, operators: tuple[Operator, ...]) -> None:
        super().__init__()
        self.operators = operators
        self.names = [operator.name for operator in operators]
        self.on_bytes = not PHOTOMETRIC.isdisjoint(self.names)

    def resolve(self, params: Params, size: Size) -> Params:
        return _resolved(self.operators, PHOTOMETRIC, params, size)

    def acts_on(self, params: Params) -> Bool[Tensor, " b"]:
        return _drew(self.operators, params, PHOTOMETRIC)

    def transform(self, batch: Batch, params: list[Params], run: Sequence[Layer], kept: torch.dtype) -> Batch:
        if not self.on_bytes:
            return batch
        return on_acted(self, batch, True, lambda image: self._applied(image, params[0]))

    def _applied(self, image: Images | Planes, drawn: Params) -> Images:
        resolved = self.resolve(drawn, size_of(image))
        return policy_step(stacked(image), self.acts_on(drawn), self.names, resolved["op"], resolved["value"])

    def describe(self, params: Params) -> dict[str, object]:
        return _described(self.operators, params, geometric=False)


class Slot(Layer):
    """One step of a policy: draws an operator, a level and a sign for every sample, and carries them out.

    Args:
        operators: the operators to choose from.
        level: strength in [0, 1], a distribution or a number.
        weights: relative frequencies of the operators, equal if not given.
        resample: "nearest", "bilinear", "bicubic" or "random", for the geometric operators, see `halves_of`.
        fill: colour outside of the image, from `core.fills.checked_fill`.
        p: probability that a sample gets any operator.
        largest: the largest level.
    """

    def __init__(
        self,
        operators: tuple[Operator, ...],
        level: Quantity,
        weights: Sequence[float] | None = None,
        resample: str = "nearest",
        fill: Fill | str = 0.0,
        p: float | Bernoulli = 1.0,
        largest: float = 1.0,
    ) -> None:
        super().__init__(p)
        self.quantity("op", Choice(range(len(operators)), weights))
        self.quantity("level", level, legal=(0.0, largest))
        self.quantity("sign", Choice((-1.0, 1.0)))
        self.halves: Modules[Layer] = Modules(halves_of(operators, resample, fill))
        if resample == RANDOM:
            self.quantity("cubic", Choice((0.0, 1.0)))

    def leaves(self) -> list[Layer]:
        return list(self.halves)

    def leaf_params(self, noise: Noise) -> list[Params]:
        return self.shared(self.params(noise))

    def shared(self, drawn: Params) -> list[Params]:
        """Returns the draws of each half; of two warps, a sample goes through the one that it drew."""
        return by_half(drawn, drawn.get("cubic"))
