"""The table of references: the reference and tolerance of each layer, and layers without a reference."""

from collections.abc import Callable

import torch
from torch import Tensor

from augment.data.types import Params

Reference = Callable[[Tensor, Params], Tensor]
"""Maps images (B, C, H, W) float64 and resolved parameters to images."""

REFERENCES: dict[str, Reference] = {}
TOLERANCE: dict[str, float] = {}
EXAMPLES: dict[str, dict] = {}
NOT_COMPARED: dict[str, str] = {}


def reference(name: str, tolerance: float = 1e-9, example: dict | None = None) -> Callable[[Reference], Reference]:
    """Register an independent implementation of a layer.

    Args:
        name: name of the layer.
        tolerance: largest absolute difference; explain in a comment if it exceeds rounding errors.
        example: constructor arguments for the comparison, if the reference does not support the layer's `example`.
    """

    def register(function: Reference) -> Reference:
        REFERENCES[name], TOLERANCE[name], EXAMPLES[name] = function, tolerance, example or {}
        return function

    return register


def not_compared(name: str, reason: str) -> None:
    NOT_COMPARED[name] = reason


def per_image(function: Callable[[Tensor, dict[str, float]], Tensor]) -> Reference:
    """Lift a function of one image (C, H, W) and plain numbers to a batch."""

    def batched(images: Tensor, params: Params) -> Tensor:
        rows = [{name: value[i].tolist() for name, value in params.items()} for i in range(len(images))]
        return torch.stack([function(image, row) for image, row in zip(images, rows, strict=True)])

    return batched
