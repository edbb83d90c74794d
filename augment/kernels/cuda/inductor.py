"""Operators that torch's compiler is taught for a GPU: planes in one tensor, what is written, a clamp, a choice.

Inductor has no public interface for that, and this file uses its private one from end to end: its names stay here,
inside of the functions that use them, instead of in `data/private_torch.py`. Tested with torch 2.15.0; 2.11.0 has the
names. Where one is missing, compiling for a GPU ends in an ImportError or AttributeError that names it; eager mode and
a CPU need none.
"""

import functools
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from augment.data.context import exporting, for_gpu, recorded
from augment.data.private_torch import constant_when_traced
from augment.data.types import Bool, Float, Num, Shaped

if TYPE_CHECKING:
    from torch._inductor import ir

_FEW = 16
"""Operations: a normalisation has eight."""


_SATURATE = "cvt.sat.f32.f32 $0, $1;"
"""Of NVIDIA's GPUs only. Any number below 0 becomes 0, any above 1 becomes 1."""


_EDITION = zlib.crc32(Path(__file__).read_bytes())
"""Every operator has it as an argument, because torch's cache on disk would return code made by other lessons."""


@torch.library.custom_op("augment::stack", mutates_args=())
def _stack(planes: Sequence[Tensor], dim: int, edition: int) -> Tensor:
    return torch.stack(planes, dim)


@torch.library.custom_op("augment::written", mutates_args=())
def _written(value: Tensor, edition: int) -> Tensor:
    return value.clone()


@torch.library.custom_op("augment::saturated", mutates_args=())
def _saturated(value: Tensor, edition: int) -> Tensor:
    return value.clamp(0, 1)


@torch.library.custom_op("augment::where", mutates_args=())
def _where(chosen: Tensor, new: Tensor, old: Tensor, edition: int) -> Tensor:
    return torch.where(chosen, new, old)


@_where.register_fake
def _(chosen: Tensor, new: Tensor, old: Tensor, edition: int) -> Tensor:
    return torch.where(chosen, new, old)


@_stack.register_fake
def _(planes: Sequence[Tensor], dim: int, edition: int) -> Tensor:
    return torch.stack(planes, dim)


@_written.register_fake
@_saturated.register_fake
def _(value: Tensor, edition: int) -> Tensor:
    return torch.empty_like(value)


def stack(planes: Sequence[Num[Tensor, "*shape"]], dim: int) -> Num[Tensor, "*joint"]:
    """`torch.stack`; compiled for a GPU, every plane is written to its place at once.

    Torch would compute them first and copy them in a pass of its own, or ask at every value which plane it is in.
    """
    return _stack(list(planes), dim, _EDITION) if _taught(planes) else torch.stack(tuple(planes), dim)


def written(value: Shaped[Tensor, "*shape"]) -> Shaped[Tensor, "*shape"]:
    """The value, which code compiled for a GPU writes to memory instead of computing it again for all that reads it."""
    return _written(value, _EDITION) if _taught([value]) else value


def saturated(value: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """`value.clamp(0, 1)`; compiled for a GPU one instruction, which makes 0 of NaN. Torch's lets NaN through, by three
    comparisons and two choices, of which jitter has fifteen for every pixel.
    """
    if value.dtype != torch.float32 or torch.version.hip or not _taught([value]):
        return value.clamp(0, 1)
    return _saturated(value, _EDITION)


def where(
    chosen: Bool[Tensor, "*few"], new: Float[Tensor, "*shape"], old: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    """`torch.where`; compiled for a GPU, what is new is read only where it is chosen, which torch reads everywhere."""
    return _where(chosen, new, old, _EDITION) if _taught([new, old]) else torch.where(chosen, new, old)


def _taught(values: Sequence[Tensor]) -> bool:
    return for_gpu(values[0].device) and not recorded(values) and not exporting() and _lesson()


@constant_when_traced
def _lesson() -> bool:
    """Called while code is traced, whoever has it compiled: without it each operator would be a pass of its own."""
    _teach()
    return True


@functools.cache
def _teach() -> None:
    """How the operators are written in code for a GPU."""
    from torch._inductor import ir, lowering  # takes longer to import than all of augment
    from torch._inductor.virtualized import ops

    @lowering.register_lowering(_written._opoverload, type_promotion_kind=None)
    def _(value: ir.TensorBox, edition: int) -> ir.TensorBox:
        value.realize()
        return value

    @lowering.register_lowering(_saturated._opoverload, type_promotion_kind=None)
    def _(value: ir.TensorBox, edition: int) -> ir.TensorBox:
        clamp = functools.partial(ops.inline_asm_elementwise, asm=_SATURATE, constraints="=f,f")
        return lowering.make_pointwise(clamp)(value)

    @lowering.register_lowering(_where._opoverload, type_promotion_kind=None)
    def _(chosen: ir.TensorBox, new: ir.TensorBox, old: ir.TensorBox, edition: int) -> ir.TensorBox:
        size = old.get_size()
        seen, fresh, kept = (lowering.expand(value, size).make_loader() for value in (chosen, new, old))

        def value(index: Sequence) -> object:
            taken = seen(index)
            return ops.where(taken, ops.masked(taken, lambda: fresh(index), 0.0), kept(index))

        return ir.Pointwise.create(device=old.get_device(), dtype=old.get_dtype(), inner_fn=value, ranges=size)

    @lowering.register_lowering(_stack._opoverload, type_promotion_kind=None)
    def _(planes: list[ir.TensorBox], dim: int, edition: int) -> ir.TensorBox:
        dim = dim % (len(planes[0].get_size()) + 1)
        if all(map(_simple, planes)) and not _share(planes):  # each would have a kernel of its own
            return _chosen_by_place(planes, dim)
        return ir.TensorBox(ir.ConcatKernel.create([lowering.unsqueeze(plane, dim) for plane in planes], dim))


def _chosen_by_place(planes: list["ir.TensorBox"], dim: int) -> "ir.TensorBox":
    """Every value of a stack from all planes, of which one is taken: whole lines are written, one after another."""
    from torch._inductor import ir
    from torch._inductor.virtualized import ops

    loaders = [plane.make_loader() for plane in planes]

    def value(index: Sequence) -> object:
        place, rest = ops.index_expr(index[dim], torch.int32), [*index[:dim], *index[dim + 1 :]]
        *others, taken = (load(rest) for load in loaders)
        for number, other in enumerate(others):
            taken = ops.where(ops.eq(place, ops.constant(number, torch.int32)), other, taken)
        return taken

    size = planes[0].get_size()
    return ir.Pointwise.create(
        device=planes[0].get_device(),
        dtype=planes[0].get_dtype(),
        inner_fn=value,
        ranges=[*size[:dim], len(planes), *size[dim:]],
    )


def _share(planes: list["ir.TensorBox"]) -> bool:
    """Whether they read any of the same numbers, for which torch writes them in one kernel."""
    first, *others = (plane.data.data.get_reads() for plane in planes)
    return all(first & reads for reads in others)


def _simple(plane: "ir.TensorBox") -> bool:
    """Whether it is a few operations on what stands in memory anyway."""
    from torch._inductor import ir
    from torch._inductor.virtualized import V

    data = plane.data.data if isinstance(plane.data, ir.StorageBox) else None
    if not isinstance(data, ir.Pointwise) or data.inner_fn_opcount().num_ops > _FEW:
        return False
    read = [V.graph.try_get_buffer(name) for name in plane.get_read_names()]
    return not any(isinstance(b, ir.ComputedBuffer) and b.get_numel() == data.get_numel() for b in read)
