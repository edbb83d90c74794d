"""The draws of a batch by the kernel of draws.cpp."""

import torch
from torch import Tensor

from augment.data.context import compiling
from augment.data.types import Integer, Noise
from augment.draws.noise import drawn
from augment.kernels.cpu.boundary import require
from augment.kernels.cpu.library import CPU, address, kernels


@drawn.kernel(
    CPU,
    serves=lambda index, seed, epoch, columns: not isinstance(epoch, Tensor) and not compiling(),
    tolerance=0.0,
    reason="One call; torch takes 60 operators, which cost more than the draws of a small batch.",
)
def _(index: Integer[Tensor, " b"], seed: int, epoch: int, columns: int) -> Noise:
    index = index.long().contiguous()
    out = index.new_empty(len(index), columns, dtype=torch.float32)
    require("draw", index=(index, torch.int64, (len(out),)))
    kernels().augment_draw(address(index), seed, epoch, *out.shape, address(out))
    return out
