"""Whether kernels in Triton can be used, as `augment.native.library` says it of those for a CPU."""

import importlib.util

from torch import Tensor

from augment.tracing import exporting, recorded

AVAILABLE = importlib.util.find_spec("triton") is not None
"""Whether Triton is installed, as it is with torch for Linux."""


def serves(*tensors: Tensor) -> bool:
    """Whether they are on a GPU, and nobody asks for a gradient. An exported program stays torch's own."""
    return tensors[0].device.type == "cuda" and AVAILABLE and not recorded(tensors) and not exporting()
