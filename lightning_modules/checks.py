"""Do data, augmentation and network fit together? Said in one sentence before training begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from augment import Batch
from lightning_modules.backbones import frozen
from lightning_modules.datamodule import ImageDataModule
from lightning_modules.errors import UserError

if TYPE_CHECKING:
    from lightning_modules.classifier import ImageClassifier


def check_together(model: ImageClassifier, data: ImageDataModule) -> None:
    """Sends a few training images through the model.

    Raises:
        UserError: the numbers of classes differ, augment or preprocess refuses the images or does not deliver the
            model's input size, or the backbone does not take what they deliver.
    """
    if data.num_classes != model.num_classes:
        raise UserError(
            f"num_classes={model.num_classes} of the model does not match the data, which has {data.num_classes}."
        )
    batch = data.example()
    with torch.no_grad(), torch.compiler.set_stance("force_eager"):  # not worth a compilation
        model.augment.train()
        _check_images(model, "augment", model.augmented, batch)
        images = _check_images(model, "preprocess", model.preprocessed, batch)
        _check_backbone(model, images[:2])


def _check_images(model: ImageClassifier, name: str, apply: Callable[[Batch], Batch], batch: Batch) -> Tensor:
    try:
        images = apply(batch).image
    except (ValueError, TypeError) as error:
        raise UserError(f"{name} cannot process the images of this data: {error}") from error
    if tuple(images.shape[-2:]) != model.input_size:
        raise UserError(
            f"{name} delivers images of {_size(images.shape[-2:])} pixels but the model's input_size is "
            f"{_size(model.input_size)}; make them equal."
        )
    return images


def _check_backbone(model: ImageClassifier, images: Tensor) -> None:
    name = type(model.backbone).__name__
    try:
        with frozen(model.backbone):  # nothing of the network changes
            shape = tuple(model.backbone(images.to(model.dtype)).shape)
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        raise UserError(f"{name} does not take images of shape {tuple(images.shape)}: {error}") from error
    if shape != (len(images), model.num_classes):
        raise UserError(
            f"{name} gives {shape} for {len(images)} images; it must give one logit for each of the "
            f"{model.num_classes} classes."
        )


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
