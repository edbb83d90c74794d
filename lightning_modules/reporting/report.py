"""A callback that shows what a run saw and did: pictures while it trains, and a report at its end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import TensorBoardLogger

from augment import Batch
from augment.data.known import known
from augment.tools.preview.sheet import Tile, sheet_of
from lightning_modules.classifier import model_of
from lightning_modules.data.datamodule import data_of
from lightning_modules.reporting.learned import what_was_learned
from lightning_modules.reporting.page import Told, html_of, markdown_of
from lightning_modules.reporting.pictures import SIDE, augmented_tiles, in_rows, wrong_tiles
from lightning_modules.reporting.predictions import Predictions
from lightning_modules.reporting.settings import environment, settings_that_differ
from lightning_modules.reporting.throughput import Throughput
from lightning_modules.saving.whole_file import whole_file


class Report(Callback):
    """Write pictures of augmented batches during training, and report.html and report.md at the end.

    Before the first step, `first_batch.png` shows what the network is about to see; then `samples/epoch-N.png` shows
    the first batch of every `every`-th epoch, in TensorBoard too. The report has the settings that differ from the
    defaults, curves, the confusions and the accuracy of each class, the most wrong images, augmented samples, where the
    time went, the environment, and what a learned augmentation says about the data. With several labels per image it
    has no confusions. Of a run on several processes, it shows the most wrong images of the first one.

    Args:
        dirpath: folder of the files.
        every: epochs between pictures of augmented batches; 0 draws only the first.
        images: number of images in each picture.

    Example:
        >>> Report("outputs/run", every=10).history
        []
    """

    def __init__(self, dirpath: str, every: int = 5, images: int = 16) -> None:
        self.dirpath, self.every, self.images = Path(dirpath), every, images
        self.history: list[dict[str, float]] = []
        self.found: Predictions | None = None
        self.split = "val"
        self.samples: list[Tile] = []

    def state_dict(self) -> dict[str, Any]:
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if len(state_dict["history"]) > len(self.history):  # the test of the best checkpoint loads an earlier state
            self.history = state_dict["history"]

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        epoch = trainer.current_epoch
        due = not self.samples or (self.every > 0 and epoch % self.every == 0)
        if batch_idx > 0 or not due or not trainer.is_global_zero or batch.label is None:
            return
        self.samples = augmented_tiles(model_of(pl_module), batch, _classes(trainer, pl_module), self.images)
        sheet = sheet_of(in_rows(self.samples), SIDE)
        names = [f"samples/epoch-{epoch}.png"] if self.every else []
        for name in ["first_batch.png", *names] if trainer.global_step == 0 else names:
            (self.dirpath / name).parent.mkdir(parents=True, exist_ok=True)
            sheet.save(self.dirpath / name)
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                import numpy as np

                logger.experiment.add_image("augmented", np.array(sheet), trainer.global_step, dataformats="HWC")

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._begin(trainer, pl_module, "val")

    def on_test_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._begin(trainer, pl_module, "test")

    def _begin(self, trainer: pl.Trainer, pl_module: pl.LightningModule, split: str) -> None:
        model = model_of(pl_module)
        self.split = split
        self.found = None if model.loss.multi_label else Predictions(model.num_classes, model.device)

    def on_validation_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Batch, *_: Any
    ) -> None:
        self._add(outputs, batch)

    def on_test_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Batch, *_: Any
    ) -> None:
        self._add(outputs, batch)

    def _add(self, outputs: Any, batch: Batch) -> None:
        if self.found is not None:
            self.found.add(outputs["logits"], known(batch.label), known(batch.index), outputs["losses"])

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        values = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.history.append({"epoch": trainer.current_epoch, **values})

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._write(trainer, pl_module, {})

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        results = {name: float(v) for name, v in trainer.callback_metrics.items() if name.startswith("test/")}
        self._write(trainer, pl_module, results)

    def _write(self, trainer: pl.Trainer, pl_module: pl.LightningModule, results: dict[str, float]) -> None:
        """Write the report of what is known so far; all processes call this."""
        if self.found is not None:
            self.found.confusion = trainer.strategy.reduce(self.found.confusion, reduce_op="sum")
        data = data_of(trainer)
        if not trainer.is_global_zero:
            return
        classes = _classes(trainer, pl_module)
        speed = next((c.summary() for c in getattr(trainer, "callbacks", []) if isinstance(c, Throughput)), {})
        wrong = wrong_tiles(self.found, data, self.split, classes) if self.found is not None and data else []
        learned, learned_picture = what_was_learned(trainer)
        told = Told(
            title=self.dirpath.name,
            results=results or (self.history[-1] if self.history else {}),
            settings=settings_that_differ(self.dirpath),
            history=self.history,
            split=self.split,
            classes=list(classes),
            found=self.found,
            wrong=wrong,
            samples=self.samples,
            speed=speed,
            environment=environment(trainer),
            learned=learned,
            learned_picture=learned_picture,
        )
        self.dirpath.mkdir(parents=True, exist_ok=True)
        for name, text in (("report.html", html_of(told)), ("report.md", markdown_of(told))):
            with whole_file(self.dirpath / name) as file:
                file.write(text.encode())


def _classes(trainer: pl.Trainer, pl_module: pl.LightningModule) -> Sequence[str]:
    data = data_of(trainer)
    return data.splits.train.classes if data else [str(n) for n in range(model_of(pl_module).num_classes)]
