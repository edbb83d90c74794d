"""Two tasks with opposite demands on a policy: rotation is harmless in one, and destroys the label in the other."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits

import augment as A
from lightning_modules.data.datamodule import ImageDataModule
from lightning_modules.data.image_sets import Splits, TensorImages, split
from lightning_modules.errors import UserError

TASKS = ("rotated", "orientation")
LABELLED = 800


class TurnedDigits(ImageDataModule):
    """scikit-learn's digits, enlarged to 16x16 and padded to 20x20 pixels: 800 labelled images, 997 for the test.

    - rotated: every image is rotated by its own angle, uniform within 180 degrees; the label is the digit. Rotation is
      an invariance that a policy should find.
    - orientation: every image is rotated by 0, 90, 180 or 270 degrees, which is the label. Rotation by more than 45
      degrees destroys it.

    Args:
        task: "rotated" or "orientation".
        apart: whether to keep the 160 validation images out of training, which is necessary to compare settings. If
            false, all 800 images are trained on and validation accuracy means nothing.
        batch_size, num_workers, seed, changed: see ImageDataModule; the seed also determines split and rotations.
    """

    def __init__(
        self,
        task: str,
        apart: bool = False,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        changed: Literal["refuse", "allow"] = "refuse",
    ) -> None:
        if task not in TASKS:
            raise UserError(f"TurnedDigits: task={task!r} must be one of {', '.join(TASKS)}.")
        super().__init__(batch_size, num_workers, seed, changed)
        self.task, self.apart = task, apart

    def load(self) -> Splits:
        digits = load_digits()
        small = torch.from_numpy(digits.images)[:, None] / 16  # values range from 0 to 16
        images = F.pad(F.interpolate(small, size=(16, 16), mode="bilinear", antialias=False), (2, 2, 2, 2)).float()
        index = torch.arange(len(images))
        if self.task == "rotated":
            images, labels, classes = self._rotated(images, index), torch.from_numpy(digits.target), list("0123456789")
        else:
            labels = (A.uniform(self.seed, 0, index, 1)[:, 0] * 4).long()
            turned = torch.stack([torch.rot90(images, k, (2, 3)) for k in range(4)])
            images, classes = turned[labels, index], ["0", "90", "180", "270"]
        pixels = (images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()
        everything = TensorImages(pixels, labels, classes)
        labelled, test = split(labels, (LABELLED / len(labels),), self.seed)
        train = everything.part(labelled)
        held, kept = split(train.labels, (0.2,), self.seed)
        return Splits(train.part(kept) if self.apart else train, train.part(held), everything.part(test))

    def _rotated(self, images: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        turn = A.RandomRotation(180.0, p=1.0)
        turn.seed = self.seed
        return turn(images, index=index)
