"""Predictions for images in memory or in files, without a trainer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

import augment as A
from augment.tools.errors import ToolError
from lightning_modules.errors import UserError
from lightning_modules.model.backbones import frozen
from lightning_modules.predicting.tta import views_of

if TYPE_CHECKING:
    from lightning_modules.classifier import ImageClassifier


@torch.no_grad()
def predicted(
    model: ImageClassifier,
    images: Any,
    tta: str | A.Pipeline = "none",
    tta_views: int = 8,
    order: str = "RGB",
    batch_size: int = 64,
) -> Tensor:
    """Return the probability of each class (B, num_classes), on the CPU.

    Args:
        model: the classifier; it may be in training mode.
        images: whatever `A.as_images` takes: a path, a Pillow image, an array, a tensor, or a list of these.
        tta, tta_views: test-time augmentation, see `views_of`. The draws of a pipeline depend on the place of an image
            in the list.
        order: see `A.as_images`.
        batch_size: how many images the network sees at a time, at least 1.

    Raises:
        UserError: `tta` does not fit, or a file cannot be read.
        TypeError, ValueError: an image is of none of these kinds.

    Example:
        >>> predicted(model, "photo.jpg").shape
        torch.Size([1, 10])
    """
    if batch_size < 1:
        raise UserError(f"batch_size={batch_size} must be at least 1.")
    listed = isinstance(images, (list, tuple)) or getattr(images, "ndim", 0) == 4
    sources = images if listed else [images]
    views, parts = views_of(model, tta, tta_views), []
    with frozen(model.backbone):
        for start in range(0, max(len(sources), 1), batch_size):
            try:
                batch = A.as_images(sources[start : start + batch_size], order, model.channels, model.background)
            except ToolError as error:
                raise UserError(str(error)) from error
            index = torch.arange(start, start + len(batch), device=model.device)
            parts.append(model.probabilities(A.Batch(batch.to(model.device), index=index), views).cpu())
    return torch.cat(parts)
