"""A cell of the table: one task, one method, one seed. A file of lines holds the cells that are done."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytorch_lightning as pl
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from lightning_modules.launching.run import silence_harmless_warnings
from lightning_modules.launching.start import build_trainer
from lightning_modules.quoting import quoted
from lightning_modules.regret import results
from lightning_modules.regret.methods import every_method
from lightning_modules.saving.saved import last_of_run


@dataclass(frozen=True)
class Cell:
    """A result.

    Attributes:
        task, method, seed: what was run.
        accuracy: share of the test images that are classified correctly, in [0, 1].
        seconds: processor time of the training.
    """

    task: str
    method: str
    seed: int
    accuracy: float
    seconds: float


def read(path: Path) -> list[Cell]:
    """Return the cells of a file, see `results.read`."""
    return results.read(path, Cell)


def run(conf: Path, task: str, method: str, seed: int, further: Sequence[str] = ()) -> Cell:
    """Train and test one cell, as `python train.py experiment=regret` does, in this process.

    Args:
        conf: the folder conf beside train.py.
        task: name of a task of the suite.
        method: name of a method, see `every_method`.
        seed: seed of data, weights, order and augmentation.
        further: further overrides.
    """
    what = ["experiment=regret", "trainer=cpu", f"data.task={task}"]
    trained = train(conf, [*what, *every_method()[method], *further], seed)
    return Cell(task, method, seed, trained.accuracy, trained.seconds)


class Trained(NamedTuple):
    """A finished training: its trainer, the accuracy on the test images, and the processor seconds of the fit."""

    trainer: pl.Trainer
    accuracy: float
    seconds: float


def train(conf: Path, overrides: Sequence[str], seed: int, folder: Path | None = None) -> Trained:
    """Train and test, as `python train.py` does with these overrides, in this process.

    Args:
        conf: the folder conf beside train.py.
        overrides: words of the command line.
        seed: seed of data, weights, order and augmentation.
        folder: folder of the run, where a training that was stopped goes on; None keeps no files.
    """
    silence_harmless_warnings()
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)  # it greets at every training
    with tempfile.TemporaryDirectory() as passing, initialize_config_dir(str(conf.resolve()), version_base="1.3"):
        cfg = compose("train", overrides=[*overrides, f"seed={seed}", f"output_dir={quoted(str(folder or passing))}"])
        last = None if folder is None else last_of_run(str(folder))
        pl.seed_everything(seed, workers=True, verbose=False)
        data = instantiate(cfg.data.module)
        if cfg.data.num_classes is None:
            cfg.data.num_classes = data.num_classes
        model, trainer = instantiate(cfg.classifier), build_trainer(cfg, continuing=last is not None)
        began = time.process_time()
        trainer.fit(model, data, ckpt_path=last, weights_only=True)
        seconds = time.process_time() - began
        (metrics,) = trainer.test(model, data, verbose=False)
    return Trained(trainer, metrics["test/acc"], round(seconds, 2))
