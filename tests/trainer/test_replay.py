"""A run that stops at a loss that is not finite records the batch; train.py repeats it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig

from lightning_modules.callbacks.replay import with_replay
from lightning_modules.errors import UserError
from lightning_modules.saving.saved import step_of
from tests.trainer.test_nonfinite_loss import SMALL, Broken, failed
from tests.trainer.tools import ROOT, build, run_train

Configure = Callable[..., DictConfig]


def record_of(folder: Path) -> dict:
    (path,) = folder.glob("replay-*.json")
    return json.loads(path.read_text())


class Indices(pl.Callback):
    """Remember the samples of every training batch."""

    def __init__(self) -> None:
        self.seen: dict[tuple[int, int], list[int]] = {}

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: object, batch: object, batch_idx: int) -> None:
        self.seen[trainer.current_epoch, batch_idx] = batch.index.tolist()


@pytest.mark.parametrize("every", ["null", "50"])
def test_the_record_names_batch_samples_seed_and_checkpoint(configure: Configure, tmp_path: Path, every: str) -> None:
    indices = Indices()
    said = failed(
        configure(*SMALL, "seed=3", f"callbacks.finite.every={every}"), Broken("train", epoch=1, step=6), indices
    )
    folder = tmp_path / "run"
    record = record_of(folder)
    assert {name: record[name] for name in ("epoch", "batch", "step", "seed")} == {
        "epoch": 1,
        "batch": 2,
        "step": 6,
        "seed": 3,
    }
    samples = indices.seen[1, 2]
    assert record["samples"] == samples
    assert record["not_finite"] == sorted([samples[1], samples[4]])
    assert record["ckpt_path"] == str(folder / "replay-epoch1-step6.ckpt")
    assert step_of(record["ckpt_path"]) == 4
    assert f"{folder / 'replay-epoch1-step6.json'} names its samples" in said


def test_the_checkpoint_is_the_newest_before_the_step(configure: Configure, tmp_path: Path) -> None:
    """Also if another run has left checkpoints in the folder, and if none exists yet."""
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    old = tmp_path / "run" / "checkpoints" / "old.ckpt"
    torch.save({"global_step": 0}, old)
    os.utime(old, (1, 1))
    failed(configure(*SMALL), Broken("train"))
    assert record_of(tmp_path / "run")["ckpt_path"] is None
    new = configure(*SMALL, f"output_dir={tmp_path / 'new'}", "callbacks.last.minutes=1e-9", "trainer.max_epochs=2")
    failed(new, Broken("train", epoch=1, step=6))
    assert step_of(record_of(tmp_path / "new")["ckpt_path"]) == 6


def test_the_checkpoint_of_a_resumed_run(configure: Configure, tmp_path: Path) -> None:
    trainer, model, data = build(configure(*SMALL, "trainer.max_epochs=1"))
    trainer.fit(model, data)
    trainer, model, data = build(configure(*SMALL, f"output_dir={tmp_path / 'second'}"))
    trainer.callbacks.append(Broken("train", epoch=1, step=5))
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    with pytest.raises(UserError):
        trainer.fit(model, data, ckpt_path=last, weights_only=True)
    assert step_of(record_of(tmp_path / "second")["ckpt_path"]) == 4


def test_validation_writes_no_record(configure: Configure, tmp_path: Path) -> None:
    failed(configure(*SMALL), Broken("val"))
    assert not list((tmp_path / "run").glob("replay-*"))


def test_train_py_repeats_the_batch(tmp_path: Path) -> None:
    """It saves the state right before the step, so that another repetition is short."""
    spoil = ["+callbacks.broken._target_=tests.trainer.test_nonfinite_loss.Broken", "+callbacks.broken.stage=train"]
    spoil += ["+callbacks.broken.epoch=1", "+callbacks.broken.step=3"]
    settings = ["trainer=cpu", *SMALL, "trainer.accumulate_grad_batches=2", *spoil]
    ended = run_train(tmp_path, *settings, "hydra.run.dir=first", PYTHONPATH=str(ROOT))
    assert ended.returncode == 2, ended.stderr
    (path,) = (tmp_path / "first").glob("replay-*.json")
    error = ended.stderr.splitlines()[-1]
    assert error.endswith(f"python train.py replay={path} repeats the batch.")
    record = json.loads(path.read_text())
    assert (record["epoch"], record["batch"], record["step"], len(record["samples"])) == (1, 2, 3, 30)
    again = run_train(tmp_path, f"replay={path}", "hydra.run.dir=second", PYTHONPATH=str(ROOT))
    assert again.returncode == 2, again.stderr
    assert again.stderr.splitlines()[-1].split("; ")[0] == error.split("; ")[0]
    before = tmp_path / "second" / "before.ckpt"
    assert "the first value that is not finite is in the input of " in again.stdout
    assert step_of(before) == 3
    assert {file.name for file in (tmp_path / "second").iterdir()} >= {"before.ckpt", "replay-epoch1-step3.json"}
    assert not (tmp_path / "second" / "checkpoints").exists()
    assert step_of(record_of(tmp_path / "second")["ckpt_path"]) == 3


def test_replay_becomes_the_overrides_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    path = tmp_path / "it's.json"
    fields = {"epoch": 1, "batch": 2, "step": 3, "samples": [1], "folder": str(tmp_path), "ckpt_path": "a b.ckpt"}
    path.write_text(json.dumps(fields | {"overrides": ["trainer=cpu", "data.root=photos"]}))
    given = with_replay([f"replay={path}", "data.num_workers=0"])
    assert given[:3] == ["trainer=cpu", "data.root=photos", "data.num_workers=0"]
    assert given[3:5] == ["train=true", "test=false"]
    assert given[5:] == ["ckpt_path='a b.ckpt'", "replay='" + str(path).replace("it's", "it\\'s") + "'"]
    assert Path.cwd() == tmp_path
    assert with_replay(given) == given  # what the other processes of a distributed run start with
    assert with_replay(["seed=1"]) == ["seed=1"]


@pytest.mark.parametrize("content", [None, "text", "{}", "[1]"])
def test_a_file_that_is_no_record(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "x.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=f"replay={path} is not a file that a stopped run has written"):
        with_replay([f"replay={path}"])
