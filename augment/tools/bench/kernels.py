"""How many operators a call launches in eager mode: on a GPU each is a kernel, and a pass over memory."""

from typing import Any

import torch

from augment.data.private_torch import each_operator
from augment.tools.bench.work import Run

_LARGE = 4096
"""Elements from which on an operator works on pixels; below it works on parameters."""


class Kernels:
    """Counts, called after each operator, those that write a tensor; views are free.

    Attributes:
        total: all of them.
        passes: those that write tensors of the size of images.
    """

    def __init__(self) -> None:
        self.total = self.passes = 0

    def __call__(self, operator: Any, args: tuple, out: Any) -> None:
        if not (operator.is_view or "empty" in operator.name()):
            written = [t for t in (out if isinstance(out, (tuple, list)) else [out]) if isinstance(t, torch.Tensor)]
            self.total += bool(written)
            self.passes += any(t.numel() > _LARGE for t in written)


def counted(run: Run) -> Kernels:
    """The kernels of one call."""
    kernels = Kernels()
    with torch.no_grad(), each_operator(kernels):
        run()
    return kernels
