"""Conversion of labels to mixable floats and back.

| label | meaning | mixed label |
|---|---|---|
| (B,) or (B, 1) integers, (B,) booleans, `num_classes` given | class numbers | (B, num_classes) floats |
| (B, C) integers or booleans | a multi-hot | (B, C) floats |
| (B,) booleans, no `num_classes` | binary targets | (B,) floats |
| (B,) floats | targets, as of a regression | (B,) floats |
| (B, C) floats | probabilities or targets | (B, C) floats |

Floats keep their type; other labels take the type of the images.
"""

import torch
from torch import Tensor

from augment.data.memory import has_memory
from augment.data.pixels import compute_dtype
from augment.data.types import Float, Shaped


def mixable(
    layer: str, label: Shaped[Tensor, "b ..."], classes: int | None, dtype: torch.dtype
) -> Float[Tensor, "b c"]:
    """Converts labels to floats with one column per class or target.

    Args:
        layer: name of the layer, for errors.
        classes: number of classes; None if labels are not class numbers.
        dtype: type for labels that are not floats.

    Raises:
        ValueError: integer labels are neither class numbers nor a multi-hot. Their values are checked only on a CPU; on
            other devices, a number outside the range belongs to no class.
    """
    if label.is_floating_point():
        return _columns(label).to(compute_dtype(label.dtype))
    boolean, columns = label.dtype == torch.bool, label.shape[1] if label.ndim == 2 else None
    if columns is not None and (boolean or columns > 1 or columns == classes):
        if classes not in (None, columns):
            raise ValueError(f"{layer}: a multi-hot label must have num_classes={classes} columns, got {columns}.")
        _check_values(layer, label, 2, "a multi-hot label")
        return label.to(dtype)
    if classes is not None:
        number = _columns(label).to(torch.int64)
        _check_values(layer, number, classes, "class numbers")
        return (number == torch.arange(classes, device=label.device)).to(dtype)
    if boolean:
        return _columns(label).to(dtype)
    raise ValueError(
        f"{layer}: labels {tuple(label.shape)} of {label.dtype} are class indices; give num_classes=... or (B, "
        "classes) probabilities, or floats for targets that are not classes."
    )


def as_given(
    mixed: Float[Tensor, "b c"], label: Shaped[Tensor, "b ..."], classes: int | None
) -> Float[Tensor, "b ..."]:
    """Converts mixed labels to the shape and type of the given ones; class numbers become weights of all classes."""
    if label.is_floating_point():
        mixed = mixed.to(label.dtype)
    numbers = classes is not None and not label.is_floating_point()
    return mixed.squeeze(1) if label.ndim == 1 and not numbers else mixed


def _columns(label: Tensor) -> Tensor:
    return label[:, None] if label.ndim == 1 else label


def _check_values(layer: str, label: Tensor, end: int, what: str) -> None:
    if label.dtype == torch.bool or not has_memory(label) or not label.numel():
        return
    low, high = label.to(torch.int64).aminmax()
    if low < 0 or high >= end:
        wrong = int(low) if low < 0 else int(high)
        raise ValueError(
            f"{layer}: {what} must lie within [0, {end - 1}], got {wrong}; a sample without a label cannot be mixed."
        )
