"""Stops a run whose loss is NaN or infinite before it overwrites good checkpoints."""

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
"""Maximum number of samples that the message lists."""


class NonFiniteError(UserError):
    """An error that all processes of a run raise together."""


class _Batch(NamedTuple):
    """A batch that has not been checked yet."""

    place: str
    numbers: Tensor
    """Sample numbers, (B,)."""
    bad: Tensor
    """True for samples whose loss is not finite, (B,) bool."""


class StopAtNonFinite(Callback):
    """Stop the run at the first batch with a NaN or infinite loss, and name the epoch, step and samples.

    The check runs on the device of the loss. The callback reads the result only every few batches, because reading
    makes the host wait for the device; it always reads before a checkpoint is saved and at the end of an epoch. All
    processes of a distributed run stop together.

    Args:
        every: training batches between two checks; None means 1 on a CPU and trainer.log_every_n_steps elsewhere.
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
        """Check all pending batches, waiting for the device; every process must call this after the same batches."""
        batches, self.batches = self.batches, []
        if not batches:
            return
        found = bool(torch.cat([batch.bad for batch in batches]).any())
        if trainer.strategy.reduce_boolean_decision(found, all=False):
            place, samples = _first(trainer, batches)
            raise NonFiniteError(
                f"the loss is NaN or infinite in {place}, for {_listed(samples)}: the run stops and its checkpoints "
                "keep earlier weights; check these samples, lower optimizer.lr or set trainer.gradient_clip_val=1."
            )

    def _add(self, place: str, outputs: Any, batch: A.Batch) -> None:
        if isinstance(outputs, Mapping) and "losses" in outputs:
            bad = ~outputs["losses"].isfinite()
            index = torch.arange(len(bad), device=bad.device) if batch.index is None else batch.index
            self.batches.append(_Batch(place, index, bad))


def _log_every(trainer: pl.Trainer) -> int:
    return trainer.log_every_n_steps or 50  # type: ignore[attr-defined]  # Lightning sets it without declaring it


def check_weights(trainer: pl.Trainer, module: nn.Module) -> None:
    """Raise NonFiniteError if any weight is NaN or infinite, or any buffer is NaN; waits for the device."""
    device = trainer.strategy.root_device
    finite = [parameter.detach().isfinite().all().to(device) for parameter in module.parameters()]
    finite += [~buffer.isnan().any().to(device) for buffer in module.buffers() if buffer.is_floating_point()]
    if not trainer.strategy.reduce_boolean_decision(bool(torch.stack(finite).all())):
        raise NonFiniteError(
            f"weights are NaN or infinite in epoch {trainer.current_epoch}, after {trainer.global_step} steps: the run "
            "stops and its checkpoints keep earlier weights; lower optimizer.lr or set trainer.gradient_clip_val=1."
        )


def _first(trainer: pl.Trainer, batches: list[_Batch]) -> tuple[str, list[int]]:
    """Return the place of the first batch with a non-finite loss, and its bad samples on all processes."""
    numbers = [number for number, batch in enumerate(batches) if batch.bad.any()]
    device = trainer.strategy.root_device
    mine = torch.tensor(numbers[0] if numbers else len(batches), device=device)
    batch = batches[int(trainer.strategy.all_gather(mine).min())]
    samples = trainer.strategy.all_gather(torch.where(batch.bad, batch.numbers.to(batch.bad.device), -1))
    return batch.place, sorted(number for number in samples.flatten().tolist() if number >= 0)


def _listed(samples: list[int]) -> str:
    more = f" and {len(samples) - SHOWN} more" if len(samples) > SHOWN else ""
    return f"sample{'s' if len(samples) > 1 else ''} {', '.join(map(str, samples[:SHOWN]))}{more}"
