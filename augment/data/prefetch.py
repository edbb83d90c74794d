"""The next batch travels to the device while this one is in use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from augment.data.batch import Batch
from augment.data.packed import PackedImages


def prefetched(batches: Iterable[Any], device: torch.device | str) -> Iterator[Any]:
    """The batches on the device, each on its way while the one before it is being worked on.

        for batch in A.prefetched(loader, "cuda"):
            loss = model(pipeline(batch)) ...

    On a GPU the copies have a stream of their own, and one batch more than without is in the GPU's memory. A copy
    leaves the host alone only where it starts in pinned memory: `DataLoader(..., pin_memory=True)`. Send bytes: floats
    are four times as much. On other devices every batch is moved in its turn.

    Args:
        batches: tensors, PackedImages or Batch, or tuples, lists and dicts of them; whatever else is in there stays.
        device: where to.
    """
    device = torch.device(device)
    if device.type != "cuda":
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
    """What comes of sending and receiving each batch; the next has been sent when one is given out."""
    sent: list[Any] = []
    for batch in batches:
        sent.append(send(batch))
        if len(sent) > 1:
            yield receive(sent.pop(0))
    yield from map(receive, sent)


def mapped(value: Any, function: Callable[[Tensor], Tensor]) -> Any:
    """The same value with a function applied to every tensor in it."""
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
    """Its memory, which belongs to the copying stream, is not given away before this stream is done with it."""
    tensor.record_stream(stream)
    return tensor
