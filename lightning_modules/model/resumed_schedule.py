"""The learning rate schedule of a run that resumes with a different number of steps per epoch."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
from torch.optim.lr_scheduler import LRScheduler

from lightning_modules.data.rest_of_epoch import batches_done, epoch_and_whether_within
from lightning_modules.model.schedules import accumulated, optimizer_steps, scheduled, steps_of_epochs, takes_length


def continue_schedule(model: pl.LightningModule, make: Callable[..., Any], interval: str) -> None:
    """Let the schedule of a resumed run end at the end of training, if the steps that are left have another number.

    This applies to schedules that get the length of training filled in. They continue where a run with today's
    settings has as many steps left. Call this after ImageDataModule.resume, before the first batch.

    Args:
        model: the model being trained.
        make, interval: see `lightning_modules.model.schedules.scheduled`.
    """
    trainer = model.trainer
    if not trainer.fit_loop.restarting or not takes_length(make, model, interval):
        return
    place, current = place_in_schedule(trainer), trainer.lr_scheduler_configs[0]
    if not isinstance(current.scheduler, LRScheduler) or current.scheduler.last_epoch == place:
        return
    optimizer = trainer.optimizers[0]
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"]
    new = scheduled(make, optimizer, model, interval)["scheduler"]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*lr_scheduler.step.*")  # the optimizer's steps were taken before
        for _ in range(place):
            new.step()
    current.scheduler = new


def place_in_schedule(trainer: pl.Trainer) -> int:
    """Return how many optimizer steps a run with today's settings has taken when as many steps are left as here.

    It differs from `trainer.global_step` if the batch size, the number of processes, the accumulation or the limit of
    batches has changed since the run began.
    """
    total, steps = optimizer_steps(trainer), trainer.global_step
    if trainer.max_epochs in (None, -1) or not math.isfinite(total):
        return steps
    (epoch, within), steps_of = epoch_and_whether_within(trainer), steps_of_epochs(trainer)
    batches = batches_done(trainer)
    left = sum(steps_of[epoch:])
    if within and epoch < len(steps_of):
        whole = batches == trainer.num_training_batches
        left -= steps_of[epoch] if whole else batches // accumulated(trainer, epoch)
    if trainer.max_steps != -1:
        left = min(left, trainer.max_steps - steps)
    return max(int(total) - left, 0)
