"""What torch does with the calls around it: records them for gradients, or exports them."""

from collections.abc import Iterable

import torch

from augment.data import private_torch


def recorded(tensors: Iterable[object]) -> bool:
    """Whether what is done with tensors records a graph for gradients."""
    return torch.is_grad_enabled() and any(getattr(tensor, "requires_grad", False) for tensor in tensors)


def for_gpu(device: torch.device) -> bool:
    """Whether code for a GPU is being traced."""
    return torch.compiler.is_compiling() and device.type == "cuda"


def replayed(device: torch.device) -> bool:
    """Whether a GPU will run what is called now again without Python: from compiled code, or from a CUDA graph."""
    if device.type != "cuda":
        return False
    return torch.compiler.is_compiling() or (torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing())


def exporting() -> bool:
    """Whether a program is being exported, which is to hold torch's own operators only."""
    return private_torch.exporting()
