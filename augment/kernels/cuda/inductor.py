"""Lowerings for torch's compiler: how Inductor writes the operators of `data.primitives` in code for a GPU.

Inductor has no public interface for this, so this file uses many of its private names. They are imported here, inside
the functions that use them, instead of in `data/private_torch.py`. Tested with torch 2.15.0; 2.11.0 has the names. If
one is missing, compiling for a GPU raises an ImportError or AttributeError that names it; eager mode and a CPU need
none of them.
"""

import functools
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from augment.data import primitives
from augment.data.context import exporting, for_gpu, recorded
from augment.data.operator import Backend
from augment.data.private_torch import constant_when_traced

if TYPE_CHECKING:
    from torch._inductor import ir

_FEW = 16
"""Most operations of a plane that is computed anew for every value of a stack; a normalisation has eight."""


_SATURATE = "cvt.sat.f32.f32 $0, $1;"
"""Instruction of NVIDIA's GPUs that clamps to [0, 1]."""


_VERSION = zlib.crc32(Path(__file__).read_bytes())
"""An argument of every operator: without it, torch's cache on disk would return code of older lowerings."""


@torch.library.custom_op("augment::stack", mutates_args=())
def _stack(planes: list[Tensor], dim: int, version: int) -> Tensor:
    return torch.stack(planes, dim)


@torch.library.custom_op("augment::materialized", mutates_args=())
def _materialized(value: Tensor, version: int) -> Tensor:
    return value.clone()


@torch.library.custom_op("augment::saturated", mutates_args=())
def _saturated(value: Tensor, version: int) -> Tensor:
    return value.clamp(0, 1)


@torch.library.custom_op("augment::where", mutates_args=())
def _where(chosen: Tensor, new: Tensor, old: Tensor, version: int) -> Tensor:
    return torch.where(chosen, new, old)


@_where.register_fake
def _(chosen: Tensor, new: Tensor, old: Tensor, version: int) -> Tensor:
    return torch.where(chosen, new, old)


@_stack.register_fake
def _(planes: list[Tensor], dim: int, version: int) -> Tensor:
    return torch.stack(planes, dim)


@_materialized.register_fake
@_saturated.register_fake
def _(value: Tensor, version: int) -> Tensor:
    return torch.empty_like(value)


@constant_when_traced
def _registered() -> bool:
    """Registers the lowerings while code is traced; without them, each operator would be a pass of its own."""
    _register_lowerings()
    return True


COMPILED = Backend(
    "compiled for a GPU",
    ready=lambda device: for_gpu(device) and not exporting(),
    takes=lambda tensors: not recorded(tensors) and _registered(),
)


@primitives.stack.kernel(
    COMPILED,
    serves=lambda planes, dim: True,
    tolerance=0.0,
    reason="Inductor copies the computed planes in another pass, or compares at every value which plane it is in.",
)
def _(planes: Sequence[Tensor], dim: int) -> Tensor:
    return _stack(list(planes), dim, _VERSION)


@primitives.materialized.kernel(
    COMPILED,
    serves=lambda value: True,
    tolerance=0.0,
    reason="Inductor computes a value again in every kernel that reads it.",
)
def _(value: Tensor) -> Tensor:
    return _materialized(value, _VERSION)


@primitives.saturated.kernel(
    COMPILED,
    serves=lambda value: value.dtype == torch.float32 and not torch.version.hip,
    tolerance=0.0,
    reason="One instruction, which maps NaN to 0. Inductor's clamp keeps NaN by three comparisons and two choices; "
    "colour jitter clamps fifteen times per pixel.",
)
def _(value: Tensor) -> Tensor:
    return _saturated(value, _VERSION)


@primitives.where.kernel(
    COMPILED,
    serves=lambda chosen, new, old: True,
    tolerance=0.0,
    reason="Reads the new value only where it is chosen; Inductor reads it for every pixel.",
)
def _(chosen: Tensor, new: Tensor, old: Tensor) -> Tensor:
    return _where(chosen, new, old, _VERSION)


@functools.cache
def _register_lowerings() -> None:
    """Tells Inductor how to write the operators in generated code."""
    from torch._inductor import ir, lowering  # takes longer to import than all of augment
    from torch._inductor.virtualized import ops

    @lowering.register_lowering(_materialized._opoverload, type_promotion_kind=None)
    def _(value: ir.TensorBox, version: int) -> ir.TensorBox:
        value.realize()
        return value

    @lowering.register_lowering(_saturated._opoverload, type_promotion_kind=None)
    def _(value: ir.TensorBox, version: int) -> ir.TensorBox:
        clamp = functools.partial(ops.inline_asm_elementwise, asm=_SATURATE, constraints="=f,f")
        return lowering.make_pointwise(clamp)(value)

    @lowering.register_lowering(_where._opoverload, type_promotion_kind=None)
    def _(chosen: ir.TensorBox, new: ir.TensorBox, old: ir.TensorBox, version: int) -> ir.TensorBox:
        size = old.get_size()
        load_chosen, load_new, load_old = (lowering.expand(value, size).make_loader() for value in (chosen, new, old))

        def value(index: Sequence) -> object:
            mask = load_chosen(index)
            return ops.where(mask, ops.masked(mask, lambda: load_new(index), 0.0), load_old(index))

        return ir.Pointwise.create(device=old.get_device(), dtype=old.get_dtype(), inner_fn=value, ranges=size)

    @lowering.register_lowering(_stack._opoverload, type_promotion_kind=None)
    def _(planes: list[ir.TensorBox], dim: int, version: int) -> ir.TensorBox:
        dim = dim % (len(planes[0].get_size()) + 1)
        if all(map(_simple, planes)) and not _share(planes):  # otherwise each would have a kernel of its own
            return _chosen_by_place(planes, dim)
        return ir.TensorBox(ir.ConcatKernel.create([lowering.unsqueeze(plane, dim) for plane in planes], dim))


def _chosen_by_place(planes: list["ir.TensorBox"], dim: int) -> "ir.TensorBox":
    """Computes every plane at each value of the stack and selects one, so that memory is written consecutively."""
    from torch._inductor import ir
    from torch._inductor.virtualized import ops

    loaders = [plane.make_loader() for plane in planes]

    def value(index: Sequence) -> object:
        plane, rest = ops.index_expr(index[dim], torch.int32), [*index[:dim], *index[dim + 1 :]]
        *others, selected = (load(rest) for load in loaders)
        for number, other in enumerate(others):
            selected = ops.where(ops.eq(plane, ops.constant(number, torch.int32)), other, selected)
        return selected

    size = planes[0].get_size()
    return ir.Pointwise.create(
        device=planes[0].get_device(),
        dtype=planes[0].get_dtype(),
        inner_fn=value,
        ranges=[*size[:dim], len(planes), *size[dim:]],
    )


def _share(planes: list["ir.TensorBox"]) -> bool:
    """Whether all planes read some of the same values, so that torch computes them in one kernel."""
    first, *others = (plane.get_reads() for plane in planes)
    return all(first & reads for reads in others)


def _simple(plane: "ir.TensorBox") -> bool:
    """Whether a plane takes few operations on values that are in memory anyway."""
    from torch._inductor import ir
    from torch._inductor.virtualized import V

    data = plane.data.data if isinstance(plane.data, ir.StorageBox) else None
    if not isinstance(data, ir.Pointwise) or data.inner_fn_opcount().num_ops > _FEW:
        return False
    read = [V.graph.try_get_buffer(name) for name in plane.get_read_names()]
    return not any(isinstance(b, ir.ComputedBuffer) and b.get_numel() == data.get_numel() for b in read)
