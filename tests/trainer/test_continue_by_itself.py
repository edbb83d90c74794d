"""ckpt_path=last: a run that is started again in its folder, as by SLURM, continues by itself."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig

from lightning_modules.errors import UserError
from lightning_modules.saving.saved import last_of_run, step_of
from tests.trainer.tools import ROOT, build, run_train

SMALL = ["experiment=smoke", "model=small_cnn", "model.width=8", "test=false"]


def saved(folder: Path, name: str, **content: int) -> Path:
    """Write a file that has the keys of a checkpoint."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": {}, "optimizer_states": [], "pytorch-lightning_version": "2.6.0"} | content, path)
    return path


def test_the_newest_checkpoint_counts(tmp_path: Path) -> None:
    assert last_of_run(tmp_path) is None
    last = saved(tmp_path, "checkpoints/last.ckpt")
    saved(tmp_path, "checkpoints/best.ckpt")
    os.utime(last, (1, 1))
    assert last_of_run(tmp_path) == str(last)
    of_slurm = saved(tmp_path, "hpc_ckpt_1.ckpt")
    assert last_of_run(tmp_path) == str(of_slurm)
    os.truncate(of_slurm, 100)
    assert last_of_run(tmp_path) == str(last)
    os.truncate(last, 100)
    with pytest.raises(UserError, match=r"last.ckpt' is truncated or damaged"):
        last_of_run(tmp_path)


def test_a_requeued_job_of_slurm_continues_in_its_folder(tmp_path: Path) -> None:
    given = ["hydra.run.dir=outputs/${name}/job-${oc.env:SLURM_JOB_ID}", "ckpt_path=last", *SMALL, "trainer=cpu"]
    stop = ["+callbacks.stop._target_=tests.trainer.test_resume.Sigterm", "+callbacks.stop.epoch=1"]
    job = {"SLURM_JOB_ID": "4711", "PYTHONPATH": str(ROOT)}
    ended = run_train(tmp_path, *given, *stop, "+callbacks.stop.batch=0", **job)
    assert ended.returncode == 143, ended.stderr
    last = tmp_path / "outputs" / "smoke" / "job-4711" / "checkpoints" / "last.ckpt"
    assert step_of(last) == 3
    ended = run_train(tmp_path, *given, **job)
    assert ended.returncode == 0, ended.stderr
    assert step_of(last) == 4
    assert [path.name for path in (tmp_path / "outputs" / "smoke").iterdir()] == ["job-4711"]


def test_slurms_signal_saves_and_requeues(
    configure: Callable[..., DictConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lightning asks scontrol for the requeue; the checkpoint that it saves is the one to continue from."""
    for name, value in (("SLURM_NTASKS", "1"), ("SLURM_JOB_NAME", "train"), ("SLURM_JOB_ID", "4711")):
        monkeypatch.setenv(name, value)
    for name, value in (("SLURM_PROCID", "0"), ("SLURM_LOCALID", "0"), ("SLURM_NTASKS_PER_NODE", "1")):
        monkeypatch.setenv(name, value)
    asked: list[list[str]] = []
    monkeypatch.setattr(
        "pytorch_lightning.trainer.connectors.signal_connector.call", lambda command: asked.append(command) or 0
    )
    trainer, model, data = build(configure(*SMALL))

    class Warn(pl.Callback):
        def on_train_batch_start(self, trainer: pl.Trainer, *_: object) -> None:
            if trainer.global_step == 2:
                signal.raise_signal(signal.SIGUSR1)

    trainer.callbacks.append(Warn())
    trainer.fit(model, data)
    assert asked == [["scontrol", "requeue", "4711"]]
    of_slurm = tmp_path / "run" / "hpc_ckpt_1.ckpt"
    assert step_of(of_slurm) == 3
    (tmp_path / "run" / "checkpoints" / "last.ckpt").unlink()  # the job has been killed before its end
    assert last_of_run(tmp_path / "run") == str(of_slurm)
