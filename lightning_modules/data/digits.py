"""scikit-learn's handwritten digits: real data that needs no download."""

from __future__ import annotations

from typing import Literal

import torch
from sklearn.datasets import load_digits

from lightning_modules.data.datamodule import ImageDataModule
from lightning_modules.data.image_sets import Splits, TensorImages, split


class DigitsData(ImageDataModule):
    """1,797 grey images of 8x8 pixels in ten classes (the test set of Alpaydin and Kaynak's 1998 UCI collection).

    Args:
        val_share, test_share: shares of the images, in (0, 1).
        batch_size, num_workers, seed, changed: see ImageDataModule.
    """

    def __init__(
        self,
        val_share: float = 0.15,
        test_share: float = 0.2,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        changed: Literal["refuse", "allow"] = "refuse",
    ) -> None:
        super().__init__(batch_size, num_workers, seed, changed)
        self.shares = (val_share, test_share)

    def load(self) -> Splits:
        digits = load_digits()
        pixels = torch.from_numpy(digits.images * (255 / 16)).round().to(torch.uint8)  # values range from 0 to 16
        everything = TensorImages(pixels[..., None], torch.from_numpy(digits.target), list("0123456789"))
        val, test, train = split(everything.labels, self.shares, self.seed)
        return Splits(everything.part(train), everything.part(val), everything.part(test))
