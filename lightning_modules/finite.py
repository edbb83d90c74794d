"""Ends a run whose loss is NaN or infinite, before it does harm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor, nn

import augment as A
from lightning_modules.errors import UserError

SHOWN = 8
"""Samples that the message names."""


class NonFiniteError(UserError):
    """Raised on all processes of a run at once."""


class _Batch(NamedTuple):
    """A batch that has not been looked at yet."""

    place: str
    numbers: Tensor
    """(B,) of the samples."""
    bad: Tensor
    """(B,) bool, whose loss is not finite."""


class StopAtNonFinite(Callback):
    """Ends the run at the first batch with a loss that is NaN or infinite, naming epoch, step and samples.

    Whether a loss is finite is computed on its device. The answer is read there every few batches only, for the
    computer would wait for the device; in any case before a checkpoint is saved and at the end of an epoch. All
    processes of a distributed run end together.

    Args:
        every: batches of training from one look to the next; None is 1 on a CPU, trainer.log_every_n_steps elsewhere.
    """

    def __init__(self, every: int | None = None) -> None:
        if every is not None and every < 1:
            raise UserError(f"StopAtNonFinite: every={every} must be at least 1, or None.")
        self.every = every
        self.step = 0
        self.batches: list[_Batch] = []

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        self.step = trainer.global_step

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: A.Batch, batch_idx: int
    ) -> None:
        self._add(f"training, epoch {trainer.current_epoch}, step {self.step}", outputs, batch)
        on_cpu = trainer.strategy.root_device.type == "cpu"
        if len(self.batches) >= (self.every or (1 if on_cpu else _log_every(trainer))):
            self.look(trainer)

    def on_validation_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: A.Batch, *_: Any
    ) -> None:
        self._add(f"validation, epoch {trainer.current_epoch}, step {trainer.global_step}", outputs, batch)

    def on_test_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: A.Batch, *_: Any
    ) -> None:
        self._add("the test", outputs, batch)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.look(trainer)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.look(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.look(trainer)

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.look(trainer)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self.look(trainer)

    def look(self, trainer: pl.Trainer) -> None:
        """Waits for what has been computed; to be called on all processes after the same batches."""
        batches, self.batches = self.batches, []
        if not batches:
            return
        found = bool(torch.cat([batch.bad for batch in batches]).any())
        if trainer.strategy.reduce_boolean_decision(found, all=False):
            place, samples = _first(trainer, batches)
            raise NonFiniteError(
                f"the loss is NaN or infinite in {place}, of {_listed(samples)}: the run ends here and its checkpoints "
                "keep earlier weights; look at these samples, lower optimizer.lr or set trainer.gradient_clip_val=1."
            )

    def _add(self, place: str, outputs: Any, batch: A.Batch) -> None:
        if isinstance(outputs, Mapping) and "losses" in outputs:
            bad = ~outputs["losses"].isfinite()
            index = torch.arange(len(bad), device=bad.device) if batch.index is None else batch.index
            self.batches.append(_Batch(place, index, bad))


def _log_every(trainer: pl.Trainer) -> int:
    return trainer.log_every_n_steps or 50  # type: ignore[attr-defined]  # Lightning sets it without declaring it


def check_weights(trainer: pl.Trainer, module: nn.Module) -> None:
    """Refuses to save weights that are NaN or infinite, and buffers that are NaN. Waits for the device."""
    device = trainer.strategy.root_device
    finite = [parameter.detach().isfinite().all().to(device) for parameter in module.parameters()]
    finite += [~buffer.isnan().any().to(device) for buffer in module.buffers() if buffer.is_floating_point()]
    if not trainer.strategy.reduce_boolean_decision(bool(torch.stack(finite).all())):
        raise NonFiniteError(
            f"weights are NaN or infinite in epoch {trainer.current_epoch}, after {trainer.global_step} steps: the run "
            "ends here and its checkpoints keep earlier weights; lower optimizer.lr or set trainer.gradient_clip_val=1."
        )


def _first(trainer: pl.Trainer, batches: list[_Batch]) -> tuple[str, list[int]]:
    """The first batch with a loss that is not finite, and the numbers of its samples, of all processes."""
    numbers = [number for number, batch in enumerate(batches) if batch.bad.any()]
    device = trainer.strategy.root_device
    mine = torch.tensor(numbers[0] if numbers else len(batches), device=device)
    batch = batches[int(trainer.strategy.all_gather(mine).min())]
    samples = trainer.strategy.all_gather(torch.where(batch.bad, batch.numbers.to(batch.bad.device), -1))
    return batch.place, sorted(number for number in samples.flatten().tolist() if number >= 0)


def _listed(samples: list[int]) -> str:
    more = f" and {len(samples) - SHOWN} more" if len(samples) > SHOWN else ""
    return f"sample{'s' if len(samples) > 1 else ''} {', '.join(map(str, samples[:SHOWN]))}{more}"
