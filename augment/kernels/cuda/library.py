"""What the Triton kernels have in common: when they can run, and a check of their arguments."""

import importlib.util
from collections.abc import Sequence

import torch
from torch import Tensor

from augment.data.context import exporting, on_gpu, recorded
from augment.data.operator import Backend

AVAILABLE = importlib.util.find_spec("triton") is not None
"""Whether Triton is installed; torch for Linux installs it."""


def require_rows(kernel: str, batch: int, **given: Tensor) -> None:
    """Raises an error unless every tensor has one row per sample, because the kernel would read beyond it.

    In compiled code it checks nothing, because torch checks the shapes that the code was traced with.

    Raises:
        ValueError: a tensor has another number of rows.
    """
    if torch.compiler.is_compiling():
        return
    for name, tensor in given.items():
        if tensor.shape[0] != batch:
            raise ValueError(f"kernel {kernel}: {name} must have {batch} rows, got {tuple(tensor.shape)}.")


def takes(tensors: Sequence[Tensor]) -> bool:
    """Whether kernels can work on tensors: no gradient is recorded."""
    return not recorded(tensors)


TRITON = Backend("Triton on a GPU", ready=lambda device: on_gpu(device) and AVAILABLE and not exporting(), takes=takes)
