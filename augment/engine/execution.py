"""Executes the plan of a layer: eagerly, in chunks on a CPU, or as compiled code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from augment.data.batch import Batch
from augment.data.context import compiling, on_cpu, on_gpu, recorded
from augment.data.known import dense, unpacked
from augment.data.packed import PackedImages
from augment.data.pixels import any_size, dtype_of, each, finished, kept_dtype, result_dtype, to_bytes
from augment.data.primitives import materialized
from augment.data.types import Integer, Noise, Params, Size
from augment.draws import keys
from augment.draws.arguments import whole
from augment.draws.distributions.schedule import EPOCH
from augment.draws.followed import filled
from augment.draws.noise import Key, drawn, fresh_index, key_of
from augment.engine.chunks import chunked, in_order
from augment.engine.compiling import CompiledNoise, CompiledPass
from augment.engine.last_run import ended, ends_at_once
from augment.engine.plan import Plan, Stage, plan_of
from augment.engine.warp_run import apply_motions, motions_of
from augment.geometry.motion import inverted


def compiles(layer: Any, device: torch.device) -> bool:
    """Whether a layer is compiled for batches on a device; never with a leaf that no graph can hold, such as Opaque."""
    mode = layer.compile_mode
    wanted = on_gpu(device) if mode == "auto" else bool(mode)
    return wanted and not compiling() and all(leaf.compilable for leaf in layer.leaves())


def noise_of(
    layer: Any, epoch: int | Tensor, index: Tensor, given: Mapping[str, float | Tensor] | None = None
) -> Noise:
    """Draws the noise (B, draws) of samples; one kernel does it if the layer is compiled for a GPU."""
    if not on_gpu(index.device) or not compiles(layer, index.device):
        return filled(layer, drawn(index, layer.seed, epoch, layer.draws), epoch, given)
    compiled = layer.__dict__.setdefault("_compiled", {})
    if "noise" not in compiled:
        compiled["noise"] = CompiledNoise()
    return filled(layer, compiled["noise"](index, layer.seed, epoch, layer.draws), epoch, given)


def noise_asked(
    layer: Any,
    index: Tensor | None,
    epoch: int | Tensor,
    batch_size: int | None,
    device: torch.device | str | None,
    given: Mapping[str, float | Tensor] | None,
) -> Noise:
    """Checks what a caller asks noise for, and draws it; see `Layer.noise`."""
    epoch = keys.epoch(layer, epoch)
    if batch_size is not None:
        batch_size = whole(layer, "batch_size", batch_size, 0, 2**31 - 1)
    return noise_of(layer, epoch, numbers_of(layer, index, batch_size, device), given)


def numbers_of(
    layer: Any, index: Tensor | None, batch_size: int | None, device: torch.device | str | None
) -> Integer[Tensor, " b"]:
    """Returns the numbers of samples, given or fresh, on `device`."""
    if index is None:
        if batch_size is None:
            raise ValueError(f"{type(layer).__name__}.noise: give index=(B,) integers or batch_size.")
        index = fresh_index(batch_size, device) if layer.draws else torch.arange(batch_size, device=device)
    else:
        keys.index(layer, index, batch_size)
    return index.to(device or index.device, non_blocking=True)


def key_for(layer: Any, batch: Batch, size: int, index: Tensor | None, epoch: int | Tensor) -> Key | None:
    """Returns the key from which a layer that is compiled for a GPU draws in the same call in which it augments."""
    if not on_gpu(batch.device) or size != batch.count or not compiles(layer, batch.device):  # frames share their draws
        return None
    if any(name != EPOCH for _, name in layer.inputs()):
        return None
    return key_of(numbers_of(layer, index, size, batch.device), epoch)


def execute(layer: Any, batch: Batch, noise: Noise | Key | None) -> Batch:
    """Returns the augmented batch, its image channels_last; without noise only layers that are not random run."""
    if compiling() or not on_cpu(batch.device) or isinstance(noise, Key):
        return in_order(execute_whole(layer, batch, noise))
    plan, compiled = plan_of(layer, training=noise is not None), compiles(layer, batch.device)
    exact = isinstance(batch.image, PackedImages) or dense(batch.image).dtype in (torch.uint8, torch.float32)
    if not plan.stages or not (exact or len(plan.parts) == 1):
        return in_order(execute_whole(layer, batch, noise))
    # compiled code makes its own raw draws
    params = [] if compiled and len(plan.parts) == 1 else _raw(layer, plan, batch, noise)
    if recorded(_sources(layer, plan, params, batch)):
        return in_order(execute_whole(layer, batch, noise))
    wanted = result_dtype(batch.image, layer.dtype)
    for number, stages in enumerate(plan.parts):
        last = number == len(plan.parts) - 1
        dtype = wanted if last else result_dtype(batch.image, None)
        if not stages[0].leaves[0].by_sample:
            batch = in_order(run(stages, dtype, batch, params))
        elif compiled:
            end = None if last else stages[-1].end
            batch = chunked(_compiled(layer, stages[0].first, end, dtype, batch.device), batch, noise)
        else:
            batch = chunked(partial(run, stages, dtype), batch, params)
    return batch


def _sources(layer: Any, plan: Plan, params: list[Params], batch: Batch) -> Iterator[Tensor]:
    """Yields the tensors through which the result may have a gradient."""
    yield from batch.tensors()
    if not params:
        yield from layer.parameters()
        return
    for raw in params:
        yield from raw.values()
    for leaf in plan.modules:
        yield from leaf.parameters()


def execute_whole(layer: Any, batch: Batch, noise: Noise | Key | None) -> Batch:
    """Runs the whole batch at once, as compiled code if the layer is compiled."""
    dtype = result_dtype(batch.image, layer.dtype)
    if compiles(layer, batch.device):
        return _compiled(layer, 0, None, dtype, batch.device)(batch, noise)
    return _between(layer, 0, None, dtype, batch, noise)


def _between(
    layer: Any, first: int, end: int | None, dtype: torch.dtype, batch: Batch, noise: Noise | Key | None
) -> Batch:
    """Runs the leaves from `first` to `end` on a batch; this function is what gets compiled."""
    noise = _given_or_drawn(layer, noise)
    plan = plan_of(layer, training=noise is not None)
    stages = [stage for stage in plan.stages if first <= stage.first and (end is None or stage.first < end)]
    return run(stages, dtype, batch, _raw(layer, plan, batch, noise))


def _given_or_drawn(layer: Any, noise: Noise | Key | None) -> Noise | None:
    """Returns the noise; it is drawn here if only its key is given."""
    if isinstance(noise, Key):
        return filled(layer, materialized(drawn(noise.index, layer.seed, noise.epoch, layer.draws)), noise.epoch, None)
    return noise


def _raw(layer: Any, plan: Plan, batch: Batch, noise: Noise | None) -> list[Params]:
    """Returns the raw draws of the leaves in the plan."""
    if noise is None:
        empty = torch.zeros(batch.count, 0, device=batch.device)
        return [leaf.params(empty) for leaf in plan.leaves]
    if not (isinstance(batch.image, PackedImages) or any_size(batch.image)) and batch.size not in plan.sizes:
        layer.out_size(batch.size)  # containers refuse layers that change it
        plan.sizes.add(batch.size)
    return layer.leaf_params(noise)


def _compiled(layer: Any, first: int, end: int | None, dtype: torch.dtype, device: torch.device) -> CompiledPass:
    """Returns the compiled pass of some leaves, which the first call creates."""
    passes = layer.__dict__.setdefault("_compiled", {})
    if (first, end, dtype) not in passes:
        _check_device(layer, device)
        plan_of(layer, layer.training)  # finds mistakes in eager mode, before anything is traced
        mode = layer.compile_mode if layer.compile_mode not in (True, "auto") else None

        def between(batch: Batch, noise: Noise | Key | None) -> Batch:
            return _between(layer, first, end, dtype, batch, noise)

        passes[first, end, dtype] = CompiledPass(layer, between, mode)
    return passes[first, end, dtype]


def _check_device(layer: Any, device: torch.device) -> None:
    for tensor in (*layer.parameters(), *layer.buffers()):
        if tensor.ndim and tensor.device != device:
            raise ValueError(
                f"{type(layer).__name__}: the images are on {device}, but what its layers hold is on {tensor.device}: "
                f"call .to({str(device)!r}) on it, or on the model that holds it."
            )


def run(stages: list[Stage], dtype: torch.dtype, batch: Batch, params: list[Params]) -> Batch:
    """Runs one stage after another: a pure function of a batch and the raw draws of all leaves."""
    for number, stage in enumerate(stages):
        if ends_at_once(batch, stages[number:]):
            return ended(batch, stages[number:], params, dtype)
        own = params[stage.first : stage.end]
        following = stages[number + 1] if number + 1 < len(stages) else None
        kept = kept_dtype(dtype)
        if following is not None and _makes_bytes(following.leaves[0], params[following.first]):
            kept = torch.uint8
        if _makes_bytes(stage.leaves[0], own[0]) and not isinstance(batch.image, PackedImages):
            batch = batch.replace(image=_bytes(batch.image))
        batch = stage.leaves[0].transform(batch, own, stage.leaves, kept)
    if isinstance(batch.image, PackedImages):
        raise ValueError(
            "the images of this batch differ in size, and no layer that runs brings them to one size: add one that "
            "does, such as CenterCrop, RandomResizedCrop or Resize with (height, width)."
        )
    return batch.replace(image=finished(batch.image, dtype))


def _makes_bytes(leaf: Any, drawn: Params) -> bool:
    """Whether a layer converts all samples to bytes; samples with a closed gate would keep their floats."""
    return leaf.on_bytes and "gate" not in drawn


def _bytes(image: Any) -> Any:
    if dtype_of(image) == torch.uint8:
        return image
    return each(image, to_bytes) if isinstance(image, tuple) else to_bytes(image)


def undone(layer: Any, batch: Batch, noise: Noise | Key | None, size: Size) -> Batch:
    """Takes a batch back through the geometry of a layer, to images of a size.

    Raises:
        ValueError: the layer does not bring images of this size to that of the batch.
    """
    noise = _given_or_drawn(layer, noise)
    plan = plan_of(layer, training=noise is not None)
    motions = motions_of(plan.leaves, _raw(layer, plan, batch, noise), batch.image, size)
    if not motions:
        return batch
    if batch.size != motions[-1].out_size:
        raise ValueError(
            f"{type(layer).__name__}.inverse: images must be {tuple(motions[-1].out_size)}, as what the layer makes of "
            f"size={tuple(size)}, got {tuple(batch.size)}."
        )
    back, dtype = [inverted(motion) for motion in reversed(motions)], result_dtype(batch.image, None)
    batch = apply_motions(batch, back)
    return batch.replace(image=finished(unpacked(batch.image), dtype))
