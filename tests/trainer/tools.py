"""Helpers of the trainer's tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import yaml
from hydra.utils import instantiate
from omegaconf import DictConfig
from PIL import Image

ROOT = Path(__file__).parents[2]
QUIET = ["trainer=cpu", "trainer.enable_progress_bar=false", "trainer.enable_model_summary=false", "logger=csv"]
"""Overrides for a run inside the test process."""


def build(cfg: DictConfig, **options: Any) -> tuple[pl.Trainer, pl.LightningModule, pl.LightningDataModule]:
    """Build trainer, model and data from a configuration, with further options of the trainer."""
    pl.seed_everything(cfg.seed)
    data = instantiate(cfg.data.module)
    if cfg.data.num_classes is None:
        cfg.data.num_classes = data.num_classes
    callbacks, loggers = (
        [c for c in instantiate(cfg.get(n) or {}).values() if c is not None] for n in ("callbacks", "logger")
    )
    model = instantiate(cfg.classifier)
    return instantiate(cfg.trainer, callbacks=callbacks, logger=loggers, **options), model, data


def write_images(folder: Path, count: int, sizes: list[tuple[int, int]], seed: int = 0) -> None:
    """Write random colour PNGs whose (height, width) cycles through `sizes`."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for i in range(count):
        pixels = rng.integers(0, 256, (*sizes[i % len(sizes)], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")


def write_pipeline(path: Path, *layers: dict[str, Any]) -> Path:
    """Write an augmentation to a YAML file; a layer is {"name": class name, argument: value, ...}."""
    args = [{"_target_": f"augment.{layer.pop('name')}"} | layer for layer in map(dict, layers)]
    path.write_text(yaml.safe_dump({"_target_": "augment.Pipeline", "_args_": args}))
    return path


def run_train(cwd: Path, *overrides: str, seconds: float = 600, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `python train.py` with overrides in the folder `cwd`."""
    return subprocess.run(
        [sys.executable, str(ROOT / "train.py"), *overrides],
        cwd=cwd,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
        timeout=seconds,
    )
