"""Counts the operators that a call launches in eager mode; on a GPU each is a kernel and a pass over memory."""

from typing import Any

import torch

from augment.data.private_torch import each_operator
from augment.tools.bench.work import Run

_LARGE = 4096
"""Minimum number of elements of an operator that works on pixels; smaller operators work on parameters."""


class Kernels:
    """Count operators that write a tensor; called after each operator. Views are free.

    Attributes:
        total: number of operators.
        passes: number of operators that write tensors as large as images.
    """

    def __init__(self) -> None:
        self.total = self.passes = 0

    def __call__(self, operator: Any, args: tuple, out: Any) -> None:
        if not (operator.is_view or "empty" in operator.name()):
            written = [t for t in (out if isinstance(out, (tuple, list)) else [out]) if isinstance(t, torch.Tensor)]
            self.total += bool(written)
            self.passes += any(t.numel() > _LARGE for t in written)


def counted(run: Run) -> Kernels:
    """Return the kernel counts of one call."""
    kernels = Kernels()
    with torch.no_grad(), each_operator(kernels):
        run()
    return kernels
