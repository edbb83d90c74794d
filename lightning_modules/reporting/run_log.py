"""Fills the log file that Hydra opens in the run's folder, train.log."""

from __future__ import annotations

import logging
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.utilities import rank_zero_only

from lightning_modules.data.datamodule import data_of


class RunLog(Callback):
    """Write to train.log what a run begins with, the metrics of every epoch, and how it ends.

    The lines go to the files of Python's root logger and not to the terminal. Without such a file, as in a notebook,
    nothing is written.

    Example:
        >>> callback = RunLog()  # for Trainer(callbacks=[...]); train.py has it by default
    """

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        data, device = data_of(trainer), trainer.strategy.root_device
        line = f"{getattr(stage, 'value', stage)} on {trainer.world_size} x {device.type}"
        if data is not None:
            images = ", ".join(f"{len(part)} {name}" for name, part in data.splits._asdict().items())
            line += f", {data.num_classes} classes, images: {images}, batches of {data.batch_size}"
        _tell(line)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        _tell(f"epoch {trainer.current_epoch}, step {trainer.global_step}: {metrics_line(trainer.callback_metrics)}")

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        _tell(f"tested: {metrics_line(trainer.callback_metrics)}")

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        _tell(f"training ended after {trainer.current_epoch} epochs and {trainer.global_step} steps")

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        _tell(f"ended by {type(exception).__name__}: {exception}", logging.ERROR)


def metrics_line(metrics: dict[str, Any]) -> str:
    """Return "train/loss 0.513, val/acc 0.9".

    Example:
        >>> metrics_line({"val/acc": 0.9})
        'val/acc 0.9'
    """
    return ", ".join(f"{name} {float(value):.4g}" for name, value in sorted(metrics.items()))


@rank_zero_only
def _tell(line: str, level: int = logging.INFO) -> None:
    record = logging.LogRecord("train", level, __file__, 0, line, None, None)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler):
            handler.handle(record)
