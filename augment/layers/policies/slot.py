"""One step of a policy: every sample has its own operator, all samples are done at once.

Whatever each sample drew, a step is one warp with a matrix per sample, and what `on_bytes` makes of the photometric
operators. Neither grows with the number of operators to choose among as much as carrying out each of them would.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from augment.core.kinds import Warp, check_dense, only_images
from augment.core.layer import Layer
from augment.data.batch import Batch, PackedImages
from augment.data.pixels import dtype_of, stacked, to_bytes, to_float, written
from augment.data.subset import Drawn, Parts, on_chosen
from augment.data.types import Bool, Images, Matrices, Noise, Params, PerSample, Planes, Size
from augment.draws.distributions import Bernoulli, Choice
from augment.draws.shorthand import Quantity
from augment.engine.warp_run import warp
from augment.geometry import matrix as mat
from augment.geometry.motion import Step
from augment.kernels.cpu import library
from augment.kernels.cpu import policy_step as native
from augment.kernels.cuda import policy_step as gpu
from augment.kernels.reference.policy_step import PHOTOMETRIC, changed, drew, on_bytes
from augment.layers.geometric.affine import centre, rotation
from augment.layers.policies.operators import GEOMETRIC, Operator, value_of


def _resolved(operators: tuple[Operator, ...], params: Params, size: Size) -> Params:
    """`op`, which operator, and its `value`, see `operators`."""
    value = value_of(operators, params["op"], params["level"], params["sign"], size)
    return {"op": params["op"], "value": value}


def _drew(operators: tuple[Operator, ...], params: Params, which: frozenset[str]) -> Bool[Tensor, " b"]:
    """Who drew one of some operators and carries it out."""
    drawn = drew([operator.name for operator in operators], params["op"], which)
    return drawn & params["gate"] if "gate" in params else drawn


def _described(operators: tuple[Operator, ...], params: Params, geometric: bool) -> dict[str, object]:
    """The operator's name and value, for the half of the step that carries it out."""
    operator = operators[int(params["op"][0])]
    if (operator.name in GEOMETRIC) != geometric:
        return {"applied": False}
    return {"operator": operator.name, "value": float(params["value"][0])}


def _on_levels(params: Params) -> bool:
    """Every sample gets a step; else the others' floats stay what they are."""
    return "gate" not in params


def _levels(image: Images | Planes, params: Params) -> Images | Planes:
    """Bytes, if it works on these."""
    if not _on_levels(params):
        return image
    return tuple(map(to_bytes, image)) if isinstance(image, tuple) else to_bytes(image)


def _is_one_operator(batch: Batch, params: Params) -> bool:
    """Whether a step is one operator of ours, which compiled code leaves alone: on a CPU, for bytes.

    It works on the samples that drew something; eager mode does so in torch, too, where there are no kernels.
    """
    known = library.serves(params["op"]) if library.AVAILABLE else torch.compiler.is_compiling()
    if batch.device.type != "cpu" or not known:
        return False
    return _on_levels(params) or dtype_of(batch.image) == torch.uint8


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
        return _resolved(self.operators, params, size)

    def acts_on(self, params: Params) -> Bool[Tensor, " b"]:
        return _drew(self.operators, params, GEOMETRIC)

    def on_levels(self, params: Params) -> bool:
        return _on_levels(params)

    def matrix(self, size: Size, params: Params, like: Tensor) -> Matrices:
        shear_x, shear_y, left, top, degrees = (
            like.new_zeros(len(like)) + self._value(params, name)
            for name in ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate")
        )
        # at most one differs from the identity, so that their product is a sum; shears hold the image's corner
        others = ((0.0, shear_x, shear_x / 2 - left), (shear_y, 0.0, shear_y / 2 - top), (0.0, 0.0, 0.0))
        return mat.about(centre(size), rotation(degrees, like), like) + mat.matrix(others, like)

    def apply(self, batch: Batch, params: list[Params], run: list[Layer]) -> Batch:
        if isinstance(batch.image, PackedImages):
            return super().apply(batch, params, run)
        if _is_one_operator(batch, params[0]) and len(run) == 1 and self.resample == "nearest" and only_images(batch):
            image = to_bytes(stacked(batch.image))
            like = image.new_empty(len(batch), 0, dtype=torch.float32)
            matrix = self.matrix(batch.size, self.resolve(params[0], batch.size), like)
            return batch.replace(image=_moved(image, matrix, self.acts_on(params[0]), self.fill))
        return super().apply(batch.replace(image=_levels(batch.image, params[0])), params, run)

    def _value(self, params: Params, name: str) -> PerSample:
        """(B,) the value of those who drew an operator, 0 for the others."""
        return torch.where(_drew(self.operators, params, frozenset({name})), params["value"], 0.0)

    def describe(self, params: Params) -> dict[str, object]:
        return _described(self.operators, params, geometric=True)


