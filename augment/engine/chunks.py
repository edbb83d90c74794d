"""Runs a large batch on a CPU in chunks.

The result of a sample does not depend on the others, so the layers may run on a few samples at a time. Intermediate
images then fit into the caches and into memory that the process already has; new memory from the system costs more
than the arithmetic on it. A GPU runs the whole batch at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from augment.data.batch import Batch
from augment.data.context import compiling, on_cpu, recorded
from augment.data.known import dense
from augment.data.memory import has_memory, in_large_pages
from augment.data.packed import PackedImages
from augment.data.types import Params

Drawn = Tensor | list[Params] | None

_PER_THREAD = 8 << 20
"""Bytes of one float copy of the images in a chunk. With less, Python takes a larger share: 3 MiB cost a third
more time in five recipes. With 24 MiB, images no longer fit into the caches.
"""

_MOST = 16 << 20
"""Bytes of the same for all threads together: glibc keeps what is freed for reuse only below 32 MiB."""


def chunked(function: Callable[[Batch, Any], Batch], batch: Batch, drawn: Drawn) -> Batch:
    """Applies a function of a batch and its draws to one chunk after another; the resulting image is channels_last.

    The results are written into one tensor, so no gradient may be required through them.

    Args:
        function: works on each sample by itself.
        batch: the whole batch.
        drawn: noise (B, n), or raw draws by layer; None for neither.
    """
    parts = chunks_of(batch)
    if len(parts) == 1:
        return in_order(function(batch, drawn))
    return in_chunks(lambda rows: function(batch.map(lambda part: part[rows]), _rows(drawn, rows)), parts)


def in_chunks(chunk: Callable[[slice], Batch], parts: Sequence[slice]) -> Batch:
    """Joins the results of `chunk` for consecutive samples to one batch, whose image is channels_last."""
    if len(parts) == 1:
        return in_order(chunk(parts[0]))
    made = chunk(parts[0])
    whole = made.map(lambda part: part.new_empty(parts[-1].stop, *part.shape[1:]))
    image = torch.empty_like(dense(whole.image), memory_format=torch.channels_last)
    whole = whole.replace(image=in_large_pages(image))
    for number, rows in enumerate(parts):
        if number:
            made = chunk(rows)
        for name, part in made.parts().items():
            getattr(whole, name)[rows] = part
        del made, part  # before the next chunk takes as much
    return whole


def _rows(drawn: Drawn, rows: slice) -> Tensor | list[dict[str, Tensor]] | None:
    if isinstance(drawn, list):
        return [{name: value[rows] for name, value in params.items()} for params in drawn]
    return None if drawn is None else drawn[rows]


def chunks_of(batch: Batch) -> list[slice]:
    """Returns the chunks of a batch: consecutive samples that are augmented together."""
    image = batch.image
    if isinstance(image, PackedImages):
        channels, (height, width) = image.channels, image.max_size
    else:
        channels, height, width = dense(image).shape[1:]
    share = min(_PER_THREAD * torch.get_num_threads(), _MOST)
    samples = max(2, share // max(4 * channels * height * width, 1))
    count = max(len(batch) // samples, 1)
    return [slice(len(batch) * k // count, len(batch) * (k + 1) // count) for k in range(count)]


def may_be_chunked(tensors: Sequence[Tensor]) -> bool:
    """Whether chunks may be used: on a CPU, in eager mode, and without a gradient through these tensors."""
    return not compiling() and all(on_cpu(tensor.device) for tensor in tensors) and not recorded(tensors)


def in_order(batch: Batch) -> Batch:
    """Returns the batch with its image in channels_last order, in which convolutions are fast."""
    image, order = dense(batch.image), torch.channels_last
    if image.is_contiguous(memory_format=order) or image.requires_grad or not has_memory(image):
        return batch.replace(image=image.contiguous(memory_format=order))
    return batch.replace(image=in_large_pages(torch.empty_like(image, memory_format=order)).copy_(image))
