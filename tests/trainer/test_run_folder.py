"""Different runs never share a folder; all processes of one run do."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from lightning_modules.launching.run_folder import new_folder
from tests.trainer.tools import ROOT, run_train

# folder names with the year instead of the second, so that both runs get the same name
NAMES = ["hydra.run.dir=outputs/${now:%Y}", "hydra.sweep.dir='multirun/a=b, ${now:%Y}'"]
ENDS_EARLY = "ckpt_path=lost.ckpt"  # raises after the folder is created


def made(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_folders_made_at_once_are_distinct(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: new_folder(tmp_path / "a" / "now"), range(40)))
    assert len(set(folders)) == 40
    assert all(folder.is_dir() for folder in folders)
    assert {"now", "now_2", "now_40"} <= set(made(tmp_path / "a"))


def test_runs_of_one_moment(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        for ended in pool.map(lambda _: run_train(tmp_path, *NAMES, ENDS_EARLY), range(2)):
            assert "'lost.ckpt' is not a file" in ended.stderr
    year, second = made(tmp_path / "outputs")
    assert second == f"{year}_2"
    for name in (year, second):
        assert (tmp_path / "outputs" / name / ".hydra" / "config.yaml").is_file()


def test_multiruns_of_one_moment(tmp_path: Path) -> None:
    for _ in range(2):
        run_train(tmp_path, "--multirun", *NAMES, ENDS_EARLY)
    year, second = made(tmp_path / "multirun")
    assert second == f"{year}_2"
    for name in (year, second):
        assert (tmp_path / "multirun" / name / "0" / ".hydra" / "config.yaml").is_file()


def test_a_folder_given_by_name_is_used_again(tmp_path: Path) -> None:
    for _ in range(2):
        run_train(tmp_path, f"hydra.run.dir={tmp_path / 'mine'}", ENDS_EARLY)
    assert made(tmp_path) == ["mine"]


def test_processes_that_lightning_starts_share_it(tmp_path: Path) -> None:
    ended = run_train(tmp_path, *NAMES, "trainer=ddp_cpu", "experiment=smoke", "test=false")
    assert ended.returncode == 0, ended.stderr
    (year,) = made(tmp_path / "outputs")
    assert (tmp_path / "outputs" / year / "checkpoints" / "last.ckpt").is_file()


def test_two_machines_that_torchrun_connects_share_it(tmp_path: Path) -> None:
    """Two agents stand for two machines with one process each and a common disk."""
    # this process holds the port that the agents meet at, until both have ended; a pause does not count as a death
    store = torch.distributed.TCPStore("localhost", 0, is_master=True, wait_for_workers=False)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1", "--rdzv-id=run"]
    torchrun += ["--rdzv-backend=c10d", f"--rdzv-endpoint=localhost:{store.port}", "--local-addr=localhost"]
    torchrun += ["--rdzv-conf=is_host=false,read_timeout=600,keep_alive_max_attempt=120"]
    settings = ["trainer=ddp_cpu", "trainer.devices=1", "trainer.num_nodes=2", "experiment=smoke"]
    command = [*torchrun, str(ROOT / "train.py"), *NAMES, *settings]

    def start(_: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)

    with ThreadPoolExecutor(2) as pool:
        for ended in pool.map(start, range(2)):
            assert ended.returncode == 0, ended.stderr
    (year,) = made(tmp_path / "outputs")
    assert (tmp_path / "outputs" / year / "checkpoints" / "last.ckpt").is_file()
    assert "test/acc" in (tmp_path / "outputs" / year / "results.json").read_text()
