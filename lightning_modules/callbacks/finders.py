"""Callbacks that search for a learning rate or a batch size before training starts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytorch_lightning as pl
from pytorch_lightning.callbacks import BatchSizeFinder, Callback, LearningRateFinder
from pytorch_lightning.utilities import rank_zero_info
from torch.optim import AdamW, Optimizer

from augment.data.known import known
from lightning_modules.classifier import model_of
from lightning_modules.data.datamodule import data_of
from lightning_modules.errors import UserError


class FindLearningRate(Callback):
    """Train some steps with a growing learning rate, and use the rate at which the loss fell fastest (Smith 2017).

    Then the model gets its first weights back, and optimizer and schedule begin with the rate that was found. A run
    that is continued keeps the rate of its checkpoint.

    Args:
        lowest, highest: first and last rate of the search, positive.
        steps: number of steps, at least 20.
    """

    def __init__(self, lowest: float = 1e-6, highest: float = 1.0, steps: int = 100) -> None:
        if not 0 < lowest < highest:
            raise UserError(f"FindLearningRate: lowest={lowest} must be positive and below highest={highest}.")
        if steps < 20:
            raise UserError(f"FindLearningRate: steps={steps} must be at least 20.")
        self.finder = LearningRateFinder(lowest, highest, steps, update_attr=False)

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.ckpt_path is not None:
            return
        epochs, trainer.fit_loop.max_epochs = trainer.fit_loop.max_epochs, -1  # the search may take more epochs
        try:
            self.finder.lr_find(trainer, pl_module)
        finally:
            trainer.fit_loop.max_epochs = epochs
        if self.finder.optimal_lr is None:  # trainer.fast_dev_run searches for nothing
            return
        rate = self.finder.optimal_lr.suggestion()
        if rate is None:
            raise UserError("FindLearningRate has found no rate, because the loss grew at once: lower `lowest`.")
        model = model_of(pl_module)
        make: Callable[..., Optimizer] = model.make_optimizer or AdamW
        model.make_optimizer = partial(make, lr=rate)
        trainer.strategy.setup_optimizers(trainer)
        rank_zero_info(f"find_lr: optimizer.lr={rate:.3g}")


class FindBatchSize(BatchSizeFinder):
    """Double the batch size until training does not fit into memory, and train with the largest that does.

    The schedule gets the length that follows from it. On a CPU the search ends at `max_val` or at the size of the data.

    Args:
        init_val: first batch size.
        max_val: largest batch size to try.
        steps_per_trial: optimizer steps for each size.
    """

    def __init__(self, init_val: int = 32, max_val: int = 8192, steps_per_trial: int = 3) -> None:
        if not 1 <= init_val <= max_val:
            raise UserError(f"FindBatchSize: init_val={init_val} must be at least 1 and at most max_val={max_val}.")
        super().__init__(init_val=init_val, max_val=max_val, steps_per_trial=steps_per_trial)

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str | None = None) -> None:
        if stage == "fit":
            super().setup(trainer, pl_module, stage)

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().on_fit_start(trainer, pl_module)
        rank_zero_info(f"find_batch: data.batch_size={known(data_of(trainer)).batch_size}")

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Do not search again in validation."""

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Do not search again in the test."""
