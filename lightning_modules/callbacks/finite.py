"""Stops a run whose loss is NaN or infinite before it overwrites good checkpoints, or skips such steps."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.utilities import rank_zero_warn
from torch import Tensor, nn
from torch.optim import Optimizer

import augment as A
from lightning_modules.callbacks import replay
from lightning_modules.errors import UserError
from lightning_modules.model.finite_weights import NonFiniteError

SHOWN = 8
"""Maximum number of samples that the message lists."""


class _Batch(NamedTuple):
    """A batch that has not been checked yet."""

    place: str
    moment: replay.Moment | None
    """None if it is not a training batch."""
    numbers: Tensor
    """Sample numbers, (B,)."""
    bad: Tensor
    """True for samples whose loss is not finite, (B,) bool."""


class StopAtNonFinite(Callback):
    """Stop the run at the first batch with a NaN or infinite loss, and name the epoch, step and samples.

    The check runs on the device of the loss. The callback reads the result only every few batches, because reading
    makes the host wait for the device; it always reads before a checkpoint is saved and at the end of an epoch. All
    processes of a distributed run stop together. A file in the run's folder says how to repeat a training batch.

    Args:
        every: training batches between two checks; None means 1 on a CPU and trainer.log_every_n_steps elsewhere.
        skip: number of optimizer steps of the whole run that may be left out because their loss is NaN or infinite. If
            it is positive, the host waits for the device in every step, because a step must be checked before it is
            taken.
    """

    def __init__(self, every: int | None = None, skip: int = 0) -> None:
        if every is not None and every < 1:
            raise UserError(f"StopAtNonFinite: every={every} must be at least 1, or None.")
        if skip < 0:
            raise UserError(f"StopAtNonFinite: skip={skip} must be at least 0.")
        self.every = every
        self.skip, self.skipped = skip, 0
        self.step, self.begun = 0, 0.0
        self.batches: list[_Batch] = []
        self._window: _Window | None = None

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.begun = time.time()

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        self.step = trainer.global_step
        if self.skip and self._window is None:
            self._window = _Window(pl_module)

    def on_before_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: Tensor) -> None:
        if self._window is not None:
            self._window.add(loss.detach())

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        if self._window is not None and self.skipped < self.skip and self._window.is_bad(trainer):
            self._window.undo(pl_module, optimizer)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: A.Batch, batch_idx: int
    ) -> None:
        moment = replay.Moment(trainer.current_epoch, batch_idx, self.step)
        self._add(f"training, epoch {trainer.current_epoch}, step {self.step}", outputs, batch, moment)
        if self._window is not None:
            if trainer.global_step == self.step:  # gradients still accumulate
                return
            if self._window.undone:
                self._report_skipped(trainer)
            self._window = None
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

    def state_dict(self) -> dict[str, Any]:
        return {"skipped": self.skipped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.skipped = state_dict["skipped"]

    def look(self, trainer: pl.Trainer) -> None:
        """Check all pending batches, waiting for the device; every process must call this after the same batches."""
        batches, self.batches = self.batches, []
        if not batches:
            return
        found = bool(torch.cat([batch.bad for batch in batches]).any())
        if trainer.strategy.reduce_boolean_decision(found, all=False):
            batch, samples, bad = _first(trainer, batches)
            remedy = "check these samples, lower optimizer.lr or set trainer.gradient_clip_val=1"
            if batch.moment is not None:
                path = replay.record(trainer, batch.moment, samples, bad, self.begun)
                remedy += f"; {replay.how_to_repeat(path)}"
            raise NonFiniteError(
                f"the loss is NaN or infinite in {batch.place}, for {_listed(bad)}: the run stops and its checkpoints "
                f"keep earlier weights; {remedy}."
            )

    def _report_skipped(self, trainer: pl.Trainer) -> None:
        batch, _, bad = _first(trainer, self.batches)
        self.batches.clear()
        self.skipped += 1
        rank_zero_warn(
            f"the loss is NaN or infinite in {batch.place}, for {_listed(bad)}: the step is skipped, {self.skipped} of "
            f"{self.skip} that may be."
        )

    def _add(self, place: str, outputs: Any, batch: A.Batch, moment: replay.Moment | None = None) -> None:
        if isinstance(outputs, Mapping) and "losses" in outputs:
            bad = ~outputs["losses"].isfinite()
            index = torch.arange(len(bad), device=bad.device) if batch.index is None else batch.index
            self.batches.append(_Batch(place, moment, index, bad))


class _Window:
    """The batches of one optimizer step, which can be undone.

    Args:
        module: the module, whose buffers are remembered, since batch norm updates its statistics before the step.
    """

    def __init__(self, module: nn.Module) -> None:
        self.buffers = [buffer.clone() for buffer in module.buffers()]
        self.losses: list[Tensor] = []
        self.undone = False

    def add(self, loss: Tensor) -> None:
        self.losses.append(loss)

    def is_bad(self, trainer: pl.Trainer) -> bool:
        """Return whether a loss on any process is not finite; waits for the device."""
        found = not bool(torch.stack(self.losses).isfinite().all())
        return trainer.strategy.reduce_boolean_decision(found, all=False)

    @torch.no_grad()
    def undo(self, module: nn.Module, optimizer: Optimizer) -> None:
        """Remove the gradients, so that the optimizer changes neither weights nor its own state."""
        for buffer, value in zip(module.buffers(), self.buffers, strict=True):
            buffer.copy_(value)
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = None
        self.undone = True


def _log_every(trainer: pl.Trainer) -> int:
    return trainer.log_every_n_steps or 50  # type: ignore[attr-defined]  # Lightning sets it without declaring it


def _first(trainer: pl.Trainer, batches: list[_Batch]) -> tuple[_Batch, list[int], list[int]]:
    """Return the first batch with a non-finite loss, and its samples and its bad samples on all processes."""
    numbers = [number for number, batch in enumerate(batches) if batch.bad.any()]
    device = trainer.strategy.root_device
    mine = torch.tensor(numbers[0] if numbers else len(batches), device=device)
    batch = batches[int(trainer.strategy.all_gather(mine).min())]
    ours = batch.numbers.to(batch.bad.device)
    samples, bad = (trainer.strategy.all_gather(n).flatten().tolist() for n in (ours, torch.where(batch.bad, ours, -1)))
    return batch, samples, sorted(number for number in bad if number >= 0)


def _listed(samples: list[int]) -> str:
    more = f" and {len(samples) - SHOWN} more" if len(samples) > SHOWN else ""
    return f"sample{'s' if len(samples) > 1 else ''} {', '.join(map(str, samples[:SHOWN]))}{more}"
