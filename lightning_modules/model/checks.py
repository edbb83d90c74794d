"""Check before training that data, augmentation and network fit together; raise a one-sentence error if not."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import pytorch_lightning as pl
import torch
from pytorch_lightning.accelerators import CPUAccelerator
from pytorch_lightning.callbacks import (
    BaseFinetuning,
    BatchSizeFinder,
    Callback,
    LearningRateFinder,
    ModelPruning,
    StochasticWeightAveraging,
)
from pytorch_lightning.strategies import ParallelStrategy
from pytorch_lightning.trainer.states import TrainerFn
from pytorch_lightning.utilities import rank_zero_warn
from torch import Tensor, nn

from augment import Batch
from augment.data.known import dense
from augment.tools.installation import slow_installation
from lightning_modules.errors import UserError, out_of_memory
from lightning_modules.model.backbones import frozen
from lightning_modules.model.schedules import INTERVALS

if TYPE_CHECKING:
    from lightning_modules.classifier import ImageClassifier
    from lightning_modules.data.datamodule import ImageDataModule

_NO_EFFECT: dict[type[Callback], str] = {
    StochasticWeightAveraging: "it averages after the last checkpoint, so its average is never tested; use "
    "callbacks=ema, whose average is validated, saved and tested",
    LearningRateFinder: "the optimizer ignores the rate it finds; use callbacks=find_lr",
    BaseFinetuning: "the last layer is part of the backbone, so nothing would remain to train; use callbacks=freeze",
    ModelPruning: "it does not support channels_last weights; prune the trained network with torch.nn.utils.prune",
}
"""Lightning callbacks that would run here without doing what they promise."""


def check_options(scheduler_interval: str, layer_decay: float | None) -> None:
    """Raise UserError for options of an ImageClassifier that are not allowed."""
    if scheduler_interval not in INTERVALS:
        raise UserError(f"ImageClassifier: scheduler_interval={scheduler_interval!r} must be 'step' or 'epoch'.")
    if layer_decay is not None and not 0 < layer_decay <= 1:
        raise UserError(f"ImageClassifier: layer_decay={layer_decay} must lie within (0, 1], or be null.")


def check_callbacks(callbacks: Iterable[Callback], continuing: bool) -> None:
    """Raise UserError for a callback that would not do what it promises; `continuing` is true on resumption."""
    for callback in callbacks:
        for kind, reason in _NO_EFFECT.items():
            if isinstance(callback, kind):
                raise UserError(f"{type(callback).__name__} does not work in this trainer: {reason}.")
        if continuing and isinstance(callback, BatchSizeFinder):
            raise UserError(
                f"{type(callback).__name__} drops the checkpoint to continue from: leave it out and set "
                "data.batch_size to the value it found."
            )


def check_trainer(trainer: pl.Trainer) -> None:
    """Raise UserError for settings that need a GPU if the run uses a CPU, and warn if the CPU's kernels are missing."""
    if not isinstance(trainer.accelerator, CPUAccelerator):
        return
    if trainer.precision == "16-true":
        raise UserError("trainer.precision=16-true needs a GPU: on a CPU set bf16-mixed, bf16-true or 32-true.")
    # one process has nothing to synchronise, and Lightning then ignores the setting
    if isinstance(trainer.strategy, ParallelStrategy) and trainer.strategy._layer_sync is not None:
        raise UserError("trainer.sync_batchnorm=true needs GPUs: on CPUs set trainer.sync_batchnorm=false.")
    warning = slow_installation()
    if warning:
        rank_zero_warn(warning)


def check_model(model: ImageClassifier, data: ImageDataModule) -> None:
    """Run a few training images through a model, and raise a one-sentence error if something does not fit."""
    check_classes(model.num_classes, data.num_classes)
    model.loss.check(data.splits.train.labels, model.num_classes)
    batch = data.example()
    with torch.no_grad(), torch.compiler.set_stance("force_eager"):  # one call does not justify a compilation
        model.augment.train()
        check_images("augment", model.augmented, batch, model.input_size)
        images = check_images("preprocess", model.preprocessed, batch, model.input_size)
        check_backbone(model.backbone, images[:2].to(model.dtype), model.num_classes)
        alone = min(data.batch_size, len(data.splits.train)) == 1 and model.trainer.world_size == 1
        if alone and model.trainer.state.fn == TrainerFn.FITTING:
            check_single_image(model.backbone, images[:1].to(model.dtype))


def check_classes(of_model: int, of_data: int) -> None:
    """Raise UserError if model and data differ in the number of classes."""
    if of_data != of_model:
        raise UserError(f"num_classes={of_model} of the model does not match the data, which has {of_data}.")


def check_images(name: str, apply: Callable[[Batch], Batch], batch: Batch, input_size: tuple[int, int]) -> Tensor:
    """Apply a part of the model to some images of the data and return its output.

    Raises:
        UserError: if that part rejects the images, or its output does not have the model's input size.
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
    """Raise UserError if the network rejects such images, or does not return one logit per class."""
    name = type(backbone).__name__
    try:
        with frozen(backbone):  # the check must not change the network
            shape = tuple(backbone(images).shape)
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        if out_of_memory(error):
            raise
        raise UserError(f"{name} does not take images of shape {tuple(images.shape)}: {error}") from error
    if shape != (len(images), num_classes):
        raise UserError(
            f"{name} returns {shape} for {len(images)} images; it must return one logit for each of the "
            f"{num_classes} classes."
        )


def check_single_image(backbone: nn.Module, image: Tensor) -> None:
    """Raise UserError if the network cannot train on a single image, as with batch norm after pooling."""
    try:
        copy.deepcopy(backbone).train()(image)  # a copy, because training mode changes the statistics
    except ValueError as error:
        raise UserError(
            f"{type(backbone).__name__} cannot be trained on batches of one image ({error}): set data.batch_size to at "
            "least 2, or choose a network without batch norm such as model=small_cnn."
        ) from error


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
