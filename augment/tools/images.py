"""Image files given on the command line."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from augment.layers.geometric.resize import Resize
from augment.tools.decoding import decode
from augment.tools.errors import ToolError
from augment.tools.reading import together
from augment.tools.scanning import images_below, listed


def image_files(path: str, limit: int | None = None) -> list[Path]:
    """Return the file, or the image files of a folder sorted by name."""
    place = Path(path)
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise ToolError(f"{path} does not exist; give an image file or a folder of them.")
    left_out: Counter[str] = Counter()
    files = [Path(path) for path in images_below(place, left_out).values()]
    if not files:
        only = f", only {listed(left_out)}" if left_out else ""
        raise ToolError(f"{path} holds no image files that Pillow reads{only}.")
    return files[:limit]


class _Folder(Dataset):
    """The images of a folder, resized to squares of one size."""

    def __init__(self, files: list[Path], size: int) -> None:
        self.files = files
        self.resize = Resize((size, size)).eval()

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Tensor:
        return (self.resize(decode(self.files[index])) * 255).round().to(torch.uint8)


def folder_loader(path: str, size: int, batch: int, workers: int) -> DataLoader:
    """Return a loader of a folder's images; small folders are repeated to give eight batches."""
    files = image_files(path)
    files = (files * -(-8 * batch // len(files)))[: 8 * batch]
    return DataLoader(
        _Folder(files, size), batch, num_workers=workers, persistent_workers=workers > 0, collate_fn=together
    )
