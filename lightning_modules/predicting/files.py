"""Batches of image files for predictions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

import augment as A
from augment.data.known import known
from augment.tools.decoding import UnreadableError, decode
from augment.tools.reading import together
from lightning_modules.data.paths import Paths
from lightning_modules.data.worker_signals import survive_signals
from lightning_modules.errors import UserError
from lightning_modules.predicting.sources import Found, found_in


class FilesBatch(NamedTuple):
    """The images of some files.

    Attributes:
        images: the images, with their numbers in the list of files as `index`. A file that cannot be read has a black
            image.
        unreadable: number of each file that cannot be read -> reason.
    """

    images: A.Batch
    unreadable: dict[int, str]


class FilesToPredict(pl.LightningDataModule):
    """The files of a folder, a list or a table, for `trainer.predict` with an ImageClassifier.

    Batches go to the processes in turn, so an image has the same neighbours on any number of processes.

    Args:
        source: see `found_in`.
        batch_size: images that a process predicts at a time, at least 1.
        num_workers: processes that decode images; 0 decodes in the main process.

    Example:
        >>> trainer.predict(load("best.ckpt"), FilesToPredict("photos"), return_predictions=False)
    """

    def __init__(self, source: str, batch_size: int = 64, num_workers: int = 0) -> None:
        super().__init__()
        if batch_size < 1 or num_workers < 0:
            raise UserError(f"batch_size={batch_size} must be at least 1 and num_workers={num_workers} at least 0.")
        self.source, self.batch_size, self.num_workers = source, batch_size, num_workers

    @cached_property
    def found(self) -> Found:
        return found_in(self.source)

    def predict_dataloader(self) -> LoadedInTurn:
        trainer = known(self.trainer)
        model = trainer.lightning_module
        files = _Files(self.found.paths, getattr(model, "channels", 3), getattr(model, "background", "white"))
        batches = batches_in_turn(len(files), self.batch_size, trainer.world_size)[trainer.global_rank]
        return LoadedInTurn(files, batches, self.num_workers, trainer.strategy.root_device)


def batches_in_turn(count: int, size: int, world: int) -> list[list[list[int]]]:
    """Return the batches of each process, the same number for all; one that runs out repeats its last batch.

    With trainer=fsdp, every batch is a step of all processes together.

    Args:
        count: number of files.
        size: files in a batch, fewer if there are not enough batches.
        world: number of processes.

    Example:
        >>> batches_in_turn(5, 2, world=2)
        [[[0, 1], [4]], [[2, 3], [2, 3]]]
    """
    if count < world:
        raise UserError(f"{count} images are too few for {world} processes: use fewer devices.")
    size = min(size, count // world)  # a process without a batch would not take part in gathering the results
    batches = [list(range(start, min(start + size, count))) for start in range(0, count, size)]
    each, longest = [batches[rank::world] for rank in range(world)], -(-len(batches) // world)
    return [mine + mine[-1:] * (longest - len(mine)) for mine in each]


class LoadedInTurn:
    """Batches of files on a device; no DataLoader, because Lightning would build another one from it."""

    def __init__(self, files: _Files, batches: list[list[int]], num_workers: int, device: torch.device) -> None:
        self.files, self.batches, self.num_workers, self.device = files, batches, num_workers, device

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[FilesBatch]:
        loader = DataLoader(
            self.files,
            batch_size=None,
            sampler=self.batches,  # the files take the numbers of a whole batch
            num_workers=self.num_workers,
            pin_memory=torch.cuda.is_available(),
            worker_init_fn=survive_signals,
        )
        yield from A.prefetched(loader, self.device)


class _Files(Dataset[FilesBatch]):
    """Image files, read a batch at a time."""

    def __init__(self, paths: Sequence[Path], channels: int, background: str | Sequence[int]) -> None:
        self.paths, self.channels, self.background = Paths(paths), channels, background

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, numbers: list[int]) -> FilesBatch:
        unreadable: dict[int, str] = {}
        images = [self._image(number, unreadable) for number in numbers]
        return FilesBatch(A.Batch(together(images), index=torch.tensor(numbers)), unreadable)

    def _image(self, number: int, unreadable: dict[int, str]) -> Tensor:
        try:
            return decode(self.paths[number], self.channels, self.background)
        except UnreadableError as error:
            unreadable[number] = error.why
            return torch.zeros(self.channels, 8, 8, dtype=torch.uint8)
