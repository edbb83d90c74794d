"""What a run saw: images of training, labels of validation, bytes that were loaded."""

from __future__ import annotations

import pytorch_lightning as pl
import torch

import augment as A


class Seen(pl.Callback):
    """Records a run.

    Attributes:
        images: what the backbone sees in training, by epoch and sample number.
        labels: labels of the validation batches, without the check before training.
        bytes: of the packed images that were loaded for training.
    """

    def __init__(self) -> None:
        self.images: dict[tuple[int, int], torch.Tensor] = {}
        self.labels: list[int] = []
        self.bytes = 0

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: A.Batch, _: int) -> None:
        assert isinstance(batch.image, A.PackedImages)
        self.bytes += batch.image.data.numel()
        with torch.no_grad():
            images = pl_module.augmented(batch).image
        for number, image in zip(batch.index.tolist(), images, strict=True):
            self.images[trainer.current_epoch, number] = image

    def on_validation_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: A.Batch, _: int
    ) -> None:
        if not trainer.sanity_checking:
            self.labels += batch.label.tolist()


def assert_same(first: Seen, second: Seen) -> None:
    """Compare the samples that both runs saw in the same epoch, bit for bit."""
    common = first.images.keys() & second.images.keys()
    assert len(common) > 10
    for key in common:
        assert torch.equal(first.images[key], second.images[key]), key
