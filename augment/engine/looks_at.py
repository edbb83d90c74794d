"""What a layer will look at, known from the draws before an image is decoded."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from augment.data.types import Float, Integer, Noise
from augment.engine.plan import plan_of
from augment.engine.warp_run import geometry_of, interpolation_of
from augment.geometry.reach import footprint_of, window_of


class Look(NamedTuple):
    """What the result for each sample depends on.

    Attributes:
        box: (B, 4) int64, top, left, height and width of the part of the image that is read, in whole pixels.
        reduction: (B,) float32, at least 1: the image may be given smaller by this factor, because the antialiasing
            filter averages over as many pixels along each axis.
    """

    box: Integer[Tensor, "b 4"]
    reduction: Float[Tensor, " b"]


def looks_at(layer: Any, sizes: Integer[Tensor, "b 2"], noise: Noise | None) -> Look:
    """Returns what the first run of warps reads of images of these sizes; everything if a parameter decides."""
    count, plan = len(sizes), plan_of(layer, training=noise is not None)
    whole = Look(torch.cat([torch.zeros_like(sizes), sizes], 1), torch.ones(count))
    run = plan.stages[0].leaves if plan.stages else []
    learned = any(True for leaf in run for _ in leaf.parameters())
    if not run or not hasattr(run[0], "lattice") or learned:  # only warps declare it
        return whole
    params = [leaf.params(torch.zeros(count, 0)) for leaf in run] if noise is None else layer.leaf_params(noise)
    largest = tuple(sizes.amax(0).tolist())
    size, like = (sizes[:, 0], sizes[:, 1]), torch.empty(count, 0)
    motions = geometry_of(run, params[: len(run)], like, size, largest)
    window = window_of(motions)
    rows, columns = (_span(span, count) for span in (window.rows, window.columns))
    box = torch.stack([rows[0], columns[0], rows[1] - rows[0] + 1, columns[1] - columns[0] + 1], 1)
    if interpolation_of(run) == "nearest":
        return Look(box, whole.reduction)
    vertical, horizontal = (torch.as_tensor(radius) for radius in footprint_of(motions).radius)
    return Look(box, torch.minimum(vertical, horizontal).float().expand(count))


def _span(span: Any, count: int) -> tuple[Tensor, Tensor]:
    """Returns the first and the last pixel, (B,) int64."""
    first, last = (torch.as_tensor(end).to(torch.int64).expand(count) for end in span)
    return first, last
