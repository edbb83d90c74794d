"""The rest of an epoch that an earlier process began, counted in samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

import pytorch_lightning as pl

from augment.data.known import known
from lightning_modules.data.sampler import ShardSampler, sizes_of_rest

if TYPE_CHECKING:
    from pytorch_lightning.loops.progress import _ProcessedTracker, _ReadyCompletedTracker


class RestOfEpoch(NamedTuple):
    """What is left of an interrupted epoch, in batches of this run's size."""

    epoch: int
    samples: int
    """Samples that all processes had trained on before the interruption."""
    first: int
    """Number of the first batch."""
    sizes: list[int]
    """Sizes of the batches on each process."""

    def done(self, batches: int, world: int) -> int:
        """Return how many samples of the epoch all processes have trained on after this number of batches."""
        return self.samples + world * sum(self.sizes[: batches - self.first])


def continue_epoch(trainer: pl.Trainer, samples: int, same: bool, batch: int, world: int) -> RestOfEpoch | None:
    """Set the batch numbers of a trainer that resumes; return None if the epoch in the checkpoint is complete.

    The trainer counts batches, but their size may have changed. The remaining batches take the last numbers of the
    epoch, and all earlier numbers count as done, so that the epoch has its usual length. A second call changes nothing.

    Args:
        trainer: the trainer, before its first batch.
        samples: samples of the epoch that all processes have trained on.
        same: whether the batch of all processes had the same size; a smaller last batch is then dropped as usual.
        batch: samples in a batch of each process.
        world: number of processes.
    """
    progress, loader = trainer.fit_loop.epoch_loop.batch_progress, known(trainer.train_dataloader)
    batches, rest = int(trainer.num_training_batches), None
    if not progress.is_last_batch:
        sampler = cast(ShardSampler, loader.sampler)
        limit = batches * batch * world
        left = (sampler.length if batches == len(loader) else limit) - samples
        if left <= 0:  # the limit of batches was lowered: one more batch ends the epoch
            left = min(batch * world, sampler.length - samples)
        sizes = sizes_of_rest(max(min(left, limit) // world, 1), batch, drop=same)
        rest = RestOfEpoch(trainer.current_epoch, samples, batches - len(sizes), sizes)
    shift = (batches if rest is None else rest.first) - batches_done(trainer)
    for name in ("ready", "started", "processed", "completed"):
        setattr(progress.current, name, getattr(progress.current, name) + shift)
    return rest


def batches_done(trainer: pl.Trainer) -> int:
    """Return how many batches of this epoch each process has trained on."""
    return _counts(trainer.fit_loop.epoch_loop.batch_progress.current).processed


def epoch_and_whether_within(trainer: pl.Trainer) -> tuple[int, bool]:
    """Return the number of complete epochs, and whether another epoch has begun."""
    progress = trainer.fit_loop.epoch_progress
    total = _counts(progress.total)
    return _counts(progress.current).processed, total.processed < total.started


def _counts(tracker: _ReadyCompletedTracker) -> _ProcessedTracker:
    """Return a tracker of epochs or batches as what it is; Lightning declares its base class."""
    return cast("_ProcessedTracker", tracker)


def batches_of_whole_steps(trainer: pl.Trainer, first: int) -> int:
    """Return how many batches of this epoch optimizer steps have used; the gradient of later ones is not saved.

    Args:
        trainer: the trainer.
        first: number of the batch with which this process began the epoch.
    """
    batches = batches_done(trainer)
    if batches == trainer.num_training_batches:  # the last batch ends with a step
        return batches
    return max(first, batches - batches % trainer.accumulate_grad_batches)
