"""fit_memory=true divides a batch until it fits into memory, and training stays the same otherwise."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import GradientAccumulationScheduler
from torch import Tensor, nn

from lightning_modules.callbacks.fit_memory import FitMemory
from lightning_modules.errors import UserError
from lightning_modules.model.backbones import small_cnn
from tests.trainer.tools import ROOT, build
from train import train

SMALL = ["data.size=8", "data.module.test_share=0.9", "data.module.val_share=0.058"]
"""76 images of 8x8 pixels for training, 104 for validation."""


class Hungry(nn.Sequential):
    """A network without batch norm that needs more memory than there is for more than `fits` images in training.

    Args:
        fits: a number of images for every process, in their order.
    """

    def __init__(self, num_classes: int, channels: int, fits: list[int]) -> None:
        super().__init__(small_cnn(num_classes, channels, width=8), nn.Dropout(0.0))
        self.fits = fits

    def forward(self, images: Tensor) -> Tensor:
        rank = torch.distributed.get_rank() if torch.distributed.is_initialized() else 0
        if self.training and len(images) > self.fits[rank]:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return super().forward(images)


class Seen(pl.Callback):
    """Record the micro-batches, and the learning rate of every step."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.samples: list[int] = []
        self.rates: list[float] = []

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, _: int) -> None:
        self.sizes.append(len(batch))
        self.samples += batch.index.tolist()

    def on_before_optimizer_step(self, trainer: pl.Trainer, *_: object) -> None:
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])


def hungry(*fits: int) -> list[str]:
    settings = ["model=small_cnn", "~model.width", "model._target_=tests.trainer.test_fit_memory.Hungry"]
    return [*settings, f"+model.fits={list(fits)}", "optimizer=sgd"]


def fitted(cfg: DictConfig, *callbacks: pl.Callback) -> tuple[Seen, pl.Trainer]:
    seen = Seen()
    trainer, model, data = build(cfg)
    trainer.callbacks += [seen, *callbacks]
    trainer.fit(model, data)
    return seen, trainer


@pytest.mark.parametrize(
    ("settings", "fits", "micro", "steps"),
    [
        (["data.batch_size=12", "trainer.limit_train_batches=3", "trainer.limit_val_batches=1"], 4, 3, 6),
        (["data.batch_size=12", "trainer.limit_train_batches=0.5", "trainer.accumulate_grad_batches=2"], 7, 6, 4),
        (["data.batch_size=50"], 10, 10, 2),  # the 26 images that are left out would fill two micro-batches
        (["data.batch_size=4000"], 40, 38, 2),  # there are 76 images
    ],
)
def test_training_stays_the_same(
    configure: Callable[..., DictConfig], settings: list[str], fits: int, micro: int, steps: int
) -> None:
    common = [*SMALL, "trainer.max_epochs=2", *settings]
    whole, trainer = fitted(configure(*common, *hungry(10_000)))
    divided, again = fitted(configure(*common, *hungry(fits)), FitMemory())
    assert set(divided.sizes) == {micro}
    assert divided.samples == whole.samples
    assert divided.rates == pytest.approx(whole.rates)
    assert trainer.global_step == again.global_step == steps
    for one, other in zip(trainer.model.parameters(), again.model.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_evaluation_sees_the_same_images(configure: Callable[..., DictConfig]) -> None:
    common = [*SMALL, "trainer.max_epochs=1", "data.batch_size=12", "trainer.limit_val_batches=2"]
    for fits, batches in ((12, 2), (6, 4)):
        _, trainer = fitted(configure(*common, *hungry(fits)), FitMemory())
        assert trainer.num_val_batches == [batches]


@pytest.mark.parametrize(
    ("fits", "micro", "said"),
    [
        (8, 8, "fit_memory: a batch of 8 images fits into the memory of cpu."),
        (
            3,
            2,
            "fit_memory: a batch of 8 images does not fit into the memory of cpu, so it is divided: data.batch_size=2 "
            "and trainer.accumulate_grad_batches=4.",
        ),
    ],
)
def test_the_decision_is_told(
    configure: Callable[..., DictConfig], caplog: pytest.LogCaptureFixture, fits: int, micro: int, said: str
) -> None:
    cfg = configure(*SMALL, "experiment=smoke", "fit_memory=true", "test=false", *hungry(fits))
    with caplog.at_level("INFO"):
        train(cfg)
    assert [message for message in caplog.messages if message.startswith("fit_memory")] == [said]
    saved = torch.load(Path(cfg.output_dir, "checkpoints", "last.ckpt"), weights_only=True)
    assert saved["global_step"] == 4
    assert saved["loops"]["fit_loop"]["epoch_loop.batch_progress"]["total"]["completed"] == 4 * 8 // micro


def test_not_even_one_image(configure: Callable[..., DictConfig]) -> None:
    with pytest.raises(UserError, match="not even one image fits into the memory of cpu: lower"):
        train(configure("experiment=smoke", "fit_memory=true", *hungry(0)))


def test_other_callbacks_that_decide_the_batch(configure: Callable[..., DictConfig]) -> None:
    with pytest.raises(UserError, match="fit_memory does not work with GradientAccumulationScheduler: leave one"):
        fitted(configure("experiment=smoke"), FitMemory(), GradientAccumulationScheduler({0: 2}))


def test_the_trial_leaves_no_trace(configure: Callable[..., DictConfig]) -> None:
    """With batch norm and dropout, whose statistics and random numbers a step changes."""
    common = ["experiment=smoke", "+model.drop_rate=0.5", "callbacks=none"]  # one callback seeds torch every epoch
    _, without = fitted(configure(*common))
    _, tried = fitted(configure(*common), FitMemory())
    for name, value in without.model.state_dict().items():
        assert torch.equal(tried.model.state_dict()[name], value), name


def test_two_processes_agree(configure: Callable[..., DictConfig], tmp_path: Path) -> None:
    """The second one has the least memory."""
    cfg = configure(*SMALL, "experiment=smoke", "data.batch_size=12", *hungry(6, 4))
    cfg.trainer.update(strategy="ddp_fork", devices=2)
    OmegaConf.save(cfg, tmp_path / "config.yaml")
    # a process of its own, because one that has computed gradients cannot be forked
    script = "import sys; from tests.trainer import test_fit_memory as t; t.fit_in_two(sys.argv[1])"
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, timeout=600, cwd=ROOT)
    for rank in (0, 1):
        assert (tmp_path / f"{rank}.txt").read_text() == f"{[3] * 16} in 4 steps"


def fit_in_two(folder: str) -> None:
    fitted(OmegaConf.load(Path(folder) / "config.yaml"), FitMemory(), Written(Path(folder)))


class Written(Seen):
    """Write the micro-batches of every process to a file."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        (self.folder / f"{trainer.global_rank}.txt").write_text(f"{self.sizes} in {trainer.global_step} steps")
