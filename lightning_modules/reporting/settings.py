"""With which settings, and on which machine, a run was made."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path

import pytorch_lightning as pl
import torch
import yaml

_PACKAGES = ("torch", "kornia", "pytorch-lightning", "timm", "torchvision", "numpy", "augment-inside")


def settings_that_differ(folder: Path) -> list[str]:
    """Return the overrides with which a run of train.py was started, from its folder; empty for other programs."""
    file = folder / ".hydra" / "overrides.yaml"
    found = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else None
    return [str(override) for override in found or []]


def environment(trainer: pl.Trainer) -> dict[str, str]:
    """Return the machine, the devices and the versions of a run, as text."""
    device = trainer.strategy.root_device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    found = {"device": f"{trainer.world_size} x {device.type} ({name})", "threads": str(torch.get_num_threads())}
    found |= {"system": platform.platform(), "Python": platform.python_version(), "precision": str(trainer.precision)}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:  # used from a checkout
            continue
    return found
