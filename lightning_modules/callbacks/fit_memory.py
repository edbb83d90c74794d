"""Finds, before training starts, how many images at a time fit into the memory of the device."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import BatchSizeFinder, Callback, GradientAccumulationScheduler
from pytorch_lightning.strategies import DDPStrategy, SingleDeviceStrategy
from pytorch_lightning.utilities import rank_zero_info
from pytorch_lightning.utilities.memory import garbage_collection_cuda

from augment import Batch
from augment.data.known import known
from lightning_modules.classifier import ImageClassifier, model_of
from lightning_modules.data.datamodule import ImageDataModule, data_of
from lightning_modules.errors import UserError, out_of_memory
from lightning_modules.model.schedules import callbacks_of


class FitMemory(Callback):
    """Divide each batch into micro-batches that fit into memory, and accumulate their gradients.

    The batch is halved until two training steps fit on every process. `trainer.accumulate_grad_batches` grows by the
    same factor and the limits of the trainer too, so that every step of the optimizer sees the same images as before,
    and an epoch and the schedule have the same length. Only what looks at a whole batch (batch norm, mixing) sees the
    micro-batch.
    """

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Choose the micro-batch; the processes are connected, but nothing depends on the size of a batch yet."""
        if stage != "fit":
            return
        _check(trainer)
        data = known(data_of(trainer))
        loader = data.train_dataloader()
        batch, batches = min(data.batch_size, len(loader.sampler)), len(loader)  # type: ignore[arg-type]  # has a length
        micro = _largest(trainer, model_of(pl_module), data, batch)
        device = trainer.strategy.root_device
        if micro == batch:
            rank_zero_info(f"fit_memory: a batch of {batch} images fits into the memory of {device}.")
            return
        _divide(trainer, batch // micro, batches)
        data.batch_size = micro
        rank_zero_info(
            f"fit_memory: a batch of {batch} images does not fit into the memory of {device}, so it is divided: "
            f"data.batch_size={micro} and trainer.accumulate_grad_batches={trainer.accumulate_grad_batches}."
        )


def _check(trainer: pl.Trainer) -> None:
    """Raise UserError where dividing the batch is impossible."""
    for callback in callbacks_of(trainer):
        if isinstance(callback, (BatchSizeFinder, GradientAccumulationScheduler)):
            raise UserError(f"fit_memory does not work with {type(callback).__name__}: leave one of them out.")
    if not isinstance(trainer.strategy, (SingleDeviceStrategy, DDPStrategy)):
        raise UserError(
            f"fit_memory works on one device and with DDP, not with {type(trainer.strategy).__name__}: set "
            "data.batch_size and trainer.accumulate_grad_batches yourself."
        )


def _largest(trainer: pl.Trainer, model: ImageClassifier, data: ImageDataModule, batch: int) -> int:
    """Return a micro-batch that fits on every process: the batch, halved as often as necessary.

    A number that cannot be halved is reduced to the next divisor of the batch, so that all micro-batches have one size.
    """
    micro = batch
    while not trainer.strategy.reduce_boolean_decision(_fits(trainer, model, _images(data, micro)), all=True):
        if micro == 1:
            raise UserError(
                f"fit_memory: not even one image fits into the memory of {trainer.strategy.root_device}: lower "
                "data.size, choose a smaller network, or set trainer.precision=bf16-mixed."
            )
        micro = next(size for size in range(micro // 2, 0, -1) if batch % size == 0)
    return micro


def _images(data: ImageDataModule, count: int) -> Batch:
    """Return training images, spread over the data set."""
    images = data.splits.train
    return images.__getitems__([i * len(images) // count for i in range(count)])


def _fits(trainer: pl.Trainer, model: ImageClassifier, batch: Batch) -> bool:
    """Try to train on a batch, and restore the model."""
    device = trainer.strategy.root_device
    try:
        trainer.precision_plugin.convert_module(model)
        model.to(device)
        saved = {name: value.to("cpu", copy=True) for name, value in model.state_dict().items()}
        try:
            with torch.random.fork_rng([device] if device.type == "cuda" else []):
                _train_twice(trainer, model, batch.to(device))
        finally:
            model.zero_grad(set_to_none=True)
            model.load_state_dict(saved)
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        return False
    finally:
        garbage_collection_cuda()
    return True


def _train_twice(trainer: pl.Trainer, model: ImageClassifier, batch: Batch) -> None:
    """Take two steps; in the second one, gradients and the state of the optimizer occupy memory as in training."""
    optimizer = model.new_optimizer()

    def closure() -> Any:  # torch declares that it returns a float, and takes a tensor
        with trainer.precision_plugin.forward_context():
            loss = model.training_losses(batch)[0].mean()
        loss.backward()
        return loss

    with torch.compiler.set_stance("force_eager"):  # a compilation for each size would take minutes
        optimizer.step(closure)
        buckets = [torch.empty_like(p) for p in model.parameters() if p.grad is not None and trainer.world_size > 1]
        optimizer.step(closure)
    del buckets  # the memory in which DDP exchanges the gradients


def _divide(trainer: Any, parts: int, batches: int) -> None:
    """Adapt what the trainer counts in batches.

    Args:
        trainer: the trainer; Lightning does not declare the attributes.
        parts: micro-batches per batch.
        batches: batches of an epoch before they are divided.
    """
    trainer.accumulate_grad_batches *= parts
    limit = trainer.limit_train_batches
    # a number, because the images that were left over at the end of an epoch could fill some micro-batches
    trainer.limit_train_batches = parts * min(batches, limit if isinstance(limit, int) else int(batches * limit))
    for name in ("limit_val_batches", "limit_test_batches", "val_check_interval"):
        value = getattr(trainer, name)
        if isinstance(value, int):
            setattr(trainer, name, value * parts)
