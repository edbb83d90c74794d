"""Helpers that create and read folders of images."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch

from lightning_modules.data.folder import FolderData
from lightning_modules.errors import UserError
from tests.trainer.tools import write_images


def cats_and_dogs(root: Path, count: int = 30) -> Path:
    for i, name in enumerate(("cat", "dog")):
        write_images(root / name, count, [(8, 8)], seed=i)
    return root


def read(root: Path) -> tuple[dict[str, int], list[str]]:
    """Return the number of samples of each class, summed over the splits, and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        splits = FolderData(str(root)).splits
    labels = torch.cat([part.labels for part in splits])
    counts = {name: int((labels == i).sum()) for i, name in enumerate(splits.train.classes)}
    return counts, [str(warning.message) for warning in caught]


def refused(root: Path) -> str:
    with pytest.raises(UserError) as caught:
        _ = FolderData(str(root)).splits
    assert "\n" not in str(caught.value)
    return str(caught.value)


def divided(root: Path, **names: str) -> FolderData:
    for i, name in enumerate(names.values()):
        cats_and_dogs(root / name, 4 + i)
    return FolderData(str(root))
