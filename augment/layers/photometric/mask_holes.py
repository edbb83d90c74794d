"""Holes in masks, where a layer fills parts of the image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from augment.core.layer import Layer
from augment.data.batch import Batch
from augment.data.known import whole_size
from augment.data.types import Bool, Params
from augment.draws.arguments import number
from augment.engine.inputs import check_mask_value

Holes = Callable[[Params, tuple[int, int]], Bool[Tensor, "b h w"]]
"""Marks the filled pixels of images of a size, from resolved parameters."""


def mask_value(layer: Layer, value: Any) -> float | None:
    """Checks the argument `fill_mask`."""
    if value is None:
        return None
    checked = number(layer, "fill_mask", value, kind="a number, or None to leave masks alone")
    return int(checked) if checked == int(checked) else checked


def mask_with_holes(layer: Any, batch: Batch, params: Params, holes: Holes) -> Batch:
    """Returns the batch with `layer.fill_mask` in the holes of its mask; raw draws say where they are."""
    if layer.fill_mask is None or batch.mask is None:
        return batch
    mask, size, gate = batch.mask, whole_size(batch.size), layer.acts_on(params)
    check_mask_value(f"{type(layer).__name__}: fill_mask", layer.fill_mask, mask.dtype)
    at = holes(layer.resolve(params, size), size)
    at = at if gate is None else at & gate[:, None, None]
    filled = torch.where(at if mask.ndim == 3 else at[:, None], layer.fill_mask, mask)
    return batch.replace(mask=filled.to(mask.dtype))
