"""`callbacks.finite.skip` leaves out steps whose loss is not finite, as if their batches did not exist."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig

from lightning_modules.callbacks.finite import StopAtNonFinite
from lightning_modules.errors import UserError
from lightning_modules.model.finite_weights import NonFiniteError
from tests.trainer.test_nonfinite_loss import Broken
from tests.trainer.tools import ROOT, build, run_train

Configure = Callable[..., DictConfig]
# test_resnet has batch norm, whose statistics a NaN would enter before the step
SHORT = ["trainer.limit_train_batches=6", "trainer.limit_val_batches=1", "trainer.max_epochs=1", "data.batch_size=16"]
SHORT += ["scheduler=none", "trainer.num_sanity_val_steps=0"]


class Once(Broken):
    """Spoil some rows of the batches with these numbers, in epoch 0."""

    def __init__(self, batches: list[int], rank: int | None = None) -> None:
        super().__init__("train", rank=rank)
        self.batches = batches

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: object, batch: object, batch_idx: int) -> None:
        super().on_train_batch_start(trainer, pl_module, batch, batch_idx)
        self.moment = (0, 0) if batch_idx in self.batches and trainer.current_epoch == 0 else (99, 0)


class States(pl.Callback):
    """Remember weights, buffers and the optimizer's state after every batch."""

    def __init__(self) -> None:
        self.states: list[list[torch.Tensor]] = []

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: object) -> None:
        state = list(pl_module.state_dict().values())
        state += [v for s in trainer.optimizers[0].state.values() for v in s.values() if torch.is_tensor(v)]
        self.states.append([value.clone() for value in state])


def run(configure: Configure, spoiled: list[int], *overrides: str) -> tuple[States, pl.Trainer]:
    trainer, model, data = build(configure(*SHORT, *overrides))
    states = States()
    trainer.callbacks[:0] = [Once(spoiled), states]
    trainer.fit(model, data)
    return states, trainer


def equal(one: list[torch.Tensor], two: list[torch.Tensor]) -> bool:
    return len(one) == len(two) and all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_skipped_step_changes_nothing(configure: Configure, optimizer: str, recwarn: pytest.WarningsRecorder) -> None:
    states, trainer = run(configure, [2, 4], "callbacks.finite.skip=2", f"optimizer={optimizer}")
    after = states.states
    assert equal(after[2], after[1])
    assert not equal(after[3], after[2])
    assert equal(after[4], after[3])
    assert not equal(after[5], after[4])
    assert all(value.isfinite().all() for value in after[5])
    assert trainer.global_step == 6
    said = [str(warning.message) for warning in recwarn if "is skipped" in str(warning.message)]
    assert len(said) == 2
    assert "in training, epoch 0, step 2, for samples " in said[0]
    assert said[1].endswith("the step is skipped, 2 of 2 that may be.")


def test_a_whole_accumulation_window_is_skipped(configure: Configure) -> None:
    states, _ = run(configure, [2], "callbacks.finite.skip=1", "trainer.accumulate_grad_batches=2")
    after = states.states
    assert equal(after[3], after[1])
    assert not equal(after[5], after[3])


def test_the_limit_counts_over_the_whole_run(configure: Configure, tmp_path: Path) -> None:
    with pytest.raises(NonFiniteError, match="in training, epoch 0, step 5, for samples "):
        run(configure, [1, 3, 5], "callbacks.finite.skip=2")
    run(configure, [1], "callbacks.finite.skip=1")
    trainer, model, data = build(configure(*SHORT, "callbacks.finite.skip=1", "trainer.max_epochs=2"))
    trainer.callbacks.insert(0, Broken("train", epoch=1))
    with pytest.raises(NonFiniteError, match="in training, epoch 1, step 6, "):
        trainer.fit(model, data, ckpt_path=tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)


def test_no_step_is_skipped_unless_asked(configure: Configure) -> None:
    with pytest.raises(NonFiniteError):
        run(configure, [2])
    with pytest.raises(UserError, match="skip=-1 must be at least 0"):
        StopAtNonFinite(skip=-1)


def test_two_processes_skip_the_same_step(tmp_path: Path) -> None:
    """Otherwise their weights would differ; each process sums its own up at the end."""
    spoil = ["+callbacks.once._target_=tests.trainer.test_skipped_steps.Once", "+callbacks.once.batches=[2]"]
    spoil += ["+callbacks.once.rank=1", "+callbacks.sums._target_=tests.trainer.test_skipped_steps.Sums"]
    settings = ["trainer=ddp_cpu", *SHORT, "test=false", "callbacks.finite.skip=1", f"output_dir={tmp_path}"]
    ended = run_train(tmp_path, *settings, *spoil, f"+callbacks.sums.folder={tmp_path}", PYTHONPATH=str(ROOT))
    assert ended.returncode == 0, ended.stderr
    one, two = (torch.load(tmp_path / f"sum-{rank}.pt") for rank in (0, 1))
    assert one == two
    assert torch.isfinite(torch.tensor(one))
    assert "the step is skipped, 1 of 1 that may be." in ended.stderr


class Sums(pl.Callback):
    """Save the sum of all weights of each process."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        total = sum(float(parameter.double().sum()) for parameter in pl_module.parameters())
        torch.save(total, self.folder / f"sum-{trainer.global_rank}.pt")
