"""Stops a run whose weights are NaN or infinite."""

from __future__ import annotations

import pytorch_lightning as pl
import torch
from torch import nn

from lightning_modules.errors import UserError
from lightning_modules.model.sharding import local


class NonFiniteError(UserError):
    """An error that all processes of a run raise together."""


def check_weights(trainer: pl.Trainer, module: nn.Module) -> None:
    """Raise NonFiniteError if any weight is NaN or infinite, or any buffer is NaN; waits for the device."""
    device = trainer.strategy.root_device
    finite = [local(parameter.detach()).isfinite().all().to(device) for parameter in module.parameters()]
    finite += [~buffer.isnan().any().to(device) for buffer in module.buffers() if buffer.is_floating_point()]
    if not trainer.strategy.reduce_boolean_decision(bool(torch.stack(finite).all())):
        raise NonFiniteError(
            f"weights are NaN or infinite in epoch {trainer.current_epoch}, after {trainer.global_step} steps: the run "
            "stops and its checkpoints keep earlier weights; lower optimizer.lr or set trainer.gradient_clip_val=1."
        )
