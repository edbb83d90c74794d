"""Sanity check, fit, validate, test and predict in 32-true and bf16-mixed, 0 and 2 workers, on 1 and 2 processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.trainer.matrix import check_cells
from tests.trainer.tools import ROOT, write_images

CELLS = 5 * 2 * 2
"""Stages, precisions, numbers of workers."""


def test_one_process(tmp_path: Path) -> None:
    write_images(tmp_path / "images", 7, [(9, 12), (20, 8)])
    assert check_cells(1, tmp_path) == CELLS


def test_two_processes(tmp_path: Path) -> None:
    write_images(tmp_path / "images", 7, [(9, 12), (20, 8)])
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [*torchrun, "-m", "tests.trainer.matrix", str(tmp_path)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert ended.returncode == 0, ended.stderr
    assert [(tmp_path / f"cells_{rank}").read_text() for rank in range(2)] == [str(CELLS)] * 2
