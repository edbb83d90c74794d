"""The last run of warps with what follows it, where a kernel takes both at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from augment.data.batch import Batch
from augment.data.known import whole_size
from augment.data.pixels import compute_dtype
from augment.data.types import Params
from augment.engine.plan import Leaf, Stage
from augment.engine.warp_run import annotated, check_run, interpolation_of, motions_of, only_images
from augment.geometry.motion import Motion
from augment.kernels.reference.coloring import adjust_color
from augment.kernels.reference.finishing import LINKED, Link, finish
from augment.kernels.source import channels_of, source_dtype


def ends_at_once(batch: Batch, stages: Sequence[Stage]) -> bool:
    """Whether all that is left is a run of warps and layers that a kernel may take with it.

    All channels must be colours, for that is what the kernel changes. Layers that act on bytes round between.
    """
    run, *following = stages
    if not finish.ready(batch.device) or not hasattr(run.leaves[0], "lattice"):  # only warps declare it
        return False
    if any(leaf.on_bytes for leaf in run.leaves) or interpolation_of(run.leaves) == "bicubic":
        return False
    if not all(_links(leaf) for stage in following for leaf in stage.leaves):
        return False
    return batch.color_channels is None and channels_of(batch.image) in (1, 3)


def ended(batch: Batch, stages: Sequence[Stage], params: list[Params], dtype: torch.dtype) -> Batch:
    """A batch after the last run of warps and the layers that follow it, in its final type."""
    run, *following = stages
    check_run(batch, run.leaves)
    motions = motions_of(run.leaves, params[run.first : run.end], batch.image)
    chain = [_link(leaf, params[stage.first], batch, motions) for stage in following for leaf in stage.leaves]
    image = finish(batch.image, motions, interpolation_of(run.leaves), chain, dtype)
    batch = (batch if only_images(batch) else annotated(batch, motions)).replace(image=image)
    for stage in following:
        batch = stage.leaves[0].annotated(batch, params[stage.first])
    return batch


def _links(leaf: Leaf) -> bool:
    """Whether arguments tell a kernel what a layer does: those of its operator, or the amount of its one step."""
    return getattr(leaf, "step", None) is not None or getattr(leaf, "operator", None) in LINKED


def _link(leaf: Leaf, drawn: Params, batch: Batch, motions: Sequence[Motion]) -> Link:
    resolved = leaf.resolve(drawn, whole_size(motions[-1].out_size))
    if leaf.step is not None:
        step, amount = leaf.step
        return Link(adjust_color, leaf.acts_on(drawn), ((step,), (resolved[amount],)))
    arguments = leaf.arguments(resolved, compute_dtype(source_dtype(batch.image)))
    return Link(leaf.operator, leaf.acts_on(drawn), arguments)