@library.operator("nearest_by_rows", lambda image, *_: torch.empty_like(image, memory_format=torch.contiguous_format))
def _moved(image: Tensor, matrix: Tensor, chosen: Tensor, fill: float) -> Tensor:
    """A warp of the chosen images (B, C, H, W) on a CPU."""
    if library.AVAILABLE:
        return native.moved(image, matrix, chosen, fill)
    size = tuple(image.shape[-2:])

    def moved(some: Parts, params: Drawn) -> Parts:
        step = Step(params[0]["matrix"], size, size, padding="zeros", fill=fill)
        return (stacked(warp(Batch(some[0]), [step], "nearest").image),)

    (out,) = on_chosen(chosen, moved, (image,), [{"matrix": matrix}])
    return image.clone(memory_format=torch.contiguous_format) if out is image else out.contiguous()


class SlotPixels(Layer):
    """The photometric half of a step, on bytes.

    Floats become bytes, too; where a gate leaves samples out, they become levels only where an operator acts.

    Args:
        operators: those to choose among.
    """

    def __init__(self, operators: tuple[Operator, ...]) -> None:
        super().__init__()
        self.operators = operators
        self.names = [operator.name for operator in operators]

    def resolve(self, params: Params, size: Size) -> Params:
        return _resolved(self.operators, params, size)

    def acts_on(self, params: Params) -> Bool[Tensor, " b"]:
        return _drew(self.operators, params, PHOTOMETRIC)

    def on_levels(self, params: Params) -> bool:
        return _on_levels(params) and not PHOTOMETRIC.isdisjoint(self.names)

    def apply(self, batch: Batch, params: list[Params], run: list[Layer]) -> Batch:
        check_dense(self, batch)
        if PHOTOMETRIC.isdisjoint(self.names):
            return batch
        if _is_one_operator(batch, params[0]):
            image = to_bytes(stacked(batch.image))
            return batch.replace(image=changed(image, " ".join(self.names), *self._wanted(params[0], batch.size)))
        before = stacked(_levels(batch.image, params[0]))
        if gpu.serves(before, *params[0].values()):
            image = on_bytes(written(before), self.names, *self._wanted(params[0], batch.size))
            return batch.replace(image=image)
        (image,) = on_chosen(self.acts_on(params[0]), self._carried_out, (before,), params)
        return batch.replace(image=image)

    def _wanted(self, params: Params, size: Size) -> tuple[PerSample, PerSample]:
        """(B,) operators and values; beyond the last operator for samples that carry out none."""
        resolved = self.resolve(params, size)
        return torch.where(self.acts_on(params), resolved["op"], len(self.names)), resolved["value"]

    def _carried_out(self, before: Parts, params: list[Params]) -> Parts:
        image = before[0] if before[0].dtype == torch.uint8 else written(to_bytes(before[0]))
        image = on_bytes(image, self.names, **self.resolve(params[0], image.shape[-2:]))
        return (image if before[0].dtype == torch.uint8 else to_float(image).to(before[0].dtype),)

    def describe(self, params: Params) -> dict[str, object]:
        return _described(self.operators, params, geometric=False)


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
