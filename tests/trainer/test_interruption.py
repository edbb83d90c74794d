"""What a run keeps when it is killed or interrupted within an epoch; it resumes bit for bit."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from pytorch_lightning.utilities.exceptions import SIGTERMException

from lightning_modules.callbacks.interruption import HeldSignals
from lightning_modules.callbacks.last_checkpoint import LastCheckpoint
from lightning_modules.errors import UserError, one_sentence
from lightning_modules.saving.saved import step_of
from tests.trainer.test_resume import assert_equal, train
from tests.trainer.tools import ROOT, build, run_train

Configure = Callable[..., DictConfig]
# a network with batch norm and dropout; an epoch has 6 batches
SHORT = ["+model.drop_rate=0.5", "trainer.limit_train_batches=6", "trainer.limit_val_batches=2", "trainer.max_epochs=2"]
SHORT += ["data.batch_size=16", "trainer.num_sanity_val_steps=0"]


class Signal(pl.Callback):
    """Send a signal to this process and its workers when it begins a batch.

    Args:
        epoch, batch: the batch.
        number: the signal.
        times: how often to send it.
        rank: the process that gets it.
        stage: "train" or "val".
    """

    def __init__(
        self, epoch: int, batch: int, number: int = signal.SIGTERM, times: int = 1, rank: int = 0, stage: str = "train"
    ) -> None:
        self.moment, self.number, self.times, self.rank, self.stage = (epoch, batch), number, times, rank, stage

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: object, batch: object, batch_idx: int) -> None:
        self.send(trainer, "train", batch_idx)

    def on_validation_batch_start(
        self, trainer: pl.Trainer, _: object, batch: object, batch_idx: int, *__: int
    ) -> None:
        self.send(trainer, "val", batch_idx)

    def send(self, trainer: pl.Trainer, stage: str, batch: int) -> None:
        if (stage, trainer.global_rank, trainer.current_epoch, batch) == (self.stage, self.rank, *self.moment):
            for _ in range(self.times):
                workers = [worker.pid for worker in multiprocessing.active_children()]
                for process in [*workers, os.getpid()]:  # from outside, as a terminal and SLURM do
                    subprocess.run(["kill", f"-{self.number:d}", str(process)], check=True)


class Keep(pl.Callback):
    """Copy last.ckpt when a batch begins, which is what a SIGKILL at this moment would leave."""

    def __init__(self, epoch: int, batch: int, last: Path, target: Path) -> None:
        self.moment, self.last, self.target = (epoch, batch), last, target

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: object, batch: object, batch_idx: int) -> None:
        if (trainer.current_epoch, batch_idx) == self.moment:
            shutil.copy(self.last, self.target)


class Saved(pl.Callback):
    """Record the steps at which checkpoints are saved."""

    def __init__(self) -> None:
        self.steps: list[int] = []

    def on_save_checkpoint(self, trainer: pl.Trainer, *_: object) -> None:
        self.steps.append(trainer.global_step)


@pytest.mark.parametrize(("accumulate", "batch", "step"), [(1, 4, 10), (2, 3, 4)])
def test_a_kill_within_an_epoch_loses_only_what_came_after_the_last_save(
    configure: Configure, tmp_path: Path, accumulate: int, batch: int, step: int
) -> None:
    cfg = configure(*SHORT, f"trainer.accumulate_grad_batches={accumulate}", "callbacks.last.minutes=1e-9")
    left = tmp_path / "left.ckpt"
    reference = train(cfg, None, Keep(1, batch, tmp_path / "run" / "checkpoints" / "last.ckpt", left))
    assert step_of(left) == step
    assert_equal(train(cfg, left), reference)


@pytest.mark.parametrize(("minutes", "steps"), [("30", [3, 6, 9, 12]), ("20", [2, 4, 6, 8, 10, 12]), ("null", [6, 12])])
def test_an_epoch_is_saved_after_some_minutes(
    configure: Configure, monkeypatch: pytest.MonkeyPatch, minutes: str, steps: list[int]
) -> None:
    """Every step takes ten minutes on the clock of this test."""
    trainer, model, data = build(configure(*SHORT, f"callbacks.last.minutes={minutes}", "callbacks.best=null"))
    monkeypatch.setattr(time, "monotonic", lambda: 600.0 * trainer.global_step)
    saved = Saved()
    trainer.callbacks.insert(0, saved)
    trainer.fit(model, data)
    assert saved.steps == steps


def test_it_is_on_by_default_and_the_interval_must_be_positive(configure: Configure) -> None:
    assert configure().callbacks.last.minutes == LastCheckpoint().minutes == 30
    with pytest.raises(UserError, match="minutes=0 must be positive, or None"):
        LastCheckpoint(minutes=0)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(("number", "ending"), [(signal.SIGTERM, SIGTERMException), (signal.SIGINT, SystemExit)])
def test_an_interruption_waits_for_the_end_of_an_accumulation_window(
    configure: Configure, tmp_path: Path, number: int, ending: type[BaseException], workers: int
) -> None:
    settings = [*SHORT, "trainer.accumulate_grad_batches=3", f"data.num_workers={workers}"]
    cfg = configure(*settings)
    reference = train(cfg)
    with pytest.raises(ending):
        train(configure(*settings, f"output_dir={tmp_path / 'first'}"), None, Signal(1, 1, number))
    last = tmp_path / "first" / "checkpoints" / "last.ckpt"
    assert step_of(last) == 2 + 1
    assert_equal(train(cfg, last), reference)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_a_worker_survives_a_signal_until_the_main_process_ends_it(configure: Configure, number: int) -> None:
    """A worker that is not forked does not inherit the handlers of the main process."""
    begin = build(configure(*SHORT))[2].train_dataloader().worker_init_fn
    context = multiprocessing.get_context("fork")
    ready = context.Event()

    def work() -> None:
        signal.signal(number, signal.SIG_DFL)
        begin(0)
        os.kill(os.getpid(), number)
        ready.set()
        time.sleep(900)

    worker = context.Process(target=work)
    worker.start()
    assert ready.wait(600)
    time.sleep(0.2)
    assert worker.is_alive()
    worker.terminate()  # SIGTERM from the main process
    worker.join(600)
    assert worker.exitcode == 0


def test_a_second_ctrl_c_ends_at_once_and_saves_nothing(configure: Configure, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended, one_sentence():
        train(configure(*SHORT), None, Signal(1, 1, signal.SIGINT, times=2))
    assert ended.value.code == 130
    assert step_of(tmp_path / "run" / "checkpoints" / "last.ckpt") == 6


@pytest.mark.parametrize("batch", [0, 1])
def test_an_interruption_of_the_validation(configure: Configure, tmp_path: Path, batch: int) -> None:
    cfg = configure(*SHORT)
    reference = train(cfg)
    with pytest.raises(SIGTERMException):
        train(configure(*SHORT, f"output_dir={tmp_path / 'first'}"), None, Signal(0, batch, stage="val"))
    last = tmp_path / "first" / "checkpoints" / "last.ckpt"
    assert step_of(last) == 6
    assert_equal(train(cfg, last), reference)


def test_a_run_gets_signals_after_one_that_left_its_handlers() -> None:
    """As a run in the same process does that ended with an error before Lightning restored the handlers."""
    before = signal.getsignal(signal.SIGINT)
    try:
        first, second = HeldSignals(), HeldSignals()
        first.begin()
        second.begin()
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            second.deliver(second.received())
        assert not any(first.received())
    finally:
        signal.signal(signal.SIGINT, before)


def test_lightning_gets_its_handlers_back(configure: Configure) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    train(configure(*SHORT, "trainer.max_epochs=1"))
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_processes_stop_together_if_the_second_one_gets_the_signal(tmp_path: Path) -> None:
    send = ["+callbacks.send._target_=tests.trainer.test_interruption.Signal", "+callbacks.send.rank=1"]
    send += ["+callbacks.send.epoch=1", "+callbacks.send.batch=1"]
    common = [
        "trainer=ddp_cpu",
        *SHORT,
        "test=false",
        "data.num_workers=1",
        "trainer.log_every_n_steps=2",
        f"output_dir={tmp_path / 'run'}",
    ]
    ended = run_train(tmp_path, *common, *send, PYTHONPATH=str(ROOT))
    assert ended.returncode == 143, ended.stderr
    last = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["global_step"] == 6 + 2
