"""CUDA graphs of compiled passes: one call launches all kernels, instead of one call per kernel.

Torch's own graphs (`mode="reduce-overhead"`) run below its guards, which take longer on the host than a batch takes on
the GPU. These run above the guards: a replay checks only its inputs and the attributes of the module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import is_
from typing import Any

import torch
from torch import Tensor, nn

from augment.data import private_torch
from augment.data.batch import Batch
from augment.data.context import recorded
from augment.data.known import dense
from augment.data.types import Noise
from augment.draws.noise import Key

Pass = Callable[[Batch, Noise | Key | None], Batch]

_WARM_UPS = 2
"""Calls before a capture, which compile, tune and load the kernels."""

_KINDS = 8
"""Number of kinds of batch (shapes, types, ...) that get a graph; others are launched kernel by kernel."""

_IN_PLACE = 3
"""Number of graphs per kind that read the images in place and hand out their output memory. Each has its own memory for
intermediate values. Loaders and training loops reuse the same two or three image addresses.
"""


class Replayed:
    """Calls a pass by replaying the kernels of an earlier call with inputs of the same kind.

    An assignment to an attribute, parameter or layer of the module is noticed, and the pass is captured again; a change
    inside a list or dictionary is not noticed. Use the result on the stream of the call, and a copy of it on other
    streams: its memory is reused as soon as no tensor refers to it.
    """

    def __init__(self, module: nn.Module, function: Pass) -> None:
        self.module, self.function = module, function
        self.captured: dict[tuple, list[Captured]] = {}
        self.state: State | None = None

    def __call__(self, batch: Batch, noise: Noise | Key | None) -> Batch:
        if torch.cuda.is_current_stream_capturing():
            return self.function(batch, noise)  # becomes a part of the graph that the caller captures
        given = list(_tensors(batch, noise))
        if self.state is None or not self.state.holds():
            self.captured, self.state = {}, State(self.module)
        if recorded(given) or recorded(self.state.tensors) or not all(isinstance(x, Tensor) for x in given):
            return self.function(batch, noise)
        stream = torch.cuda.current_stream().cuda_stream
        described = tuple(batch.descriptions().values())
        kind = (stream, described, *batch.parts(), *((x.shape, x.stride(), x.dtype) for x in given))
        if kind not in self.captured:
            if len(self.captured) >= _KINDS or not all(map(_dense, given)) or len({x.device for x in given}) > 1:
                return self.function(batch, noise)
            self.captured[kind] = []
        return self._ready(self.captured[kind], batch, noise)(given)

    def _ready(self, graphs: list[Captured], batch: Batch, noise: Noise | Key | None) -> Captured:
        """Returns a graph for images at this address, captured if there is none; the last one copies the images."""
        found = next((graph for graph in graphs if graph.ready(dense(batch.image))), None)
        if found is None:
            found = Captured(self.function, batch, noise, copies=len(graphs) == _IN_PLACE)
            graphs.append(found)
        return found


class State:
    """A record of what a module's pass depends on besides its inputs."""

    def __init__(self, module: nn.Module) -> None:
        own = set(vars(nn.Module())) - {"training"}
        places = [(vars(m), name) for m in module.modules() for name in vars(m) if name not in own and name[0] != "_"]
        places += [(held, name) for m in module.modules() for held in private_torch.registries(m) for name in held]
        self.places, self.values = places, [held[name] for held, name in places]
        self.tensors = [value for value in self.values if isinstance(value, Tensor)]
        self.addresses = [tensor.data_ptr() for tensor in self.tensors]

    def holds(self) -> bool:
        now = [held.get(name) for held, name in self.places]
        return all(map(is_, now, self.values)) and self.addresses == [tensor.data_ptr() for tensor in self.tensors]


class Captured:
    """A CUDA graph with memory for its inputs and outputs.

    Args:
        function: the pass to capture.
        batch, noise: the inputs to capture it with.
        copies: copy the images in and the results out. Otherwise the graph reads the images in place and hands out its
            own output memory, and is `ready` again once no tensor refers to that.
    """

    def __init__(self, function: Pass, batch: Batch, noise: Noise | Key | None, copies: bool) -> None:
        with torch.inference_mode(False), torch.no_grad():
            self.copies, self.address = copies, dense(batch.image).data_ptr()
            in_place = None if copies else batch.image
            batch = batch.map(lambda x: x if x is in_place else x.clone())
            noise = _each(noise, Tensor.clone)
            inputs = list(_tensors(batch, noise))
            self.inputs = inputs if copies else inputs[1:]  # the image is the first
            aside, now = torch.cuda.Stream(), torch.cuda.current_stream()
            aside.wait_stream(now)
            with torch.cuda.stream(aside):
                for _ in range(_WARM_UPS):
                    function(batch, noise)
            now.wait_stream(aside)
            self.graph = torch.cuda.CUDAGraph()
            there = {x.untyped_storage().data_ptr() for x in inputs}
            # other threads may continue, for instance to pin memory
            with torch.cuda.graph(self.graph, capture_error_mode="thread_local"):
                output = function(batch, noise)
                self.output = output.map(lambda x: x.clone() if x.untyped_storage().data_ptr() in there else x)
        self.memory = [x.untyped_storage() for x in self.output.parts().values()]
        self.holders = self._holders()

    def ready(self, image: Tensor) -> bool:
        """Whether it can be replayed for these images: they lie at its address, and its output memory is free."""
        return self.copies or (image.data_ptr() == self.address and self._holders() == self.holders)

    def __call__(self, given: list[Tensor]) -> Batch:
        with torch.no_grad():
            private_torch.copy_each(self.inputs, given if self.copies else given[1:])
            self.graph.replay()
            return self.output.map(Tensor.clone if self.copies else Tensor.detach)

    def _holders(self) -> list[int]:
        """Returns how many tensors, views included, share the memory of each output."""
        return [private_torch.holders(memory) for memory in self.memory]


def _tensors(batch: Batch, noise: Noise | Key | None) -> Iterator[Any]:
    yield from batch.parts().values()
    yield from (noise,) if isinstance(noise, Tensor) else noise or ()


def _each(noise: Noise | Key | None, function: Callable[[Tensor], Tensor]) -> Noise | Key | None:
    return Key(*map(function, noise)) if isinstance(noise, Key) else None if noise is None else function(noise)


def _dense(value: Tensor) -> bool:
    """Whether a copy of a tensor has the same strides."""
    return torch.empty_like(value).stride() == value.stride()
