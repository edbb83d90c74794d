"""CUDA graphs of compiled passes: one call launches all kernels, which the host would launch one by one.

Torch has its own (`mode="reduce-overhead"`), below its guards, which take longer on the host than a batch on the GPU.
These stand above: a replay looks at what it is given and at the module's attributes, and nothing else.
"""

from collections.abc import Callable, Iterator
from operator import is_
from typing import Any

import torch
from torch import Tensor, nn

from augment.batch import Batch
from augment.noise import Key
from augment.tracing import recorded
from augment.types import Noise

Pass = Callable[[Batch, Noise | Key | None], Batch]

_WARM_UPS = 2
"""Calls before a capture, in which kernels are compiled, tuned and loaded."""

_GRAPHS = 8
"""For how many kinds of batches a pass is captured; others are launched kernel by kernel. Each keeps memory."""


class Replayed:
    """Calls a pass by replaying what a call with the like of its inputs launched.

    A change of the module's attributes, parameters or layers by assignment is noticed, and captured anew; one within a
    list or dictionary that an attribute holds is not.
    """

    def __init__(self, module: nn.Module, function: Pass) -> None:
        self.module, self.function = module, function
        self.captured: dict[tuple, Captured] = {}
        self.state: State | None = None

    def __call__(self, batch: Batch, noise: Noise | Key | None) -> Batch:
        given = list(_tensors(batch, noise))
        if self.state is None or not self.state.holds():
            self.captured, self.state = {}, State(self.module)
        if recorded(given) or recorded(self.state.tensors) or not all(isinstance(x, Tensor) for x in given):
            return self.function(batch, noise)
        kind = (batch.box_format, *batch.parts(), *((x.shape, x.stride(), x.dtype) for x in given))
        if kind not in self.captured:
            if len(self.captured) >= _GRAPHS or not all(map(_dense, given)) or len({x.device for x in given}) > 1:
                return self.function(batch, noise)
            self.captured[kind] = Captured(self.function, batch, noise)
        return self.captured[kind](given)


class State:
    """What a module's pass depends on besides its inputs, as it was."""

    def __init__(self, module: nn.Module) -> None:
        own = set(vars(nn.Module())) - {"training"}
        places = [(vars(m), name) for m in module.modules() for name in vars(m) if name not in own and name[0] != "_"]
        places += [
            (held, name) for m in module.modules() for held in (m._parameters, m._buffers, m._modules) for name in held
        ]
        self.places, self.values = places, [held[name] for held, name in places]
        self.tensors = [value for value in self.values if isinstance(value, Tensor)]
        self.addresses = [tensor.data_ptr() for tensor in self.tensors]

    def holds(self) -> bool:
        now = [held.get(name) for held, name in self.places]
        return all(map(is_, now, self.values)) and self.addresses == [tensor.data_ptr() for tensor in self.tensors]


class Captured:
    """A CUDA graph with memory for its inputs and outputs."""

    def __init__(self, function: Pass, batch: Batch, noise: Noise | Key | None) -> None:
        with torch.inference_mode(False), torch.no_grad():
            batch, noise = batch.map(Tensor.clone), _each(noise, Tensor.clone)
            self.inputs = list(_tensors(batch, noise))
            aside, now = torch.cuda.Stream(), torch.cuda.current_stream()
            aside.wait_stream(now)
            with torch.cuda.stream(aside):
                for _ in range(_WARM_UPS):
                    function(batch, noise)
            now.wait_stream(aside)
            self.graph = torch.cuda.CUDAGraph()
            # other threads may go on, to pin memory for instance
            with torch.cuda.graph(self.graph, capture_error_mode="thread_local"):
                self.output = function(batch, noise)

    def __call__(self, given: list[Tensor]) -> Batch:
        with torch.no_grad():
            torch._foreach_copy_(self.inputs, given)
            self.graph.replay()
            return self.output.map(Tensor.clone)  # the next replay writes to the same memory


def _tensors(batch: Batch, noise: Noise | Key | None) -> Iterator[Any]:
    yield from batch.parts().values()
    yield from (noise,) if isinstance(noise, Tensor) else noise or ()


def _each(noise: Noise | Key | None, function: Callable[[Tensor], Tensor]) -> Noise | Key | None:
    return Key(*map(function, noise)) if isinstance(noise, Key) else None if noise is None else function(noise)


def _dense(value: Tensor) -> bool:
    """Whether a copy of a tensor has the same strides."""
    return torch.empty_like(value).stride() == value.stride()
