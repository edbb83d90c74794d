"""ImageDataModule: turns a data set into batches of uint8 images on every process."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities import rank_zero_warn
from torch.utils.data import DataLoader

from augment import Batch, Pipeline, Views, prefetched
from augment.data.known import known
from lightning_modules.data.epoch_order import class_weights
from lightning_modules.data.file_images import FileImages
from lightning_modules.data.fingerprint import difference, fingerprint
from lightning_modules.data.image_sets import ImageSet, Splits, split
from lightning_modules.data.rest_of_epoch import RestOfEpoch, batches_done, batches_of_whole_steps, continue_epoch
from lightning_modules.data.sampler import EndlessBatches, PassBatches, ShardSampler
from lightning_modules.data.size_of_epoch import SizeOfEpoch
from lightning_modules.data.unreadable import UnreadableFiles
from lightning_modules.data.worker_signals import survive_signals
from lightning_modules.errors import UserError


class ImageDataModule(pl.LightningDataModule, ABC):
    """Yield batches `augment.Batch(image, label, index)`; the model augments and normalises them.

    `image` is (B, C, H, W) uint8 in channels_last order, or PackedImages if the images of a batch differ in size.
    `label` is (B,) int64, with -100 in rows that only pad an evaluation batch; for several labels per image it is
    (B, classes) float32, as the data set gives it. `index` is (B,) int64, the sample's
    number in its split; it does not depend on the order or on the number of processes.

    Attributes:
        reduce: whether files are decoded no finer and no further than the model will look at them.
        on_error, unreadable_limit: what happens to files that cannot be read, see FolderData.
        balance, repeats: how often samples come in an epoch, see FolderData.
        size_of_epoch: size of the training images in each epoch; None if it does not change.

    Args:
        batch_size: images per step on each process.
        num_workers: processes that decode images; 0 decodes in the main process, which is best for images in memory.
        seed: seed of the order, and of the splits if the data set does not define them.
        changed: what a run does that resumes and finds other classes, files or labels than its checkpoint knows:
            "refuse" ends it, "allow" only warns.
    """

    def __init__(
        self, batch_size: int = 64, num_workers: int = 0, seed: int = 0, changed: Literal["refuse", "allow"] = "refuse"
    ) -> None:
        super().__init__()
        if changed not in ("refuse", "allow"):
            raise UserError(f"changed={changed!r} must be 'refuse' or 'allow'.")
        if batch_size < 1 or num_workers < 0:
            raise UserError(f"batch_size={batch_size} must be at least 1 and num_workers={num_workers} at least 0.")
        self.batch_size, self.num_workers, self.seed, self.changed = batch_size, num_workers, seed, changed
        self.balance, self.repeats = 0.0, 1
        self.reduce, self.on_error, self.unreadable_limit = False, "raise", 0
        self.size_of_epoch: SizeOfEpoch | None = None
        self.held_out: list[int] = []
        self.fold_back_epoch = 0
        self._saved: dict[str, Any] | None = None
        self._rest: RestOfEpoch | None = None

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
        files = [images for images in self.splits if isinstance(images, FileImages)]
        if self.on_error == "skip" and self.trainer is not None:
            unreadable = UnreadableFiles(Path(self.trainer.default_root_dir) / "unreadable.csv", self.unreadable_limit)
            for images in files:
                images.unreadable = unreadable

    def tell_unreadable(self) -> None:
        """Warn about the files that could not be read since the last call; called at the end of every epoch."""
        if self.on_error == "skip":
            for images in self.splits:
                if isinstance(images, FileImages) and images.unreadable is not None:
                    images.unreadable.tell()

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
            weights=class_weights(images.labels, self.balance) if train else None,
            repeats=self.repeats if train else 1,
        )
        if len(sampler) == 0:
            raise UserError(f"{len(images)} images are too few for {self._world} processes: use fewer devices.")
        # drop a smaller last batch, whose images would weigh more, unless it is the only batch of the data set
        drop_last = train and len(sampler) >= self.batch_size
        images = self._looking(images, train)
        batches = PassBatches(sampler, self.batch_size, drop_last, self._sizes_now if train else lambda: None)
        return self._dataloader(images, batch_sampler=batches)

    def _looking(self, images: ImageSet, train: bool) -> ImageSet:
        """Return a data set of files that knows what the model will look at; others as they are."""
        module = self.trainer.lightning_module if self.trainer else None
        seen = getattr(module, "seen" if train else "preprocess", None)
        pipeline = seen.shared if isinstance(seen, Views) else seen  # the views look at what their shared part delivers
        if not (self.reduce and isinstance(images, FileImages) and isinstance(pipeline, Pipeline)):
            return images
        if any(name != "epoch" for _, name in pipeline.inputs()):
            return images  # the draws depend on what only the model knows
        looking = copy.copy(images)
        looking.pipeline = copy.deepcopy(pipeline).cpu()  # workers must not use a GPU
        looking.size_of_epoch = self.size_of_epoch if train else None
        return looking

    def _dataloader(self, images: ImageSet, **order: Any) -> DataLoader:
        return LateLoader(
            images,
            device=self.trainer.strategy.root_device if self.trainer else "cpu",
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
            collate_fn=_as_it_is,
            worker_init_fn=survive_signals,
            **order,
        )

    @property
    def _world(self) -> int:
        return self.trainer.world_size if self.trainer else 1

    @property
    def _rank(self) -> int:
        return self.trainer.global_rank if self.trainer else 0

    def state_dict(self) -> dict[str, Any]:
        done = self._samples_done(of_whole_steps=True)
        return {"samples_done": done, "batch_of_all": self._batch_of_all, "order": [self.balance, self.repeats]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._saved = state_dict

    @cached_property
    def fingerprint(self) -> dict[str, Any]:
        """A small description of the classes, files and labels, for checkpoints."""
        return fingerprint({"train": self.splits.train, "val": self.splits.val}, getattr(self, "root", None))

    def refuse_changes(self, saved: dict[str, Any]) -> None:
        """Raise UserError, or warn, if the data differ from those with this fingerprint."""
        differs = difference(saved, self.fingerprint)
        if differs is None:
            return
        if self.changed == "refuse":
            raise UserError(
                f"the data have changed since the checkpoint was saved: {differs}; restore the data and the settings "
                "that split them, or set data.changed=allow to continue with the new ones."
            )
        rank_zero_warn(f"the data have changed since the checkpoint was saved: {differs}.")

    def resume(self) -> None:
        """Continue an interrupted epoch at its next sample, even if the size of a batch changed; called at the start.

        docs/checkpoints.md says which samples the rest of the epoch has. A second call changes nothing.
        """
        trainer, saved = known(self.trainer), self._saved
        if saved is None or not trainer.fit_loop.restarting:
            self._rest = None
            return
        same = saved.get("batch_of_all", self._batch_of_all) == self._batch_of_all
        self._rest = continue_epoch(trainer, saved["samples_done"], same, self.batch_size, self._world)
        balance, repeats = saved.get("order", (0.0, 1))
        if self._rest is not None and (balance, repeats) != (self.balance, self.repeats):
            raise UserError(
                f"the checkpoint was saved within an epoch with data.balance={balance} and data.repeats={repeats}, "
                "whose order only these continue: use them, or a checkpoint from the end of an epoch."
            )

    @property
    def _batch_of_all(self) -> int:
        """Number of samples in a batch, summed over all processes."""
        return self.batch_size * self._world

    def _samples_done(self, of_whole_steps: bool = False) -> int:
        """Return how many samples of this epoch all processes have trained on; positive after an interruption.

        Args:
            of_whole_steps: leave out samples whose gradients still accumulate.
        """
        if self.trainer is None:
            return 0
        rest = self._rest_now()
        first = 0 if rest is None else rest.first
        batches = batches_of_whole_steps(self.trainer, first) if of_whole_steps else batches_done(self.trainer)
        return batches * self._batch_of_all if rest is None else rest.done(batches, self._world)

    def _rest_now(self) -> RestOfEpoch | None:
        """Return the rest of this epoch if an earlier process began the epoch."""
        rest = self._rest
        return rest if rest is not None and rest.epoch == known(self.trainer).current_epoch else None

    def _sizes_now(self) -> list[int] | None:
        """Return the sizes of the batches of this process in the pass that starts now; None if all are equal."""
        rest = None if self.trainer is None else self._rest_now()
        return None if rest is None else rest.sizes


def data_of(trainer: pl.Trainer) -> ImageDataModule | None:
    """Return the data module of a trainer if it is an ImageDataModule, else None."""
    data = getattr(trainer, "datamodule", None)  # Lightning sets it without declaring it
    return data if isinstance(data, ImageDataModule) else None


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
        if isinstance(self.batch_sampler, PassBatches):
            # Lightning looks for a distributed sampler here; the constructor refuses one beside a batch sampler
            object.__setattr__(self, "sampler", self.batch_sampler.shard)

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]  # torch declares its own iterator class
        yield from prefetched(super().__iter__(), self.device)


def _as_it_is(batch: Batch) -> Batch:
    """Return the batch unchanged, because the data set has already collated it."""
    return batch
