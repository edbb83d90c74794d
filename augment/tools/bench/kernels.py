"""Counts the operators that a call launches in eager mode; on a GPU each is a kernel and a pass over memory."""

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from augment.tools.bench.work import Run

_LARGE = 4096
"""Minimum number of elements of an operator that works on pixels; smaller operators work on parameters."""


class Kernels(TorchDispatchMode):
    """Count operators that write a tensor; views are free.

    Attributes:
        total: number of operators.
        passes: number of operators that write tensors as large as images.
    """

    def __init__(self) -> None:
        super().__init__()
        self.total = self.passes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if not (func.is_view or "empty" in func.name()):
            written = [t for t in (out if isinstance(out, (tuple, list)) else [out]) if isinstance(t, torch.Tensor)]
            self.total += bool(written)
            self.passes += any(t.numel() > _LARGE for t in written)
        return out


def counted(run: Run) -> Kernels:
    """Return the kernel counts of one call."""
    with torch.no_grad(), Kernels() as kernels:
        run()
    return kernels
