"""Fixtures of the trainer's tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from lightning_modules.launching.augment_file import with_augment_files
from lightning_modules.launching.run import silence_harmless_warnings
from lightning_modules.launching.settings import switched_off
from tests.trainer.tools import QUIET, ROOT, write_images


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
    silence_harmless_warnings()


@pytest.fixture
def configure(tmp_path: Path) -> Callable[..., DictConfig]:
    """Compose conf/train.yaml with overrides; outputs go to a temporary folder."""

    def configured(*overrides: str) -> DictConfig:
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            given = with_augment_files(switched_off([*QUIET, f"output_dir={tmp_path / 'run'}", *overrides]))
            return compose("train", overrides=given)

    return configured


@pytest.fixture
def mixed_folder(tmp_path: Path) -> Path:
    """Create three classes with ten images each, in three sizes."""
    for i, name in enumerate(("ant", "bee", "cow")):
        write_images(tmp_path / "photos" / name, 10, [(40, 60), (50, 30), (33, 47)], seed=i)
    return tmp_path / "photos"
