"""Callbacks that harm the process from inside, at an exact step."""

from __future__ import annotations

import io
import os
import resource
import signal
from typing import IO, Any

import pytorch_lightning as pl
import torch


class DieWhileSaving(pl.Callback):
    """Kill the process when half of a checkpoint is written.

    Args:
        step: number of optimizer steps after which the next checkpoint is hit.
    """

    def __init__(self, step: int) -> None:
        self.step = step

    def on_save_checkpoint(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step >= self.step:
            torch.save = _half


def _half(content: Any, file: IO[bytes]) -> None:
    whole = io.BytesIO()
    torch.serialization.save(content, whole)
    file.write(whole.getvalue()[: whole.tell() // 2])
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)


class FillDisk(pl.Callback):
    """Let the operating system refuse to write more than 100 kB into a file, as on a full disk.

    Args:
        step: number of optimizer steps after which it refuses.
    """

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step >= self.step:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
