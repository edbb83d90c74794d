"""Evaluation: a callback that measures more than accuracy in the pass over the test images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torchmetrics.classification import MulticlassCalibrationError, MulticlassConfusionMatrix

import augment as A
from augment.data.known import known
from lightning_modules.classifier import ImageClassifier, model_of
from lightning_modules.data.datamodule import data_of
from lightning_modules.data.image_sets import IGNORED
from lightning_modules.errors import UserError
from lightning_modules.evaluation.corrupted import CorrectCounts, CorruptedImages, chosen
from lightning_modules.evaluation.report import Report, print_report, write_report

BINS = 15
"""Bins of the calibration error (Guo et al. 2017, "On calibration of modern neural networks", section 5)."""


class Evaluation(pl.Callback):
    """Measure accuracy, per class and with a confusion matrix, calibration, and robustness to corruptions.

    Everything is counted in the pass of `trainer.test`, exactly for any number of processes: padding does not count.
    The first process prints tables and writes evaluation.json and evaluation.csv. Corruptions are keyed by sample, so
    that results repeat.

        trainer = pl.Trainer(callbacks=[Evaluation("outputs", corruptions=["fog", "gaussian_noise"])])

    Args:
        folder: folder of the files.
        corruptions: "all" for those that count in the mean of the published data, or names from `A.presets.IMAGENET_C`
            and `IMAGENET_C_EXTRA`; empty for none. Each is applied at five severities to the resized and cropped
            images, before they are normalised.
        strength: "imagenet_c" for photographs of about 224 pixels, "cifar_c" for images of about 32 pixels.
        seed: seed of the corruptions.
    """

    def __init__(
        self, folder: str, corruptions: str | Sequence[str] = (), strength: str = "imagenet_c", seed: int = 0
    ) -> None:
        self.folder = folder
        self.names = chosen(corruptions, strength)
        self.strength, self.seed = strength, seed

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        model = model_of(pl_module)
        if model.loss.multi_label:
            raise UserError("evaluate: several labels per image have no confusion matrix; set evaluate=none.")
        options: dict[str, Any] = {"ignore_index": IGNORED, "validate_args": False}
        self.matrix = MulticlassConfusionMatrix(model.num_classes, **options).to(model.device)
        self.calibration = MulticlassCalibrationError(model.num_classes, BINS, **options).to(model.device)
        self.images = CorruptedImages(model.preprocess, self.names, self.strength, self.seed)
        self.counts = CorrectCounts(len(self.names)).to(model.device)

    def on_test_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Tensor | Mapping[str, Any] | None,
        batch: A.Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if not isinstance(outputs, Mapping):
            raise TypeError("Evaluation needs the logits that ImageClassifier.test_step returns.")
        label = known(batch.label)
        self.matrix.update(outputs["logits"], label)
        self.calibration.update(outputs["logits"].softmax(1), label)
        if self.names:
            self._count_corrupted(trainer, model_of(pl_module), batch)

    def _count_corrupted(self, trainer: pl.Trainer, model: ImageClassifier, batch: A.Batch) -> None:
        with trainer.precision_plugin.test_step_context():
            for place, images in self.images(batch):
                self.counts.update(place, model._logits(images), known(batch.label))

    def on_test_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        data = data_of(trainer)
        matrix, error = self.matrix.compute(), self.calibration.compute()  # on all processes, which exchange counts
        correct, total = self.counts.compute() if self.names else (torch.zeros(0), torch.zeros(()))
        if trainer.is_global_zero and not trainer.sanity_checking:
            classes = data.splits.test.classes if data is not None else [str(n) for n in range(len(matrix))]
            report = Report(
                classes=list(classes),
                confusion=matrix.tolist(),
                calibration_error=float(error),
                corruptions=dict(zip(self.names, (correct / total.clamp(min=1)).tolist(), strict=True)),
            )
            write_report(report, self.folder)
            print_report(report, self.folder)
