"""A resumed run ends bit for bit in the same state as an uninterrupted run."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from pytorch_lightning.utilities.exceptions import SIGTERMException

from tests.trainer.tools import ROOT, build, run_train

# dropout uses torch's generator, so its state matters too; an epoch has 4 batches
SHORT = ["+model.drop_rate=0.5", "trainer.limit_train_batches=4", "trainer.limit_val_batches=2", "trainer.max_epochs=4"]


class Sigterm(pl.Callback):
    """Send SIGTERM to this process in the middle of a batch, as a job scheduler would."""

    def __init__(self, epoch: int, batch: int) -> None:
        self.moment = (epoch, batch)

    def on_before_zero_grad(self, trainer: pl.Trainer, *_: object) -> None:
        if (trainer.current_epoch, trainer.fit_loop.batch_idx) == self.moment:
            os.kill(os.getpid(), signal.SIGTERM)


def train(cfg: DictConfig, resume: Path | None = None, *callbacks: pl.Callback) -> dict[str, torch.Tensor]:
    trainer, model, data = build(cfg)
    trainer.callbacks.extend(callbacks)
    trainer.fit(model, data, ckpt_path=resume, weights_only=True)
    return model.state_dict()


def assert_equal(weights: dict[str, torch.Tensor], reference: dict[str, torch.Tensor]) -> None:
    assert weights.keys() == reference.keys()
    for name, value in weights.items():
        assert torch.equal(value, reference[name]), name


@pytest.mark.parametrize("workers", [0, 1])
def test_after_an_epoch(configure: Callable[..., DictConfig], tmp_path: Path, workers: int) -> None:
    cfg = configure(*SHORT, f"data.num_workers={workers}")
    reference = train(cfg)
    assert (reference["backbone.conv1.0.weight"] != build(cfg)[1].state_dict()["backbone.conv1.0.weight"]).any()

    # the schedule covers four epochs, because the run is stopped after two, not planned for two
    class Stop(pl.Callback):
        def on_train_epoch_start(self, trainer: pl.Trainer, *_: object) -> None:
            if trainer.current_epoch == 2:
                raise KeyboardInterrupt

    first = configure(*SHORT, f"data.num_workers={workers}", f"output_dir={tmp_path / 'first'}")
    with pytest.raises(SystemExit):
        train(first, None, Stop())
    assert_equal(train(cfg, tmp_path / "first/checkpoints/last.ckpt"), reference)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("moment", [(1, 1), (2, 3)], ids=["in the middle", "last batch"])
def test_after_sigterm(
    configure: Callable[..., DictConfig], tmp_path: Path, workers: int, moment: tuple[int, int]
) -> None:
    cfg = configure(*SHORT, f"data.num_workers={workers}")
    reference = train(cfg)
    first = configure(*SHORT, f"data.num_workers={workers}", f"output_dir={tmp_path / 'first'}")
    with pytest.raises(SIGTERMException):
        train(first, None, Sigterm(*moment))
    assert_equal(train(cfg, tmp_path / "first/checkpoints/last.ckpt"), reference)


def test_train_py_leaves_with_143_and_continues(tmp_path: Path) -> None:
    kill = ["+callbacks.kill._target_=tests.trainer.test_resume.Sigterm", "+callbacks.kill.epoch=1"]
    common = ["trainer=cpu", f"output_dir={tmp_path / 'run'}", *SHORT]
    ended = run_train(tmp_path, *common, *kill, "+callbacks.kill.batch=2", PYTHONPATH=str(ROOT))
    assert ended.returncode == 143, ended.stderr
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    assert torch.load(last, weights_only=True)["global_step"] == 4 + 3
    ended = run_train(tmp_path, *common, f"ckpt_path={last}")
    assert ended.returncode == 0, ended.stderr
    assert torch.load(last, weights_only=True)["global_step"] == 4 * 4
    assert "test/acc" in ended.stdout
