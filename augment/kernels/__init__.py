"""The operators: each is defined in torch (`reference`), and some have kernels in C++ (`cpu`) or Triton (`cuda`).

A backend registers its kernels when it is imported, which this module does.
"""

from augment.kernels import cpu, cuda

__all__ = ["cpu", "cuda", "missing"]


def missing() -> list[tuple[str, str]]:
    """Returns pairs of a problem and its remedy, for kernels that should be installed on this machine but are not."""
    return cpu.library.missing()
