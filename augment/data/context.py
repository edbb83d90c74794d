"""The context of a call: recorded for gradients, traced, replayed or exported."""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext

import torch

from augment.data import private_torch


def recorded(tensors: Iterable[object]) -> bool:
    """Whether operations on these tensors record a graph for gradients."""
    return torch.is_grad_enabled() and any(getattr(tensor, "requires_grad", False) for tensor in tensors)


def compiling() -> bool:
    """Whether code is being traced by the compiler."""
    return torch.compiler.is_compiling()


def on_cpu(device: torch.device) -> bool:
    """Whether a device is the CPU."""
    return device.type == "cpu"


def on_gpu(device: torch.device) -> bool:
    """Whether a device is a GPU that CUDA or HIP drives."""
    return device.type == "cuda"


def for_gpu(device: torch.device) -> bool:
    """Whether code for a GPU is being traced."""
    return torch.compiler.is_compiling() and device.type == "cuda"


def replayed(device: torch.device) -> bool:
    """Whether a GPU will replay this call without Python, from compiled code or from a CUDA graph."""
    if device.type != "cuda":
        return False
    return torch.compiler.is_compiling() or (torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing())


def exporting() -> bool:
    """Whether a program is being exported; it may hold only torch's own operators."""
    return private_torch.exporting()


def without_autocast(device: torch.device) -> AbstractContextManager:
    """Computes positions as they are: autocast rounds them by up to 1.4 pixels in bfloat16.

    An exported program would hold autocast as an operator that calls another graph, which few runtimes know.
    """
    return nullcontext() if exporting() else torch.autocast(device.type, enabled=False)
