"""Signals during the sanity check and the test, and a signal to one of two processes that torchrun started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig

from lightning_modules.errors import one_sentence
from lightning_modules.saving.saved import step_of
from tests.trainer.test_interruption import Signal
from tests.trainer.tools import ROOT, build

Configure = Callable[..., DictConfig]
SHORT = ["model=small_cnn", "model.width=8", "data.batch_size=16", "trainer.limit_train_batches=3"]
SHORT += ["trainer.limit_val_batches=3", "trainer.max_epochs=1"]
ENDINGS = [(signal.SIGTERM, 143), (signal.SIGINT, 130)]


class InTest(Signal):
    """Send a signal in a batch of the test."""

    def on_test_batch_start(self, trainer: pl.Trainer, _: object, batch: object, batch_idx: int, *__: int) -> None:
        self.send(trainer, "test", batch_idx)


class Batches(pl.Callback):
    """Count the batches of each kind."""

    def __init__(self) -> None:
        self.trained = self.validated = self.tested = 0

    def on_train_batch_end(self, *_: object) -> None:
        self.trained += 1

    def on_validation_batch_end(self, *_: object) -> None:
        self.validated += 1

    def on_test_batch_end(self, *_: object) -> None:
        self.tested += 1


def interrupted(run: Callable[[], object]) -> int:
    """Return the exit code of a run."""
    with pytest.raises(SystemExit) as ended, one_sentence():
        run()
    return int(ended.value.code)


@pytest.mark.parametrize(("number", "code"), ENDINGS)
@pytest.mark.parametrize(("batch", "validated"), [(0, 1), (1, 2)])
def test_the_sanity_check(configure: Configure, batch: int, validated: int, number: int, code: int) -> None:
    trainer, model, data = build(configure(*SHORT))
    counted = Batches()
    trainer.callbacks[:0] = [counted, Signal(0, batch, number, stage="val")]
    assert interrupted(lambda: trainer.fit(model, data)) == code
    assert (counted.trained, counted.validated) == (0, validated)


@pytest.mark.parametrize(("number", "code"), ENDINGS)
@pytest.mark.parametrize("batch", [1, 22])
def test_the_test(configure: Configure, tmp_path: Path, batch: int, number: int, code: int) -> None:
    """The test has 23 batches."""
    trainer, model, data = build(configure(*SHORT, "trainer.num_sanity_val_steps=0"))
    counted = Batches()
    trainer.callbacks[:0] = [counted, InTest(1, batch, number, stage="test")]
    trainer.fit(model, data)
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    before = last.read_bytes()
    assert interrupted(lambda: trainer.test(model, data, verbose=False)) == code
    assert counted.tested == batch + 1
    assert last.read_bytes() == before


def torchrun(folder: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    common = ["trainer=ddp_cpu", *SHORT, "test=false", "trainer.log_every_n_steps=2", f"hydra.run.dir={folder}"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [*command, str(ROOT / "train.py"), *common, *overrides],
        cwd=folder.parent,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )


def test_torchrun_with_a_signal_to_the_second_process(tmp_path: Path) -> None:
    """Both end together in a run of a million epochs, and the run continues."""
    send = ["+callbacks.send._target_=tests.trainer.test_interruption.Signal", "+callbacks.send.rank=1"]
    send += ["+callbacks.send.epoch=1", "+callbacks.send.batch=0", "trainer.max_epochs=1000000"]
    ended = torchrun(tmp_path / "run", *send)
    assert "exitcode  : 143" in ended.stderr, ended.stderr
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    assert step_of(last) == 3 + 1
    ended = torchrun(tmp_path / "run", "ckpt_path=last", "trainer.max_epochs=2")
    assert ended.returncode == 0, ended.stderr
    assert torch.load(last, weights_only=True)["global_step"] == 6
