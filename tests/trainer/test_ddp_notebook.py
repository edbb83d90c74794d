"""ddp_notebook: after training in forked processes, the main process has the same results as a single process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from tests.trainer.test_best_checkpoint import scored
from tests.trainer.test_continued_logs import rows
from tests.trainer.tools import ROOT, build

Configure = Callable[..., DictConfig]
NOTEBOOK = ["trainer=ddp_notebook", "trainer.accelerator=cpu", "trainer.devices=2", "data.batch_size=30"]
CELL = """
import sys
from omegaconf import OmegaConf
from lightning_modules.errors import one_sentence
from train import train
with one_sentence():
    print("score:", train(OmegaConf.load(sys.argv[1])))
"""
"""The code of a notebook cell."""


def run_cell(cfg: DictConfig, folder: Path) -> subprocess.CompletedProcess[str]:
    OmegaConf.save(cfg, folder / "config.yaml")
    command = [sys.executable, "-c", CELL, str(folder / "config.yaml")]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)


@pytest.mark.parametrize("save_top_k", [1, 2])
def test_best_score_best_weights_and_whole_log(configure: Configure, tmp_path: Path, save_top_k: int) -> None:
    settings = [*NOTEBOOK, "trainer.limit_test_batches=null", f"+callbacks.best.save_top_k={save_top_k}"]
    cfg = scored(configure, [0.9, 0.5], *settings)
    ended = run_cell(cfg, tmp_path)
    assert ended.returncode == 0, ended.stderr
    score = float(ended.stdout.rpartition("score:")[2])
    assert score == pytest.approx(0.9)
    best = tmp_path / "run" / "checkpoints" / "best.ckpt"
    assert torch.load(best, weights_only=True)["epoch"] == 0
    logged = rows(tmp_path / "run")
    assert {row["epoch"] for row in logged if "score" in row} == {"0", "1"}
    (tested,) = (row for row in logged if "test/acc" in row)
    trainer, model, data = build(configure("data.batch_size=30"))
    (alone,) = trainer.test(model, data, ckpt_path=best, weights_only=True, verbose=False)
    assert float(tested["test/acc"]) == pytest.approx(alone["test/acc"], abs=1e-6)
    assert float(tested["test/loss"]) == pytest.approx(alone["test/loss"], rel=1e-5)


def test_an_error_in_training_is_one_sentence(configure: Configure, tmp_path: Path) -> None:
    ended = run_cell(configure(*NOTEBOOK, "optimizer.lr=1e30", "trainer.limit_train_batches=4"), tmp_path)
    assert ended.returncode == 2, ended.stderr
    assert "error: the loss is NaN or infinite in " in ended.stderr
    assert "Traceback" not in ended.stderr.rpartition("error: ")[2]
