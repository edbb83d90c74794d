"""Operators: functions that are defined in torch, and that a backend's kernels may carry out faster.

    @operator
    def sharpen(image, chosen, sharpness): ...      # the definition, in torch

    @sharpen.kernel(CPU, serves=is_bytes, tolerance=1e-6, reason="reads bytes once")
    def _(image, chosen, sharpness): ...            # the same, by a kernel

A call runs the first kernel that serves its arguments, and the definition where none does. The caller names neither a
backend nor a device.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Backend:
    """What the kernels of a backend have in common.

    Attributes:
        name: for reports and tests.
        ready: whether its kernels can run now on a device at all.
        takes: whether its kernels can work on these tensors: in its memory, without a gradient.
        installed: asked last, when a kernel would be used; a backend may then say that it is missing.
    """

    name: str
    ready: Callable[[torch.device], bool]
    takes: Callable[[Sequence[Tensor]], bool]
    installed: Callable[[], bool] = lambda: True


@dataclass(frozen=True)
class Kernel:
    """One backend's way to carry out an operator.

    Attributes:
        run: takes the operator's arguments and returns what its definition returns.
        serves: whether it can do so for these arguments, beyond what its backend asks of tensors.
        tolerance: the largest difference from the definition, in units of images in [0, 1]; 0 for equal bits.
        reason: why the kernel exists.
    """

    backend: Backend
    run: Callable[..., Any]
    serves: Callable[..., bool]
    tolerance: float
    reason: str


class Operator:
    """A function of images, defined in torch, with the kernels that backends registered for it."""

    def __init__(self, reference: Callable[..., Any]) -> None:
        self.reference = reference
        self.kernels: tuple[Kernel, ...] = ()
        functools.update_wrapper(self, reference)

    def __call__(self, *arguments: Any) -> Any:
        kernel = self.kernel_for(*arguments)
        return self.reference(*arguments) if kernel is None else kernel.run(*arguments)

    def ready(self, device: torch.device) -> bool:
        """Whether any kernel can run on a device at all, for callers that prepare work for one."""
        return any(kernel.backend.ready(device) for kernel in self.kernels)

    def kernel_for(self, *arguments: Any) -> Kernel | None:
        """The first kernel that serves these arguments."""
        first = arguments[0]
        device = first[0].device if isinstance(first, (tuple, list)) else first.device
        for kernel in self.kernels:
            ready = kernel.backend.ready(device) and kernel.serves(*arguments)
            if ready and kernel.backend.takes(tensors_in(arguments)) and kernel.backend.installed():
                return kernel
        return None

    def kernel(
        self, backend: Backend, serves: Callable[..., bool], tolerance: float, reason: str
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Registers a kernel. Registration happens while `augment` is imported, before anything is traced."""

        def register(run: Callable[..., Any]) -> Callable[..., Any]:
            self.kernels = (*self.kernels, Kernel(backend, run, serves, tolerance, reason))
            return run

        return register


def operator(reference: Callable[..., Any]) -> Operator:
    """Makes an operator of its definition in torch."""
    return Operator(reference)


def tensors_in(values: Iterable[Any]) -> list[Tensor]:
    """The tensors among arguments, and those that tuples, dicts and objects with a method `tensors` hold."""
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, (tuple, list)):
            found += tensors_in(value)
        elif isinstance(value, dict):
            found += tensors_in(value.values())
        elif hasattr(value, "tensors"):
            found += value.tensors()
    return found
