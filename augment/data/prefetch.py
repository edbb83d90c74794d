"""Prefetching: copies the next batch to the device while the current one is in use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from augment.data.batch import Batch
from augment.data.context import on_gpu
from augment.data.packed import PackedImages


def prefetched(batches: Iterable[Any], device: torch.device | str) -> Iterator[Any]:
    """Yields batches on the device and copies each one while its predecessor is in use.

        for batch in A.prefetched(loader, "cuda"):
            loss = model(pipeline(batch)) ...

    On a GPU the copies run in a separate stream, and one additional batch is in GPU memory. A copy does not block the
    host only if it starts from pinned memory: `DataLoader(..., pin_memory=True)`. Send uint8 images, because floats are
    four times as large. On other devices each batch is copied when it is requested.

    Args:
        batches: tensors, PackedImages or Batch, or tuples, lists and dicts of them; other values are not changed.
        device: target device.

    Example:
        >>> loader = [torch.rand(2, 3, 8, 8) for _ in range(3)]
        >>> [batch.shape[0] for batch in A.prefetched(loader, "cpu")]
        [2, 2, 2]
    """
    device = torch.device(device)
    if not on_gpu(device):
        yield from (mapped(batch, lambda tensor: tensor.to(device)) for batch in batches)
        return
    copying = torch.cuda.Stream(device)

    def send(batch: Any) -> tuple[Any, torch.cuda.Event]:
        with torch.cuda.stream(copying):
            sent = mapped(batch, lambda tensor: tensor.to(device, non_blocking=True))
            return sent, copying.record_event()

    def receive(sent: tuple[Any, torch.cuda.Event]) -> Any:
        batch, arrived = sent
        working = torch.cuda.current_stream(device)
        working.wait_event(arrived)  # the GPU waits, not the host
        return mapped(batch, lambda tensor: _used_by(tensor, working))

    yield from one_ahead(batches, send, receive)


def one_ahead(batches: Iterable[Any], send: Callable[[Any], Any], receive: Callable[[Any], Any]) -> Iterator[Any]:
    """Yields each batch after `send` and `receive`; the next batch has been sent by then."""
    sent: list[Any] = []
    for batch in batches:
        sent.append(send(batch))
        if len(sent) > 1:
            yield receive(sent.pop(0))
    yield from map(receive, sent)


def mapped(value: Any, function: Callable[[Tensor], Tensor]) -> Any:
    """Applies a function to every tensor in a nested value."""
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, (Batch, PackedImages)):
        return value.map(lambda part: mapped(part, function))
    if isinstance(value, dict):
        return {key: mapped(item, function) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(mapped(item, function) for item in value))
    if isinstance(value, (tuple, list)):
        return type(value)(mapped(item, function) for item in value)
    return value


def _used_by(tensor: Tensor, stream: torch.cuda.Stream) -> Tensor:
    """Keeps the memory of a tensor, owned by the copying stream, until the given stream has finished with it."""
    tensor.record_stream(stream)
    return tensor
