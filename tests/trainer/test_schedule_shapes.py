"""scheduler=cosine, one_cycle, step and plateau fit the training, however its length is given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig
from torch import nn

from lightning_modules.errors import UserError
from lightning_modules.model.schedule_shapes import OneCycle, Steps
from tests.trainer.test_schedules import SHORT, fitted

Configure = Callable[..., DictConfig]
LENGTHS = {
    "accumulated": ["trainer.limit_train_batches=4", "trainer.accumulate_grad_batches=2"],
    "limited": ["trainer.limit_train_batches=2", "trainer.max_epochs=2"],
    "longer": ["trainer.limit_train_batches=1", "trainer.max_epochs=4"],
}
"""Four steps in each case."""
RATES = {
    "cosine": [1, 0.853553, 0.5, 0.146447],
    "one_cycle": [0.04, 0.811745, 0.283058, 0.000004],
    "step": [1, 1, 0.1, 0.01],
}
"""The rate of each of the four steps."""


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("shape", RATES)
def test_the_shape_fits_the_training(configure: Configure, shape: str, length: str) -> None:
    seen, trainer = fitted(configure(*SHORT, f"scheduler={shape}", *LENGTHS[length]))
    assert trainer.global_step == 4
    assert seen[: -1 : trainer.accumulate_grad_batches] == pytest.approx(RATES[shape], abs=1e-5)


def test_plateau(configure: Configure) -> None:
    """No validation improves by a factor of a thousand million."""
    settings = ["scheduler=plateau", "scheduler.patience=0", "scheduler.factor=0.5", "+scheduler.threshold=1e9"]
    seen, _ = fitted(configure(*SHORT, *settings))
    assert seen == pytest.approx([1, 1, 0.5, 0.5, 0.25])


@pytest.mark.parametrize("shape", RATES)
def test_a_run_that_is_continued_with_more_epochs_gets_the_longer_shape(
    configure: Configure, tmp_path: Path, shape: str
) -> None:
    cfg = configure(*SHORT, f"scheduler={shape}", "trainer.max_epochs=1")
    fitted(cfg)
    cfg.trainer.max_epochs = 2
    seen, trainer = fitted(cfg, tmp_path / "run" / "checkpoints" / "last.ckpt")
    assert trainer.global_step == 4
    assert seen[1] == pytest.approx(RATES[shape][3], abs=1e-5)


def test_one_cycle_keeps_the_rate_of_each_group() -> None:
    groups = [{"params": [nn.Parameter(torch.zeros(1))], "lr": rate} for rate in (0.5, 0.1)]
    optimizer = torch.optim.SGD(groups, lr=1.0, momentum=0.9)
    schedule, highest = OneCycle(optimizer, total_steps=10), [0.0, 0.0]
    for _ in range(10):
        highest = [max(high, group["lr"]) for high, group in zip(highest, optimizer.param_groups, strict=True)]
        optimizer.step()
        schedule.step()
    assert highest == pytest.approx([0.5, 0.1])


def test_a_shape_that_cannot_be() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0, momentum=0.9)
    with pytest.raises(UserError, match=r"OneCycle: .* rise=1.5 within \(0, 1\)"):
        OneCycle(optimizer, total_steps=4, rise=1.5)
    with pytest.raises(UserError, match=r"Steps: .* each of at=\[50\] within \(0, 1\)"):
        Steps(optimizer, total_steps=4, at=[50])
