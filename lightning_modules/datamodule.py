"""ImageDataModule: turns a data set into batches of uint8 images on every process."""

from __future__ import annotations

import signal
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import pytorch_lightning as pl
import torch
from torch.utils.data import BatchSampler, DataLoader

from augment import Batch, prefetched
from augment.data.known import known
from lightning_modules.errors import UserError
from lightning_modules.image_sets import ImageSet, Splits, split
from lightning_modules.sampler import EndlessBatches, ShardSampler

if TYPE_CHECKING:
    from pytorch_lightning.loops.progress import _ProcessedTracker


class ImageDataModule(pl.LightningDataModule, ABC):
    """Yield batches `augment.Batch(image, label, index)`; the model augments and normalises them.

    `image` is (B, C, H, W) uint8 in channels_last order, or PackedImages if the images of a batch differ in size.
    `label` is (B,) int64, with -100 in rows that only pad an evaluation batch; for several labels per image it is
    (B, classes) float32, as the data set gives it. `index` is (B,) int64, the sample's
    number in its split; it does not depend on the order or on the number of processes.

    Args:
        batch_size: images per step on each process.
        num_workers: processes that decode images; 0 decodes in the main process, which is best for images in memory.
        seed: seed of the order, and of the splits if the data set does not define them.
    """

    def __init__(self, batch_size: int = 64, num_workers: int = 0, seed: int = 0) -> None:
        super().__init__()
        if batch_size < 1 or num_workers < 0:
            raise UserError(f"batch_size={batch_size} must be at least 1 and num_workers={num_workers} at least 0.")
        self.batch_size, self.num_workers, self.seed = batch_size, num_workers, seed
        self.held_out: list[int] = []
        self.fold_back_epoch = 0
        self._interrupted = _Place()

    @abstractmethod
    def load(self) -> Splits:
        """Read the data set, or find its files; called once on each process."""

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
        """Return up to `count` training images, spread over the data set, to try a model on."""
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

    def hold_out(self, share: float) -> None:
        """Exclude a share of the training samples, in (0, 1), from training until `fold_back_epoch`."""
        part, rest = split(self.splits.train.labels, (share,), self.seed)
        if min(len(part), len(rest)) == 0:
            raise UserError(f"share={share} of {len(part) + len(rest)} training images leaves none on one side.")
        self.held_out = part.tolist()

    def held_out_dataloader(self, batch_size: int, done: int) -> DataLoader:
        """Return endless batches of held-out samples, this process's part of `batch_size`; skip `done` samples."""
        if batch_size % self._world:
            raise UserError(f"batch_size={batch_size} must be divisible by the number of processes, {self._world}.")
        batches = EndlessBatches(self.held_out, batch_size, self.seed, self._world, self._rank, done)
        return self._dataloader(self.splits.train, batch_sampler=batches)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        return batch.to(device, non_blocking=True)

    def _loader(self, images: ImageSet, train: bool) -> DataLoader:
        sampler = ShardSampler(
            len(images),
            train,
            self.seed,
            self._world,
            self._rank,
            skip=self._samples_done if train else lambda: 0,
            held_out=self.held_out if train else (),
            until=lambda: self.fold_back_epoch,
            current=(lambda: known(self.trainer).current_epoch) if train and self.trainer else None,
        )
        if len(sampler) == 0:
            raise UserError(f"{len(images)} images are too few for {self._world} processes: use fewer devices.")
        # drop a smaller last batch, whose images would weigh more, unless it is the only batch of the data set
        drop_last = train and len(sampler) >= self.batch_size
        return self._dataloader(images, sampler=sampler, batch_size=self.batch_size, drop_last=drop_last)

    def _dataloader(self, images: ImageSet, **order: Any) -> DataLoader:
        return LateLoader(
            images,
            device=self.trainer.strategy.root_device if self.trainer else "cpu",
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
            collate_fn=_as_it_is,
            worker_init_fn=_ignore_ctrl_c,
            **order,
        )

    @property
    def _world(self) -> int:
        return self.trainer.world_size if self.trainer else 1

    @property
    def _rank(self) -> int:
        return self.trainer.global_rank if self.trainer else 0

    def state_dict(self) -> dict[str, Any]:
        return {"samples_done": self._samples_done()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._interrupted = _Place(samples=state_dict["samples_done"])

    def resume(self) -> None:
        """Continue an interrupted epoch at its next sample, even if the batch size changed; called at training start.

        The trainer counts batches, but the batch size or the number of processes may have changed since. The remaining
        batches therefore take the last batch numbers of the epoch, and all earlier numbers count as done. An incomplete
        batch at the end is dropped, as in every epoch, unless it is the only batch left.
        """
        trainer, place = known(self.trainer), self._interrupted
        loop = trainer.fit_loop
        if not loop.restarting or place.samples is None:  # start of an epoch, or no sample count saved
            self._interrupted = _Place()
            return
        progress, loader = loop.epoch_loop.batch_progress, known(trainer.train_dataloader)
        batches = int(trainer.num_training_batches)
        if not progress.is_last_batch:
            left = (len(loader.sampler.dataset) - place.samples) // self._world // self.batch_size
            batches = min(len(loader) - max(left, 1), batches - 1)
        shift = batches - _current(trainer).processed
        for name in ("ready", "started", "processed", "completed"):
            setattr(progress.current, name, getattr(progress.current, name) + shift)
        self._interrupted = _Place(trainer.current_epoch, batches, place.samples)

    def _samples_done(self) -> int:
        """Return how many samples of this epoch all processes have trained on; positive after an interruption."""
        if self.trainer is None:
            return 0
        place, batches = self._interrupted, _current(self.trainer).processed
        if place.epoch != self.trainer.current_epoch:
            place = _Place()
        return (place.samples or 0) + (batches - place.batches) * self.batch_size * self._world


def data_of(trainer: pl.Trainer) -> ImageDataModule | None:
    """Return the data module of a trainer if it is an ImageDataModule, else None."""
    data = getattr(trainer, "datamodule", None)  # Lightning sets it without declaring it
    return data if isinstance(data, ImageDataModule) else None


def _current(trainer: pl.Trainer) -> _ProcessedTracker:
    """Return the batch counts of this epoch; Lightning declares them with a base class."""
    return cast("_ProcessedTracker", trainer.fit_loop.epoch_loop.batch_progress.current)


@dataclass(frozen=True)
class _Place:
    """The point where an epoch was interrupted: the batches, in today's size, and the samples of all processes."""

    epoch: int | None = None
    batches: int = 0
    samples: int | None = None


class LateLoader(DataLoader[Batch]):
    """A data loader that asks its sampler for the order when the first batch is fetched, not when it is iterated.

    Lightning creates the first iterator before it restores the progress of a resumed run, so the workers would start
    with the wrong epoch.

    Args:
        device: device that receives the batches; each batch is sent while the model trains on the previous one.
    """

    def __init__(self, *args: Any, device: torch.device | str, **kwargs: Any) -> None:
        self.device = device
        super().__init__(*args, **kwargs)

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]  # torch declares its own iterator class
        if isinstance(self.sampler, ShardSampler):  # an interrupted epoch may have less than a batch left
            batches = cast(BatchSampler, self.batch_sampler)
            batches.drop_last = self.drop_last and self.sampler.left() >= known(self.batch_size)
        yield from prefetched(super().__iter__(), self.device)


def _ignore_ctrl_c(worker: int) -> None:
    """Let a worker live until the main process ends, which still needs batches after Ctrl-C to finish its step."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _as_it_is(batch: Batch) -> Batch:
    """Return the batch unchanged, because the data set has already collated it."""
    return batch
