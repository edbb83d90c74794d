"""torchvision's small data sets, kept in memory."""

from __future__ import annotations

from typing import Literal

import torch
from torchvision import datasets

from lightning_modules.data.datamodule import ImageDataModule
from lightning_modules.data.image_sets import Splits, TensorImages, split
from lightning_modules.errors import UserError

NAMES = ("CIFAR10", "CIFAR100", "MNIST", "FashionMNIST", "KMNIST")


class TorchvisionData(ImageDataModule):
    """A torchvision data set that fits into memory; downloaded if missing.

    Args:
        name: name of its class in torchvision.datasets, one of NAMES.
        root: folder of the files.
        val_share: share of the training images to split off for validation, in (0, 1).
        batch_size, num_workers, seed, changed: see ImageDataModule.
    """

    name: str

    def __init__(
        self,
        name: str,
        root: str = "data",
        val_share: float = 0.1,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        changed: Literal["refuse", "allow"] = "refuse",
    ) -> None:
        super().__init__(batch_size, num_workers, seed, changed)
        if name not in NAMES:
            raise UserError(f"TorchvisionData: name={name!r} must be one of {', '.join(NAMES)}.")
        self.name, self.root, self.val_share = name, root, val_share

    def prepare_data(self) -> None:
        try:
            getattr(datasets, self.name)(self.root, download=True)
        except (OSError, RuntimeError) as error:
            raise UserError(
                f"{self.name} is not in root={self.root!r} and cannot be downloaded ({error}); "
                "connect to the network or copy its files there."
            ) from error

    def load(self) -> Splits:
        learn, test = self._read(train=True), self._read(train=False)
        val, train = split(learn.labels, [self.val_share], self.seed)
        return Splits(learn.part(train), learn.part(val), test)

    def _read(self, train: bool) -> TensorImages:
        found = getattr(datasets, self.name)(self.root, train=train)
        pixels = torch.as_tensor(found.data)
        pixels = pixels if pixels.ndim == 4 else pixels[..., None]
        return TensorImages(pixels, torch.as_tensor(found.targets), found.classes)
