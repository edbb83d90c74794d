"""Pictures of a run's images: augmented batches, and images that were classified wrongly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from augment import Batch, PackedImages
from augment.data.known import dense, known
from augment.tools.preview.draws import shares
from augment.tools.preview.picture import tile_of, visible
from augment.tools.preview.sheet import Tile
from lightning_modules.data.datamodule import ImageDataModule
from lightning_modules.reporting.predictions import Predictions

if TYPE_CHECKING:
    from lightning_modules.classifier import ImageClassifier

SIDE = 112
"""Side of a tile in pixels."""


def augmented_tiles(model: ImageClassifier, batch: Batch, classes: Sequence[str], count: int) -> list[Tile]:
    """Return the first images of a batch as the network sees them in this epoch, with their labels.

    The draws are those of the training step, because they depend on seed, epoch and sample alone. A layer that mixes
    images needs the whole batch.
    """
    if not model.mixes:
        batch = batch.replace(extra=None).map(lambda part: part[:count])
    with torch.no_grad(), torch.compiler.set_stance("force_eager"):  # one call does not justify a compilation
        out = model.augmented(batch)
    shown = torch.arange(out.count).view(model.loss.num_splits, -1).T.flatten()[:count]  # sample by sample
    pictures = visible(model.augment, dense(out.image).cpu()[shown])
    labels = [_told(label, classes) for label in known(out.label).cpu()[shown]]
    return [Tile(tile_of(picture, SIDE), [text]) for picture, text in zip(pictures, labels, strict=True)]


def wrong_tiles(found: Predictions, data: ImageDataModule, split: str, classes: Sequence[str]) -> list[Tile]:
    """Return the most wrong images of a split, with what they are and what they were taken for."""
    made = []
    columns = (found.losses, found.index, found.label, found.predicted)
    for loss, index, label, predicted in zip(*(column.tolist() for column in columns), strict=True):
        if loss >= 0:
            stored = getattr(data.splits, split).__getitems__([index]).image
            image = stored.padded() if isinstance(stored, PackedImages) else stored
            picture = tile_of(image[0].expand(3, -1, -1), SIDE)
            made.append(Tile(picture, [f"{classes[label]}, taken for {classes[predicted]}", f"loss {loss:.2f}"]))
    return made


def in_rows(tiles: list[Tile], columns: int = 8) -> list[list[Tile]]:
    """Break tiles into rows."""
    return [tiles[first : first + columns] for first in range(0, len(tiles), columns)]


def _told(label: torch.Tensor, classes: Sequence[str]) -> str:
    return classes[int(label)] if label.ndim == 0 else shares(label, classes)
