"""Whether kernels in Triton can be used, as `augment.kernels.cpu.library` says it of those for a CPU."""

import importlib.util

import torch
from torch import Tensor

from augment.data.context import exporting, recorded

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


def serves(*tensors: Tensor) -> bool:
    """Whether they are on a GPU, and nobody asks for a gradient. An exported program stays torch's own."""
    return tensors[0].device.type == "cuda" and AVAILABLE and not recorded(tensors) and not exporting()
