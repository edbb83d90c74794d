"""What the kernels in Triton have in common."""

import importlib.util
from collections.abc import Sequence

import torch
from torch import Tensor

from augment.data.context import exporting, on_gpu, recorded
from augment.data.operator import Backend

AVAILABLE = importlib.util.find_spec("triton") is not None
"""Whether Triton is installed, as it is with torch for Linux."""


def require_rows(kernel: str, batch: int, **given: Tensor) -> None:
    """Refuses tensors that have not one row a sample, before a kernel reads beyond them.

    Compiled code is not asked: there the shapes that it was traced with are checked anyway.

    Raises:
        ValueError: for the first of them.
    """
    if torch.compiler.is_compiling():
        return
    for name, tensor in given.items():
        if tensor.shape[0] != batch:
            raise ValueError(f"kernel {kernel}: {name} must have {batch} rows, got {tuple(tensor.shape)}.")


def takes(tensors: Sequence[Tensor]) -> bool:
    """Whether kernels can work on tensors: without a gradient."""
    return not recorded(tensors)


TRITON = Backend("Triton on a GPU", ready=lambda device: on_gpu(device) and AVAILABLE and not exporting(), takes=takes)
