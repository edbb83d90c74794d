"""Callbacks that let a run survive an interruption."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from pytorch_lightning.utilities.exceptions import SIGTERMException


class LastCheckpoint(ModelCheckpoint):
    """Keep `last.ckpt`: the state after the latest epoch, or at the moment of SIGTERM or Ctrl-C.

    Args:
        dirpath: folder of the file; None uses the logger's folder.
    """

    def __init__(self, dirpath: str | None = None) -> None:
        # `ModelCheckpoint(save_last=True)` writes it only when the monitored metric has improved
        super().__init__(
            dirpath, filename="last", save_on_train_epoch_end=True, save_on_exception=True, enable_version_counter=False
        )

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        # another error may have occurred on one process only, and saving would wait for the others forever
        if isinstance(exception, (SIGTERMException, KeyboardInterrupt)):
            super().on_exception(trainer, pl_module, exception)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Ignore the state of an earlier run, which does not matter here."""


class Reseed(Callback):
    """Make dropout and similar layers a function of (seed, process, step), so that no generator state is restored.

    Augmentation does not need this callback, because its noise does not come from a generator.

    Args:
        seed: seed of the run, not negative.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        # count batches, because several batches share one global_step under gradient accumulation
        key = [self.seed, trainer.global_rank, trainer.current_epoch, batch_idx]
        torch.manual_seed(int(np.random.SeedSequence(key).generate_state(1)[0]))
