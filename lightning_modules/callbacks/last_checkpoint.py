"""Callbacks that let a run survive an interruption."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from pytorch_lightning.trainer.states import TrainerFn
from pytorch_lightning.utilities.exceptions import SIGTERMException

from lightning_modules.callbacks.interruption import HeldSignals, largest
from lightning_modules.errors import UserError


class LastCheckpoint(ModelCheckpoint):
    """Keep `last.ckpt`: the state after the latest epoch, every half hour within an epoch, or at SIGTERM or Ctrl-C.

    Within an epoch it is saved after an optimizer step, so that no partial gradient is lost. With several processes,
    they agree on that every `trainer.log_every_n_steps` steps, because this makes the host wait for the device.

    Args:
        dirpath: folder of the file; None uses the logger's folder.
        minutes: time after which an epoch is saved before its end, positive; None never saves within an epoch.
    """

    def __init__(self, dirpath: str | None = None, minutes: float | None = 30.0) -> None:
        if minutes is not None and minutes <= 0:
            raise UserError(f"LastCheckpoint: minutes={minutes} must be positive, or None.")
        # `ModelCheckpoint(save_last=True)` writes it only when the monitored metric has improved
        super().__init__(
            dirpath, filename="last", save_on_train_epoch_end=True, save_on_exception=True, enable_version_counter=False
        )
        self.minutes = minutes
        self.saved_at = 0.0
        self.step, self.stepped = 0, True
        self.signals = HeldSignals()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().on_train_start(trainer, pl_module)
        self.saved_at = time.monotonic()
        self.signals.begin()

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        self.step, self.stepped = trainer.global_step, False

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        self.stepped = trainer.global_step > self.step  # otherwise gradients still accumulate
        if not self.stepped or not _processes_agree(trainer, trainer.global_step):
            return
        late = self.minutes is not None and time.monotonic() - self.saved_at >= 60 * self.minutes
        save, *received = largest(trainer, [int(late), *self.signals.received()])
        self.signals.deliver(received)
        at_its_end = trainer.fit_loop.epoch_loop.batch_progress.is_last_batch  # saved after the validation
        if save and not at_its_end and not self._should_skip_saving_checkpoint(trainer):
            self._save_topk_checkpoint(trainer, self._monitor_candidates(trainer))

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.stepped = True  # no step is under way; a checkpoint leaves out gradients that accumulate
        self.signals.begin()

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.signals.begin()

    def on_validation_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int, *_: Any
    ) -> None:
        self._after_evaluated(trainer, batch_idx)

    def on_test_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int, *_: Any
    ) -> None:
        self._after_evaluated(trainer, batch_idx)

    def on_sanity_check_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._end_now(trainer)

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._end_now(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().on_train_epoch_end(trainer, pl_module)
        self.signals.deliver(largest(trainer, self.signals.received()))

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        # another error may have occurred on one process only, and saving would wait for the others forever; in the
        # middle of a step, as at a second Ctrl-C, the weights may be half updated
        in_training = trainer.state.fn == TrainerFn.FITTING
        if in_training and isinstance(exception, (SIGTERMException, KeyboardInterrupt)) and self.stepped:
            super().on_exception(trainer, pl_module, exception)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Ignore the state of an earlier run, which does not matter here."""

    def _after_evaluated(self, trainer: pl.Trainer, batch_idx: int) -> None:
        """Deliver the signals after a batch; Lightning ends the loop after a SIGTERM, except in the last batch."""
        if _processes_agree(trainer, batch_idx + 1):
            self.signals.deliver(largest(trainer, self.signals.received()))

    def _end_now(self, trainer: pl.Trainer) -> None:
        """Deliver the signals where Lightning does not look for a SIGTERM."""
        self.signals.deliver(largest(trainer, self.signals.received()))
        if trainer.received_sigterm:
            raise SIGTERMException

    def _save_checkpoint(self, trainer: pl.Trainer, filepath: str) -> None:
        super()._save_checkpoint(trainer, filepath)
        self.saved_at = time.monotonic()


def _processes_agree(trainer: pl.Trainer, count: int) -> bool:
    """Return whether the processes exchange numbers after this many steps."""
    every = trainer.log_every_n_steps or 50  # type: ignore[attr-defined]  # Lightning sets it without declaring it
    return trainer.world_size == 1 or count % every == 0


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
