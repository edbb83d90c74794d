"""Images of any size in one folder per class."""

from __future__ import annotations

from pathlib import Path

import torch
from torchvision.datasets import ImageFolder

from lightning_modules.datamodule import ImageDataModule
from lightning_modules.errors import UserError
from lightning_modules.image_sets import FileImages, Splits, split


class FolderData(ImageDataModule):
    """root/train/cat/1.jpg, root/val/cat/2.jpg, root/test/cat/3.jpg; or root/cat/1.jpg, split here.

    Where root has a folder `train`, a missing `val` or `test` is split off it; otherwise both are split off
    everything.

    Args:
        root: the folder.
        channels: 1 to read the images as grey, 3 as colour.
        val_share, test_share: what to split off, in (0, 1); used where there is no such folder.
        batch_size, num_workers, seed: see ImageDataModule.
    """

    def __init__(
        self,
        root: str,
        channels: int = 3,
        val_share: float = 0.1,
        test_share: float = 0.1,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, num_workers, seed)
        self.root, self.shares = Path(root), {"val": val_share, "test": test_share}
        self.image_channels = channels
        if channels not in (1, 3):
            raise UserError(f"FolderData: channels={channels} must be 1 (grey) or 3 (colour).")
        if not self.root.is_dir():
            raise UserError(f"FolderData: root={str(root)!r} is not a folder; give one that holds a folder per class.")

    def load(self) -> Splits:
        divided = (self.root / "train").is_dir()
        train = self._read(self.root / "train" if divided else self.root)
        given = {name: divided and (self.root / name).is_dir() for name in self.shares}
        parts = {name: self._read(self.root / name, train.classes) for name in self.shares if given[name]}
        missing = [name for name in self.shares if not given[name]]
        if missing:
            *numbers, rest = split(train.labels, [self.shares[name] for name in missing], self.seed)
            parts |= {name: train.part(n) for name, n in zip(missing, numbers, strict=True)}
            train = train.part(rest)
        return Splits(train, parts["val"], parts["test"])

    def _read(self, folder: Path, classes: list[str] | None = None) -> FileImages:
        """All images below a folder, numbered by the names of their classes, which must be among `classes`."""
        try:
            found = ImageFolder(str(folder), allow_empty=True)
        except FileNotFoundError as error:
            raise UserError(f"FolderData: {folder} holds no folders; give a root with one folder per class.") from error
        filled = set(found.targets)
        empty = [name for i, name in enumerate(found.classes) if i not in filled]
        if empty:
            raise UserError(f"FolderData: {folder / empty[0]} holds no images; remove the folder or add some.")
        classes = found.classes if classes is None else classes
        unknown = [name for name in found.classes if name not in classes]
        if unknown:
            raise UserError(f"FolderData: {folder / unknown[0]} is a class that the training images do not have.")
        number = [classes.index(name) for name in found.classes]
        labels = torch.tensor([number[target] for target in found.targets])
        return FileImages([Path(path) for path, _ in found.samples], labels, classes, self.image_channels)
