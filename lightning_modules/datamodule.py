"""ImageDataModule: from a data set to batches of uint8 images on every process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from augment import Batch
from lightning_modules.errors import UserError
from lightning_modules.image_sets import ImageSet, Splits
from lightning_modules.sampler import ShardSampler


class ImageDataModule(pl.LightningDataModule, ABC):
    """Sends `augment.Batch(image, label, index)`; augmentation and normalisation are the model's.

    image is (B, C, H, W) uint8 in channels_last order, or PackedImages where the images of a batch differ in size;
    label (B,) int64, -100 in rows that only pad an evaluation batch; index (B,) int64, the sample's number in its
    split, whatever the order and the number of processes.

    Args:
        batch_size: images per step on each process.
        num_workers: processes that decode images; 0 decodes in the main one, best for images in memory.
        seed: of the order, and of the splits where the data set has none of its own.
    """

    def __init__(self, batch_size: int = 64, num_workers: int = 0, seed: int = 0) -> None:
        super().__init__()
        if batch_size < 1 or num_workers < 0:
            raise UserError(f"batch_size={batch_size} must be at least 1 and num_workers={num_workers} at least 0.")
        self.batch_size, self.num_workers, self.seed = batch_size, num_workers, seed

    @abstractmethod
    def load(self) -> Splits:
        """Reads the data set, or where its files are. Called once on each process."""

    @cached_property
    def splits(self) -> Splits:
        splits = self.load()
        for name, images in splits._asdict().items():
            if len(images) == 0:
                raise UserError(f"{type(self).__name__}: the {name} split holds no images; give it a larger share.")
        return splits

    @property
    def num_classes(self) -> int:
        return len(self.splits.train.classes)

    @property
    def channels(self) -> int:
        return self.splits.train.channels

    def example(self, count: int = 16) -> Batch:
        """Up to `count` training images spread over the data set, to try a model on."""
        size = len(self.splits.train)
        return self.splits.train.__getitems__(list(range(0, size, -(-size // count))))

    def setup(self, stage: str) -> None:
        _ = self.splits

    def train_dataloader(self) -> DataLoader:
        return self._loader(self.splits.train, train=True)

    def val_dataloader(self) -> DataLoader:
        return self._loader(self.splits.val, train=False)

    def test_dataloader(self) -> DataLoader:
        return self._loader(self.splits.test, train=False)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        return batch.to(device, non_blocking=True)

    def _loader(self, images: ImageSet, train: bool) -> DataLoader:
        world, rank = (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        skip = self._samples_done if train else lambda: 0
        sampler = ShardSampler(len(images), train, self.seed, world, rank, skip)
        if len(sampler) == 0:
            raise UserError(f"{len(images)} training images are too few for {world} processes: give fewer devices.")
        return LateLoader(
            images,
            batch_size=self.batch_size,
            sampler=sampler,
            # a smaller last batch would weigh its images more; but a data set of less than one batch is that batch
            drop_last=train and len(sampler) >= self.batch_size,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
            collate_fn=_as_it_is,
        )

    def _samples_done(self) -> int:
        """How many samples of this epoch this process has trained on already: more than 0 after an interruption."""
        if self.trainer is None:
            return 0
        return self.trainer.fit_loop.epoch_loop.batch_progress.current.ready * self.batch_size


class LateLoader(DataLoader[Batch]):
    """Asks its sampler for the order when the first batch is fetched, not when the iterator is made.

    Lightning makes the first iterator before it has restored how far a resumed run had come, and workers would at
    once begin with the wrong epoch.
    """

    def __iter__(self) -> Iterator[Batch]:
        yield from super().__iter__()


def _as_it_is(batch: Batch) -> Batch:
    """The data set has put the batch together already."""
    return batch
