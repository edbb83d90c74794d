"""How a layer acts on the image of a batch: on which channels, and by which operator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from augment.core.layer import Layer
from augment.data.batch import Batch
from augment.data.channels import on_channels
from augment.data.operator import Operator
from augment.data.packed import PackedImages
from augment.data.pixels import compute_dtype, dtype_of, on_colours, size_of
from augment.data.types import Images, Params, Planes


def on_acted(
    layer: Layer, batch: Batch, colours_only: bool, function: Callable[[Images | Planes], Images | Planes]
) -> Batch:
    """Returns a batch after a function of all channels, or of those that are named as colours."""
    image, named = dense_image(layer, batch), batch.color_channels if colours_only else None
    return batch.replace(image=function(image) if named is None else on_channels(image, named, function))


def dense_image(layer: Layer, batch: Batch) -> Images | Planes:
    """Returns the images of a batch, which must have one size.

    Raises:
        ValueError: they differ in size; only warps can start with such.
    """
    if not isinstance(batch.image, PackedImages):
        return batch.image
    raise ValueError(
        f"{type(layer).__name__} cannot come first: the images of this batch differ in size. Put a layer before it "
        "that fixes the size, such as RandomResizedCrop or Resize with (height, width)."
    )


def operated(
    layer: Any, operator: Operator, image: Images | Planes, drawn: Params, more: tuple[Any, ...]
) -> Images | Planes:
    """Returns the image after the operator of a PixelOp or an ImageOp, which chooses a kernel."""
    chosen, dtype = layer.acts_on(drawn), compute_dtype(dtype_of(image))
    arguments = (*layer.arguments(layer.resolve(drawn, size_of(image)), dtype), *more)
    if not layer.alpha_stays:
        return operator(image, chosen, *arguments)
    return on_colours(image, lambda coloured: operator(coloured, chosen, *arguments))
