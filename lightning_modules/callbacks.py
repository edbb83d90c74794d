"""Callbacks that make a run survive an interruption."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from pytorch_lightning.utilities.exceptions import SIGTERMException


class LastCheckpoint(ModelCheckpoint):
    """Keeps `last.ckpt`: the state after the latest epoch, or at the moment of SIGTERM or Ctrl-C.

    Args:
        dirpath: folder of the file; None for the logger's.
    """

    def __init__(self, dirpath: str | None = None) -> None:
        # `ModelCheckpoint(save_last=True)` writes it only when the monitored metric has improved
        super().__init__(
            dirpath, filename="last", save_on_train_epoch_end=True, save_on_exception=True, enable_version_counter=False
        )

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        # an error may have hit one process alone, and saving would wait for the others for ever
        if isinstance(exception, (SIGTERMException, KeyboardInterrupt)):
            super().on_exception(trainer, pl_module, exception)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Nothing of an earlier run's matters to this one."""


class Reseed(Callback):
    """Makes dropout and the like a function of (seed, process, step), so that there is no generator state to restore.

    Augmentation is that already by itself.

    Args:
        seed: of the run, not negative.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        # counted in batches: under gradient accumulation several of them share a global_step
        key = [self.seed, trainer.global_rank, trainer.current_epoch, batch_idx]
        torch.manual_seed(int(np.random.SeedSequence(key).generate_state(1)[0]))
