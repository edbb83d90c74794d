"""Kernels for a CPU in C++, for operators that are several times slower in torch and in compiled code.

They are optional: if they could not be compiled when the package was installed, the operators run in torch. Tests
compare each kernel with the definition in torch.
"""

from augment.kernels.cpu import (
    coloring,
    draws,
    filtering,
    jpeg,
    levels,
    ordering,
    overlay,
    policy_step,
    sampling,
    warping,
)

__all__ = [
    "coloring",
    "draws",
    "filtering",
    "jpeg",
    "levels",
    "ordering",
    "overlay",
    "policy_step",
    "sampling",
    "warping",
]
