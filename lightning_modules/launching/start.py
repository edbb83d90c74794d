"""Prepares a run of train.py."""

from __future__ import annotations

import os
from typing import Any

import pytorch_lightning as pl
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate, to_absolute_path
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.accelerators import CPUAccelerator
from pytorch_lightning.callbacks import Checkpoint, LearningRateMonitor
from pytorch_lightning.loggers import Logger

from lightning_modules.callbacks.fit_memory import FitMemory
from lightning_modules.callbacks.replay import callbacks_for_replay
from lightning_modules.classifier import ImageClassifier
from lightning_modules.errors import UserError
from lightning_modules.model.backbones import why_random
from lightning_modules.model.checks import check_callbacks, check_trainer
from lightning_modules.saving.saved import LAST

PATHS = (
    *("ckpt_path", "output_dir", "data.root", "data.table"),
    *("model.checkpoint_path", "loss.teacher.checkpoint_path"),
)
"""Settings that are paths."""


def resolve_paths(cfg: DictConfig) -> None:
    """Make the paths of a configuration `absolute`."""
    for key in PATHS:
        path = OmegaConf.select(cfg, key)
        if path and (key, path) != ("ckpt_path", LAST):
            OmegaConf.update(cfg, key, absolute(path))


def absolute(path: str) -> str:
    """Return a path relative to the folder of the command, even under hydra.job.chdir=true; expand ~."""
    path = os.path.expanduser(path)
    moved = HydraConfig.initialized() and HydraConfig.get().job.chdir
    return to_absolute_path(path) if moved else path


def refuse_random_weights(cfg: DictConfig, ckpt_path: str | None, model: ImageClassifier) -> None:
    """Refuse to test random weights, whose accuracy would look like a result.

    Raises:
        UserError: if the run only tests, and neither a checkpoint nor `model` provides weights.
    """
    reason = None if cfg.train or ckpt_path is not None else why_random(cfg.model, model.backbone, model.num_classes)
    if reason is not None:
        raise UserError(
            f"train=false needs trained weights, and would test random ones here: {reason}; pass "
            "ckpt_path=.../best.ckpt."
        )


def build_trainer(cfg: DictConfig, continuing: bool) -> pl.Trainer:
    """Build the trainer with the configured callbacks and loggers; `NAME: null` removes one, `=null` removes all.

    Args:
        cfg: configuration of the run.
        continuing: whether training resumes from a checkpoint.
    """
    loggers = _objects(cfg, "logger", Logger)
    callbacks = _objects(cfg, "callbacks", pl.Callback)
    check_callbacks(callbacks, continuing)
    if cfg.replay is not None:
        callbacks, loggers = callbacks_for_replay(cfg.replay, callbacks, cfg.output_dir), []
    if not loggers:  # LearningRateMonitor requires a logger
        callbacks = [callback for callback in callbacks if not isinstance(callback, LearningRateMonitor)]
    if cfg.fit_memory:
        callbacks.append(FitMemory())
    if cfg.evaluate:
        callbacks.append(instantiate(cfg.evaluate))
    options = {}
    if not any(isinstance(callback, Checkpoint) for callback in callbacks):
        options["enable_checkpointing"] = False  # or Lightning would save to its own folder
    trainer = instantiate(cfg.trainer, callbacks=callbacks, logger=loggers, **options)
    if not isinstance(trainer, pl.Trainer):
        raise UserError(f"trainer creates a {type(trainer).__name__}, which is not a Lightning Trainer.")
    check_trainer(trainer)
    cores = os.cpu_count() or 1
    if isinstance(trainer.accelerator, CPUAccelerator) and trainer.num_devices > max(cores, 4):
        raise UserError(f"trainer.devices={trainer.num_devices} starts more processes than there are cores, {cores}.")
    return trainer


def _objects(cfg: DictConfig, group: str, kind: type) -> list[Any]:
    """Instantiate the members of a group."""
    made = instantiate(cfg.get(group)) or {}
    for name, value in made.items():
        if value is not None and not isinstance(value, kind):
            raise UserError(f"{group}.{name} is not a Lightning {kind.__name__}: give {group}.{name}._target_=...")
    return [value for value in made.values() if value is not None]
