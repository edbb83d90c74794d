"""A NaN or infinite loss ends the run in one sentence, and no checkpoint holds the damaged weights."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from pytorch_lightning.utilities.exceptions import SIGTERMException
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from lightning_modules.callbacks.finite import StopAtNonFinite
from lightning_modules.errors import UserError
from lightning_modules.model.finite_weights import NonFiniteError
from lightning_modules.model.metrics import MeanLoss
from tests.trainer.test_resume import Sigterm
from tests.trainer.tools import ROOT, build, run_train
from train import train

Configure = Callable[..., DictConfig]
SMALL = ["model=small_cnn", "model.width=8", "trainer.limit_train_batches=4", "trainer.limit_val_batches=2"]
SMALL += ["trainer.limit_test_batches=2", "trainer.max_epochs=3", "data.batch_size=30"]


class Broken(pl.Callback):
    """Replace some of the network's inputs by a value, starting at a training step.

    Args:
        stage: "train", "val" or "test".
        epoch, step: first epoch and step to affect.
        rows: rows of the batch to replace.
        value: the new value.
        rank: the affected process; None for all.
    """

    def __init__(
        self,
        stage: str,
        epoch: int = 0,
        step: int = 0,
        rows: Iterable[int] = (1, 4),
        value: float = float("nan"),
        rank: int | None = None,
    ) -> None:
        self.stage, self.moment, self.rows, self.value, self.rank = stage, (epoch, step), list(rows), value, rank
        self.index: list[int] = []

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        self.trainer = trainer

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        pl_module.backbone.register_forward_pre_hook(self.spoil)

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        pl_module.backbone.register_forward_pre_hook(self.spoil)

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: object, _: int) -> None:
        self.index = [int(batch.index[row]) for row in self.rows]

    def spoil(self, module: torch.nn.Module, inputs: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        trainer = self.trainer
        now = (trainer.current_epoch, trainer.global_step) >= self.moment
        stages = {"train": trainer.training, "val": trainer.validating, "test": trainer.testing}
        if now and stages[self.stage] and self.rank in (None, trainer.global_rank):
            images = inputs[0].clone()
            images[[row for row in self.rows if row < len(images)]] = self.value
            return (images,)
        return inputs


def failed(cfg: DictConfig, *callbacks: pl.Callback) -> str:
    trainer, model, data = build(cfg)
    trainer.callbacks = [*callbacks, *trainer.callbacks]
    with pytest.raises(NonFiniteError) as caught:
        trainer.fit(model, data)
    return str(caught.value)


def saved(tmp_path: Path) -> dict[str, dict]:
    paths = (tmp_path / "run" / "checkpoints").glob("*.ckpt")
    return {path.name: torch.load(path, weights_only=True) for path in paths}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("every", ["null", "3", "50"])
def test_training_stops_and_names_epoch_step_and_samples(
    configure: Configure, tmp_path: Path, value: float, every: str
) -> None:
    """The same holds for a later check; step 5 is the second step of its epoch."""
    broken = Broken("train", epoch=1, step=5, value=value)
    first: list[int] = []

    class Remember(pl.Callback):
        def on_train_batch_end(self, trainer: pl.Trainer, *_: object) -> None:
            if trainer.global_step == 6:
                first.extend(broken.index)

    said = failed(configure(*SMALL, f"callbacks.finite.every={every}"), broken, Remember())
    numbers = ", ".join(map(str, sorted(first)))
    # with batch norm, or after the step, other samples would be NaN too; this network has group norm
    assert said.startswith(f"the loss is NaN or infinite in training, epoch 1, step 5, for samples {numbers}: the run")
    checkpoints = saved(tmp_path)
    assert {name: state["global_step"] for name, state in checkpoints.items()} == {"best.ckpt": 4, "last.ckpt": 4}
    for state in checkpoints.values():
        assert all(weight.isfinite().all() for weight in state["state_dict"].values())


def test_many_samples_are_shortened(configure: Configure) -> None:
    said = failed(configure(*SMALL), Broken("train", rows=range(20)))
    assert said.count(",") >= 8
    assert "and 12 more: the run stops" in said


def test_weights_that_became_infinite_in_the_last_batch_are_not_saved(configure: Configure, tmp_path: Path) -> None:
    """The loss is finite, and no validation would reveal the weights."""

    class Explode(pl.Callback):
        def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: object) -> None:
            if trainer.global_step == 8:
                next(pl_module.backbone.parameters()).data[0] = float("inf")

    said = failed(configure(*SMALL, "trainer.check_val_every_n_epoch=10", "trainer.num_sanity_val_steps=0"), Explode())
    assert said.startswith("weights are NaN or infinite in epoch 1, after 8 steps: the run stops")
    assert saved(tmp_path)["last.ckpt"]["global_step"] == 4


def test_an_interruption_does_not_save_them(configure: Configure, tmp_path: Path) -> None:
    class Explode(Sigterm):
        def on_before_zero_grad(self, trainer: pl.Trainer, *arguments: object) -> None:
            super().on_before_zero_grad(trainer, *arguments)
            if (trainer.current_epoch, trainer.fit_loop.batch_idx) == self.moment:
                next(trainer.lightning_module.backbone.parameters()).data[0] = float("nan")

    trainer, model, data = build(configure(*SMALL, "callbacks.finite=null"))
    trainer.callbacks.append(Explode(1, 1))
    with pytest.raises((NonFiniteError, SIGTERMException)):
        trainer.fit(model, data)
    assert saved(tmp_path)["last.ckpt"]["global_step"] == 4


def test_validation_stops(configure: Configure, tmp_path: Path) -> None:
    said = failed(configure(*SMALL), Broken("val", epoch=1))
    # samples 1 and 4 of the first batch, 31 and 34 of the second; validation has a fixed order
    assert said.startswith(
        "the loss is NaN or infinite in validation, epoch 1, step 8, for samples 1, 4: the run stops"
    )
    assert {name: state["global_step"] for name, state in saved(tmp_path).items()} == {"best.ckpt": 4, "last.ckpt": 4}
    assert "nan" in (tmp_path / "run" / "csv" / "metrics.csv").read_text()  # and the log shows it


def test_the_test_stops(configure: Configure) -> None:
    spoil = ["+callbacks.broken._target_=tests.trainer.test_nonfinite_loss.Broken", "+callbacks.broken.stage=test"]
    with pytest.raises(NonFiniteError, match="the loss is NaN or infinite in the test, for samples 1, 4: "):
        train(configure(*SMALL, "trainer.max_epochs=1", *spoil))


def test_metrics_do_not_leave_rows_out(configure: Configure) -> None:
    trainer, model, data = build(configure(*SMALL, "callbacks.finite=null", "trainer.max_epochs=1"))
    trainer.callbacks.append(Broken("val"))
    trainer.fit(model, data)
    assert trainer.callback_metrics["val/loss"].isnan()


def test_nothing_waits_for_the_device_in_a_step() -> None:
    """A fake tensor has no value and raises if code reads it."""
    look, mean = StopAtNonFinite(), MeanLoss()
    with FakeTensorMode(allow_non_fake_inputs=True):
        losses = torch.rand(4)
        look._add("training", {"losses": losses}, SimpleNamespace(index=torch.arange(4)))
        mean.update(losses, torch.ones(4))
        with pytest.raises(DataDependentOutputException):
            bool(look.batches[0].bad.any())


def test_train_py_ends_with_an_error(tmp_path: Path) -> None:
    ended = run_train(tmp_path, "trainer=cpu", *SMALL, "optimizer.lr=1e30", f"output_dir={tmp_path / 'run'}")
    assert ended.returncode == 2
    last = ended.stderr.splitlines()[-1]
    assert last.startswith("error: the loss is NaN or infinite in ")
    assert "Traceback" not in ended.stderr
    assert not any("nan" in str(state["callbacks"]) for state in saved(tmp_path).values())


@pytest.mark.parametrize("every", ["null", "3"])
def test_all_processes_stop_where_one_meets_it(tmp_path: Path, every: str) -> None:
    spoil = ["+callbacks.broken._target_=tests.trainer.test_nonfinite_loss.Broken", "+callbacks.broken.stage=train"]
    spoil += ["+callbacks.broken.epoch=1", "+callbacks.broken.step=5", "+callbacks.broken.rank=1"]
    folder = [f"output_dir={tmp_path / 'run'}", f"callbacks.finite.every={every}"]
    ended = run_train(tmp_path, "trainer=ddp_cpu", *SMALL, *spoil, *folder, PYTHONPATH=str(ROOT))
    assert ended.returncode == 2
    _, error = ended.stderr.split("error: ")  # said once
    samples = error.removeprefix("the loss is NaN or infinite in training, epoch 1, step 5, for samples ")
    assert samples != error, ended.stderr
    assert samples.partition(": the run stops")[0].count(",") == 1  # the two samples of rank 1
    assert {state["global_step"] for state in saved(tmp_path).values()} == {4}
    (record,) = (tmp_path / "run").glob("replay-*.json")
    assert len(set(json.loads(record.read_text())["samples"])) == 2 * 30


def test_bad_interval() -> None:
    with pytest.raises(UserError, match="every=0 must be at least 1"):
        StopAtNonFinite(every=0)
