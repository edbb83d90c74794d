"""The table that the families fill: what each layer is compared with, to what tolerance, and what is not compared."""

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
    """Registers an independent implementation of a layer.

    Args:
        name: of the layer.
        tolerance: largest absolute difference; say in a comment where it is not rounding.
        example: constructor arguments for the comparison, where the reference lacks something of the layer's own.
    """

    def register(function: Reference) -> Reference:
        REFERENCES[name], TOLERANCE[name], EXAMPLES[name] = function, tolerance, example or {}
        return function

    return register


def not_compared(name: str, reason: str) -> None:
    NOT_COMPARED[name] = reason


def per_image(function: Callable[[Tensor, dict[str, float]], Tensor]) -> Reference:
    """Lifts a function of one image (C, H, W) and plain numbers."""

    def batched(images: Tensor, params: Params) -> Tensor:
        rows = [{name: value[i].tolist() for name, value in params.items()} for i in range(len(images))]
        return torch.stack([function(image, row) for image, row in zip(images, rows, strict=True)])

    return batched
