"""A resumed epoch sees every sample that is left exactly once, and the schedule ends at the new end of training."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from pytorch_lightning.utilities.exceptions import SIGTERMException

from tests.trainer.test_interruption import Keep, Signal
from tests.trainer.test_resume import assert_equal, train
from tests.trainer.test_resume_other_batch import order, part, seen
from tests.trainer.test_schedules import Rates
from tests.trainer.tools import build

Configure = Callable[..., DictConfig]
SIZE = 1169
"""Number of training samples of the digits."""


class Stop(pl.Callback):
    """End the run at the start of an epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_train_epoch_start(self, trainer: pl.Trainer, *_: object) -> None:
        if trainer.current_epoch == self.epoch:
            raise KeyboardInterrupt


@pytest.mark.parametrize(("before", "batch"), [(2, 512), (5, 70)])
def test_larger_batches_leave_nothing_out(configure: Configure, tmp_path: Path, before: int, batch: int) -> None:
    first, data = part(configure, tmp_path, 64, (0, before), False)
    second, _ = part(configure, tmp_path, batch, None, True)
    done, rest = seen(first, 0), seen(second, 0)
    assert len(done) == 64 * (before + 1)
    assert done + rest == order(data, 0)
    sizes = [len(torch.load(path)) for path in sorted(second.glob("0-*.pt"))]
    assert max(sizes) <= min(batch, min(sizes) + 1)
    assert seen(second, 1) == order(data, 1)[: SIZE // batch * batch]


def test_an_epoch_has_at_most_its_usual_number_of_batches(configure: Configure, tmp_path: Path) -> None:
    """1169 samples make 11 batches of 100; after one of 65, a rest of 1104 would make 12."""
    first, data = part(configure, tmp_path, 65, (0, 0), False)
    second, _ = part(configure, tmp_path, 100, None, True)
    assert seen(first, 0) + seen(second, 0) == order(data, 0)[: 65 + 1100]


@pytest.mark.parametrize("batch", [100, 512])
def test_the_epoch_after_a_whole_one_is_whole(configure: Configure, tmp_path: Path, batch: int) -> None:
    """18 batches of 64 have another number of samples than the whole batches of 100 or 512."""
    small = ["model=small_cnn", "model.width=8", "trainer.limit_val_batches=1", "trainer.max_epochs=3", "test=false"]
    trainer, model, data = build(configure(*small, "data.batch_size=64"))
    trainer.callbacks.append(Stop(1))
    with pytest.raises(SystemExit):
        trainer.fit(model, data)
    second, _ = part(configure, tmp_path, batch, None, True)
    assert seen(second, 0) == []
    for epoch in (1, 2):
        assert seen(second, epoch) == order(data, epoch)[: SIZE // batch * batch]


SHORT = ["model=small_cnn", "model.width=8", "data.batch_size=16", "trainer.limit_val_batches=1"]


def test_a_checkpoint_within_an_accumulation_window_repeats_the_window(configure: Configure, tmp_path: Path) -> None:
    """The validation after batch 5 of 12 saves a checkpoint that holds the gradient of no batch after batch 3."""
    window = ["trainer.accumulate_grad_batches=4", "+trainer.val_check_interval=6", "trainer.max_epochs=1"]
    settings = [*SHORT, *window, "trainer.limit_train_batches=12"]
    left = tmp_path / "left.ckpt"
    cfg = configure(*settings)
    reference = train(cfg, None, Keep(0, 6, tmp_path / "run" / "checkpoints" / "best.ckpt", left))
    assert torch.load(left, weights_only=True)["DigitsData"]["samples_done"] == 4 * 16
    assert_equal(train(cfg, left), reference)


def test_a_signal_in_a_validation_within_an_accumulation_window(configure: Configure, tmp_path: Path) -> None:
    window = ["trainer.accumulate_grad_batches=4", "+trainer.val_check_interval=6", "trainer.max_epochs=1"]
    settings = [*SHORT, *window, "trainer.limit_train_batches=12", "trainer.num_sanity_val_steps=0"]
    reference = train(configure(*settings))
    with pytest.raises(SIGTERMException):
        train(configure(*settings, f"output_dir={tmp_path / 'first'}"), None, Signal(0, 0, stage="val"))
    assert_equal(train(configure(*settings), tmp_path / "first" / "checkpoints" / "last.ckpt"), reference)


def rates_in_two_parts(configure: Configure, tmp_path: Path, batch: int, *more: str) -> tuple[list[float], list[float]]:
    """Return the learning rates of 27 of 54 steps with batches of 64, and those of the rest with another batch size."""
    common = [*SHORT, "optimizer=sgd", "optimizer.lr=1.0", "trainer.max_epochs=3", *more]
    first, second = Rates(), Rates()
    trainer, model, data = build(configure(*common, "data.batch_size=64"))
    trainer.callbacks += [first, Signal(1, 8, signal.SIGINT)]
    with pytest.raises(SystemExit):
        trainer.fit(model, data)
    trainer, model, data = build(configure(*common, f"data.batch_size={batch}"))
    trainer.callbacks.append(second)
    trainer.fit(model, data, ckpt_path=tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    return first.seen, second.seen


@pytest.mark.parametrize("batch", [32, 128])
@pytest.mark.parametrize("name", ["CosineAnnealingLR", "OneCycleLR", "ours"])
def test_a_schedule_ends_at_the_new_end(configure: Configure, tmp_path: Path, batch: int, name: str) -> None:
    chosen = [] if name == "ours" else [f"scheduler._target_=torch.optim.lr_scheduler.{name}"]
    chosen += ["+scheduler.max_lr=1.0"] if name == "OneCycleLR" else []
    first, second = rates_in_two_parts(configure, tmp_path, batch, *chosen)
    assert len(first) == 27
    assert len(second) == -(-(SIZE - 9 * 64) // batch) + SIZE // batch
    assert second[0] == pytest.approx(first[-1], abs=0.08)  # it goes on where it was
    assert second == sorted(second, reverse=True)
    assert 0 < second[-1] < 0.01


def test_a_schedule_of_steps_that_the_user_gives_goes_on_in_steps(configure: Configure, tmp_path: Path) -> None:
    chosen = ["scheduler._target_=torch.optim.lr_scheduler.StepLR", "+scheduler.step_size=30"]
    first, second = rates_in_two_parts(configure, tmp_path, 128, *chosen)
    assert first == [1.0] * 27
    assert second[:4] == pytest.approx([1.0] * 3 + [0.1])
