"""Do data, augmentation and network fit together? Said in one sentence before training begins."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable

from pytorch_lightning.callbacks import (
    BaseFinetuning,
    BatchSizeFinder,
    Callback,
    LearningRateFinder,
    ModelPruning,
    StochasticWeightAveraging,
)
from torch import Tensor, nn

from augment import Batch
from augment.data.known import dense
from lightning_modules.backbones import frozen
from lightning_modules.errors import UserError

_NO_EFFECT: dict[type[Callback], str] = {
    StochasticWeightAveraging: "its average comes after the last checkpoint, so that the test never sees it; use "
    "pytorch_lightning.callbacks.EMAWeightAveraging, whose average is validated, saved and tested",
    LearningRateFinder: "the optimizer does not read what it sets; compare learning rates by sweep=learning_rate",
    BaseFinetuning: "the last layer belongs to the backbone, so that nothing would be left to train; train all of it "
    "with a small optimizer.lr, as experiment=finetune does",
    ModelPruning: "it does not take weights in channels_last order; prune the trained network by torch.nn.utils.prune",
}
"""Callbacks of Lightning that would run here and not do what they say."""


def check_callbacks(callbacks: Iterable[Callback], continuing: bool) -> None:
    """Raises UserError for a callback that would not do what it says; `continuing` from a checkpoint."""
    for callback in callbacks:
        for kind, reason in _NO_EFFECT.items():
            if isinstance(callback, kind):
                raise UserError(f"{type(callback).__name__} does not work in this trainer: {reason}.")
        if continuing and isinstance(callback, BatchSizeFinder):
            raise UserError(
                "BatchSizeFinder forgets the checkpoint to continue from: leave it out and set data.batch_size to what "
                "it found."
            )


def check_classes(of_model: int, of_data: int) -> None:
    """Raises UserError if the numbers of classes differ."""
    if of_data != of_model:
        raise UserError(f"num_classes={of_model} of the model does not match the data, which has {of_data}.")


def check_images(name: str, apply: Callable[[Batch], Batch], batch: Batch, input_size: tuple[int, int]) -> Tensor:
    """The images that a part of the model makes of some of the data.

    Raises:
        UserError: it refuses them, or does not deliver the model's input size.
    """
    try:
        images = dense(apply(batch).image)
    except (ValueError, TypeError) as error:
        raise UserError(f"{name} cannot process the images of this data: {error}") from error
    delivered = (images.shape[-2], images.shape[-1])
    if delivered != input_size:
        raise UserError(
            f"{name} delivers images of {_size(delivered)} pixels but the model's input_size is "
            f"{_size(input_size)}; make them equal."
        )
    return images


def check_backbone(backbone: nn.Module, images: Tensor, num_classes: int) -> None:
    """Raises UserError if the network does not take such images, or does not give a logit for each class."""
    name = type(backbone).__name__
    try:
        with frozen(backbone):  # nothing of the network changes
            shape = tuple(backbone(images).shape)
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        raise UserError(f"{name} does not take images of shape {tuple(images.shape)}: {error}") from error
    if shape != (len(images), num_classes):
        raise UserError(
            f"{name} gives {shape} for {len(images)} images; it must give one logit for each of the "
            f"{num_classes} classes."
        )


def check_single_image(backbone: nn.Module, image: Tensor) -> None:
    """Raises UserError if the network cannot be trained on one image at a time, as batch norm after pooling."""
    try:
        copy.deepcopy(backbone).train()(image)  # a copy, for training changes the statistics
    except ValueError as error:
        raise UserError(
            f"{type(backbone).__name__} cannot be trained on batches of one image ({error}): set data.batch_size to at "
            "least 2, or choose a network without batch norm such as model=small_cnn."
        ) from error


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
