"""A run that is resumed in its folder keeps its logs and logs nothing twice."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import pytorch_lightning as pl
from omegaconf import DictConfig
from pytorch_lightning.utilities.exceptions import SIGTERMException
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lightning_modules.callbacks.logs import ContinuedCSVLogger
from tests.trainer.test_resume import Sigterm
from tests.trainer.tools import build
from train import train

Configure = Callable[..., DictConfig]
Row = dict[str, str]
SHORT = ["trainer.limit_train_batches=4", "trainer.limit_val_batches=1", "trainer.limit_test_batches=1"]
EVERY = ["trainer.log_every_n_steps=1", "trainer.max_epochs=3"]


def rows(folder: Path) -> list[Row]:
    """Return the rows of metrics.csv without empty columns."""
    with open(folder / "csv" / "metrics.csv", newline="") as file:
        return [{name: value for name, value in row.items() if value} for row in csv.DictReader(file)]


def assert_same(left: list[Row], right: list[Row]) -> None:
    def counted(rows: list[Row]) -> Counter:
        return Counter(tuple(sorted(row.items())) for row in rows)

    assert counted(left) == counted(right)


def assert_once(rows: list[Row]) -> None:
    seen = Counter((row["step"], name) for row in rows for name in row if "/" in name or name.startswith("lr-"))
    assert set(seen.values()) == {1}


def interrupted(cfg: DictConfig, *moment: int) -> None:
    trainer, model, data = build(cfg)
    trainer.callbacks.append(Sigterm(*moment))
    with pytest.raises(SIGTERMException):
        trainer.fit(model, data)


def resumed(cfg: DictConfig, checkpoint: Path) -> pl.Trainer:
    trainer, model, data = build(cfg)
    trainer.fit(model, data, ckpt_path=checkpoint, weights_only=True)
    return trainer


@pytest.mark.parametrize("moment", [(0, 2), (1, 1), (1, 3)])
def test_an_interrupted_run_ends_with_the_file_of_an_uninterrupted_one(
    configure: Configure, tmp_path: Path, moment: tuple[int, int]
) -> None:
    whole = configure(*SHORT, *EVERY, f"output_dir={tmp_path / 'whole'}")
    trainer, model, data = build(whole)
    trainer.fit(model, data)
    cfg = configure(*SHORT, *EVERY)
    interrupted(cfg, *moment)
    before = rows(tmp_path / "run")
    assert before
    resumed(cfg, tmp_path / "run" / "checkpoints" / "last.ckpt")
    after = rows(tmp_path / "run")
    assert_once(after)
    assert all(row in after for row in before)
    assert_same(after, rows(tmp_path / "whole"))


def test_what_was_logged_after_the_checkpoint_is_not_doubled(configure: Configure, tmp_path: Path) -> None:
    """Simulate SIGKILL: the log is ahead of the checkpoint."""
    cfg = configure(*SHORT, *EVERY)
    interrupted(cfg, 1, 1)
    checkpoint = (tmp_path / "run" / "checkpoints" / "last.ckpt").rename(tmp_path / "earlier.ckpt")
    trainer, model, data = build(configure(*SHORT, *EVERY))
    trainer.fit(model, data)
    whole = rows(tmp_path / "run")
    with open(tmp_path / "run" / "csv" / "metrics.csv", "a") as file:
        file.write("0.1,0.2")  # half a row
    resumed(configure(*SHORT, *EVERY), checkpoint)
    assert_once(rows(tmp_path / "run"))
    assert_same(rows(tmp_path / "run"), whole)


def test_a_finished_run_that_is_prolonged_keeps_its_rows(configure: Configure, tmp_path: Path) -> None:
    settings = [*SHORT, "trainer.log_every_n_steps=1", "scheduler=none"]
    train(configure(*settings, "trainer.max_epochs=2"))
    before = rows(tmp_path / "run")
    last = f"ckpt_path={tmp_path / 'run' / 'checkpoints' / 'last.ckpt'}"
    train(configure(*settings, "trainer.max_epochs=2", last))
    assert_same(rows(tmp_path / "run"), before)
    train(configure(*settings, "trainer.max_epochs=3", last))
    after = rows(tmp_path / "run")
    assert_once(after)
    assert all(row in after for row in before)
    assert [row["step"] for row in after if "test/acc" in row] == ["8", "12"]
    assert [row["step"] for row in after if "train/loss" in row] == [str(step) for step in range(12)]


def test_a_test_alone_is_appended(configure: Configure, tmp_path: Path) -> None:
    train(configure(*SHORT, "trainer.max_epochs=1", "test=false"))
    before = rows(tmp_path / "run")
    train(configure(*SHORT, "train=false", f"ckpt_path={tmp_path / 'run' / 'checkpoints' / 'last.ckpt'}"))
    after = rows(tmp_path / "run")
    assert after[: len(before)] == before
    assert "test/acc" in after[-1]


def test_a_run_that_begins_anew_replaces_the_rows(configure: Configure, tmp_path: Path) -> None:
    train(configure(*SHORT, *EVERY))
    train(configure(*SHORT, "trainer.log_every_n_steps=1", "trainer.max_epochs=1"))
    assert max(int(row["step"]) for row in rows(tmp_path / "run")) == 4  # the row of the test


def test_columns_are_merged(tmp_path: Path) -> None:
    for metrics in ({"a": 1.0}, {"b": 2.0}, {"a": 3.0, "c": 4.0}):
        logger = ContinuedCSVLogger(tmp_path, name="csv", version="")
        logger.log_metrics(metrics, step=5)
        logger.save()
    logger.log_metrics({"c": 5.0}, step=6)
    logger.save()
    assert rows(tmp_path) == [
        {"a": "1.0", "step": "5"},
        {"b": "2.0", "step": "5"},
        {"a": "3.0", "c": "4.0", "step": "5"},
        {"c": "5.0", "step": "6"},
    ]


def test_tensorboard_shows_every_step_once(configure: Configure, tmp_path: Path) -> None:
    settings = [*SHORT, *EVERY, "logger=tensorboard"]
    interrupted(configure(*settings), 1, 1)
    checkpoint = (tmp_path / "run" / "checkpoints" / "last.ckpt").rename(tmp_path / "earlier.ckpt")
    resumed(configure(*settings), checkpoint)
    resumed(configure(*settings), checkpoint)
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("train/loss")] == list(range(12))
    assert [event.step for event in events.Scalars("val/loss")] == [3, 7, 11]
