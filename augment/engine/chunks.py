"""A large batch on a CPU, a piece at a time.

What a sample gets does not depend on the others, so the samples of a batch may go through the layers a few at a time.
What lies between two layers is then small enough to stay in caches and in memory that the process already holds;
memory fresh from the system costs more than the arithmetic on it. A GPU wants the whole batch at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from augment.data.batch import Batch, PackedImages
from augment.data.context import recorded
from augment.data.memory import has_memory, in_large_pages

_PER_THREAD = 3 << 20
"""Bytes of one float copy of the images in a piece. From 2 to 8 MiB the times of recipes differ little."""

_MOST = 16 << 20
"""Bytes of the same for all threads together: glibc keeps what is freed for reuse only below 32 MiB."""


def in_pieces(piece: Callable[[slice], Batch], parts: Sequence[slice]) -> Batch:
    """What `piece` makes of some samples after others, in one batch, the image channels_last.

    They are written into one tensor as they come, so that nothing may require a gradient through them.
    """
    if len(parts) == 1:
        return in_order(piece(parts[0]))
    whole = None
    for rows in parts:
        made = piece(rows)
        if whole is None:
            whole = made.map(lambda part: part.new_empty(parts[-1].stop, *part.shape[1:]))
            image = torch.empty_like(whole.image, memory_format=torch.channels_last)
            whole = whole.replace(image=in_large_pages(image))
        for name, part in made.parts().items():
            getattr(whole, name)[rows] = part
        del made, part  # before the next piece takes as much
    return whole


def cuts(batch: Batch) -> list[slice]:
    """Which samples of a batch to augment together, one after another."""
    image = batch.image
    size = image.max_size if isinstance(image, PackedImages) else image.shape[-2:]
    channels = image.channels if isinstance(image, PackedImages) else image.shape[1]
    share = min(_PER_THREAD * torch.get_num_threads(), _MOST)
    samples = max(2, share // max(4 * channels * size[0] * size[1], 1))
    count = max(len(batch) // samples, 1)
    return [slice(len(batch) * k // count, len(batch) * (k + 1) // count) for k in range(count)]


def looks_at_batch(layer: nn.Module) -> bool:
    """Whether what a sample becomes depends on the others of its batch."""
    return any(getattr(m, "same_on_batch", False) or not getattr(m, "by_sample", True) for m in layer.modules())


def may_be_cut(layer: nn.Module, batch: Batch) -> bool:
    """Whether pieces could save anything, and nothing requires a gradient through them."""
    if torch.compiler.is_compiling() or batch.device.type != "cpu":
        return False
    return not recorded([*layer.parameters(), *batch.parts().values()])


def in_order(batch: Batch) -> Batch:
    """The image channels_last, which is what convolutions are fast on."""
    image, order = batch.image, torch.channels_last
    if image.is_contiguous(memory_format=order) or image.requires_grad or not has_memory(image):
        return batch.replace(image=image.contiguous(memory_format=order))
    return batch.replace(image=in_large_pages(torch.empty_like(image, memory_format=order)).copy_(image))
