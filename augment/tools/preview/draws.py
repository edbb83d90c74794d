"""Augments the images of a preview at the pipeline's own resolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

import augment as A
from augment.data.known import dense, known
from augment.tools.preview.captions import caption
from augment.tools.preview.collation import batch_of, squares
from augment.tools.preview.picture import marked, tile_of, visible
from augment.tools.preview.samples import Sample
from augment.tools.preview.sheet import Tile

_LEAST_SHARE = 0.005
"""Share of a label that is shown."""


def original(sample: Sample, side: int) -> Tile:
    """Return the tile of an unchanged image, with its annotations, its class and its name."""
    picture = marked(tile_of(sample.image, side), batch_of([sample], [sample.label]), 0, sample.box_names)
    return Tile(picture, list(dict.fromkeys([sample.label, sample.name])))


def rows_of(
    pipeline: A.Pipeline, samples: list[Sample], draws: int, epoch: int, side: int, size: int
) -> list[list[Tile]]:
    """Augment every image in consecutive epochs; its position in the list is its sample number.

    Args:
        pipeline: in training mode, as bytes or floats; its resolution is kept.
        samples: the images.
        draws: number of tiles for each image.
        epoch: of the first tile.
        side: of the tiles, in pixels.
        size: side in pixels to which images of different sizes are brought if the pipeline mixes them first.
    """
    mixes = any(isinstance(leaf, A.Mix) for leaf in pipeline.leaves())
    labels = list(dict.fromkeys(sample.label for sample in samples))
    if mixes and not _mixes_one_size(pipeline, samples):
        samples = squares(samples, size)
    groups = [samples] if mixes else [[sample] for sample in samples]
    rows: list[list[Tile]] = []
    for group in groups:
        index = torch.arange(len(rows), len(rows) + len(group))
        columns = [
            tiles(pipeline, group, labels, noise_at(pipeline, index, epoch, i, draws), side) for i in range(draws)
        ]
        rows += [list(row) for row in zip(*columns, strict=True)]
    return rows


def noise_at(pipeline: A.Layer, index: Tensor, epoch: int, column: int, columns: int) -> Tensor:
    """Return the noise (B, draws) of one of the tiles beside each other, which are consecutive epochs.

    What schedules follow besides the epoch, such as a strength, rises from 0 in the first column to 1 in the last.
    """
    share = column / max(1, columns - 1)
    given = {name: share for _, name in pipeline.inputs() if name != "epoch"}
    return pipeline.noise(index, epoch + column, given=given)


def tiles(pipeline: A.Layer, samples: list[Sample], labels: list[str], noise: Tensor, side: int) -> list[Tile]:
    """Augment each image once, with the given noise (B, draws)."""
    mixes = any(isinstance(leaf, A.Mix) for leaf in pipeline.leaves())
    with torch.no_grad():
        out = pipeline(batch_of(samples, labels), noise)
    pictures = visible(pipeline, dense(out.image))
    made = []
    for row, sample in enumerate(samples):
        size = (sample.image.shape[1], sample.image.shape[2])
        picture = marked(tile_of(pictures[row], side), out, row, () if mixes else sample.box_names)
        told = caption(pipeline.explain(noise[row], size))
        made.append(Tile(picture, [shares(known(out.label)[row], labels), *told] if mixes else told))
    return made


def shares(label: Tensor, names: Sequence[str]) -> str:
    """Return "cat 70 % + dog 30 %" for a mixed label (classes,), the largest share first.

    A name that ends in a digit is set off: "2: 70 % + 7: 30 %".

    Example:
        >>> shares(torch.tensor([0.3, 0.7]), ["dog", "cat"])
        'cat 70 % + dog 30 %'
    """
    found = sorted(zip(label.tolist(), names, strict=True), key=lambda pair: -pair[0])
    found = [pair for pair in found if pair[0] > _LEAST_SHARE]
    words = [f"{name}:" if name[-1:].isdigit() else name for _, name in found]
    if len(found) == 1 and found[0][0] > 1 - _LEAST_SHARE:
        return found[0][1]
    return " + ".join(f"{word} {100 * share:.0f} %" for word, (share, _) in zip(words, found, strict=True))


def _mixes_one_size(pipeline: A.Pipeline, samples: list[Sample]) -> bool:
    """Return whether images are of one size when they are mixed; packed images carry no masks."""
    sizes: set[Any] = {(sample.image.shape[1], sample.image.shape[2]) for sample in samples}
    if len(sizes) > 1 and any(sample.mask is not None for sample in samples):
        return False
    for leaf in pipeline.leaves():
        if isinstance(leaf, A.Mix):
            break
        sizes = {leaf.out_size(size) for size in sizes}
    return len(sizes) == 1
