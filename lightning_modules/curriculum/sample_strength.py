"""SampleStrength: augments each sample as strongly as the network is sure of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from pytorch_lightning.callbacks import Callback
from torch import Tensor

import augment as A
from augment.data.known import known
from augment.data.types import Float, Integer, PerSample
from lightning_modules.classifier import ImageClassifier, model_of
from lightning_modules.data.datamodule import data_of
from lightning_modules.errors import UserError

STRENGTH = "strength"
"""What the schedules of the pipeline follow: A.Schedule({0: 0, 1: 30}, of="strength")."""


def sureness(logits: Float[Tensor, "b classes"], label: Integer[Tensor, " b"]) -> PerSample:
    """Return 1 - entropy / log(classes) of the predictions, in [0, 1].

    Yang et al. 2024, "EntAugment", arXiv 2409.06290: the magnitude of a sample's augmentation.
    """
    log_p = F.log_softmax(logits.float(), dim=1)
    entropy = -(log_p.exp() * log_p).sum(1)
    return (1 - entropy / math.log(logits.shape[1])).clamp(0, 1)


def similarity(logits: Float[Tensor, "b classes"], label: Integer[Tensor, " b"]) -> PerSample:
    """Return the cosine between the predicted probabilities and the one-hot label, in [0, 1].

    Xiao et al. 2025, "Sample-aware RandAugment", arXiv 2508.08004. The paper predicts the plain image in a pass of its
    own; here the prediction is the last one in training.
    """
    p = F.softmax(logits.float(), dim=1)
    return (p.gather(1, label[:, None])[:, 0] / p.norm(dim=1)).clamp(0, 1)


SCORES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"entropy": sureness, "cosine": similarity}


class SampleStrength(Callback):
    """Give the pipeline a strength for each sample that follows the network's last prediction for it.

    Every schedule of the pipeline with `of: strength` follows it. In each epoch a sample has the strength that its
    prediction in the epoch before scored, so the result depends neither on the order nor on the number of processes,
    and a checkpoint holds all strengths. They are an input of the pipeline, so nothing compiles anew.

    Args:
        score: "entropy" (EntAugment) or "cosine" (Sample-aware RandAugment).
        warmup: number of epochs in which all samples have strength 0; EntAugment's code trains 10 without its operator.
    """

    def __init__(self, score: str = "entropy", warmup: int = 10) -> None:
        if score not in SCORES:
            raise UserError(f"SampleStrength: score={score!r} must be one of {', '.join(SCORES)}.")
        if warmup < 0:
            raise UserError(f"SampleStrength: warmup={warmup} must be at least 0.")
        self.score, self.warmup = SCORES[score], warmup
        self.last = torch.zeros(0)
        self.new = torch.zeros(2, 0)

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        model, data = model_of(pl_module), data_of(trainer)
        if data is None:
            raise UserError("SampleStrength: it needs the training images of an ImageDataModule.")
        if STRENGTH not in {name for _, name in model.augment.inputs()}:
            raise UserError(
                f"SampleStrength: no layer of augment follows {STRENGTH!r}: choose augment=sample_adaptive, or use "
                f"A.Schedule({{0: low, 1: high}}, of={STRENGTH!r}) in your own."
            )
        if model.mixes or model.loss.multi_label:
            raise UserError(
                "SampleStrength: a score needs images of one class: leave out mixing and multi-label losses."
            )
        if len(self.last) != len(data.splits.train):
            self.last = torch.zeros(len(data.splits.train))
            self.new = torch.zeros(2, len(self.last))
        self._place(model, trainer.strategy.root_device, epoch=0)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._place(model_of(pl_module), pl_module.device, trainer.current_epoch)  # it may continue within an epoch

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        total, count = self._of_all(trainer)  # of the epoch before
        self.last = torch.where(count > 0, total / count.clamp(min=1), self.last)
        self.new = torch.zeros_like(self.new)
        self._place(model_of(pl_module), pl_module.device, trainer.current_epoch)
        pl_module.log("sample_strength/mean", self.last.mean())

    @torch.no_grad()
    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: A.Batch, batch_idx: int
    ) -> None:
        scores = self.score(outputs["logits"], known(batch.label))
        sample = known(batch.index) % self.new.shape[1]
        self.new.index_add_(1, sample, torch.stack([scores, torch.ones_like(scores)]))

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint["sample_strength"] = {"last": self.last.cpu(), "new": self._of_all(trainer).cpu()}

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        saved = checkpoint.get("sample_strength")
        if saved is None or len(saved["last"]) != len(self.last):  # a run without the callback, or with other data
            return
        self.last = saved["last"]
        self.new = saved["new"] if trainer.is_global_zero else torch.zeros_like(saved["new"])  # summed over processes

    def _of_all(self, trainer: pl.Trainer) -> Tensor:
        """Return the sums and counts of the scores of this epoch, from all processes."""
        return trainer.strategy.reduce(self.new.clone(), reduce_op="sum")

    def _place(self, model: ImageClassifier, device: torch.device, epoch: int) -> None:
        self.last, self.new = self.last.to(device), self.new.to(device)
        model.given = {STRENGTH: self.last if epoch >= self.warmup else torch.zeros_like(self.last)}
