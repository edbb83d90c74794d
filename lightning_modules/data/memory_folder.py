"""Small images of folders, decoded once and kept in memory."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from augment.data.known import dense
from lightning_modules.data.folder import FolderData
from lightning_modules.data.image_sets import ImageSet, Splits, TensorImages


class MemoryFolderData(FolderData):
    """FolderData that keeps all images in memory, as squares of one size; a GPU waits for no files then.

    Args:
        root: the folder, see FolderData.
        size: side of the images in pixels; images of another size are squeezed into it.
        options: see FileData.
    """

    def __init__(self, root: str, size: int = 32, **options: Any) -> None:
        super().__init__(root, **options)
        self.size = size

    def load(self) -> Splits:
        return Splits(*(self._kept(part) for part in super().load()))

    def _kept(self, part: ImageSet) -> TensorImages:
        none = torch.empty(0, self.image_channels, self.size, self.size, dtype=torch.uint8)
        pixels = [self._small(dense(part.images([number]))) for number in range(len(part))]
        return TensorImages(torch.cat([none, *pixels]).permute(0, 2, 3, 1).contiguous(), part.labels, part.classes)

    def _small(self, image: Tensor) -> Tensor:
        """Return images (1, C, size, size) uint8."""
        if image.shape[-2:] == (self.size, self.size):
            return image
        squeezed = F.interpolate(image.float(), (self.size, self.size), mode="bilinear", antialias=True)
        return squeezed.round().clamp(0, 255).to(torch.uint8)
