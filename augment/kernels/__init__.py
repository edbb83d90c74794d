"""The operators: defined in torch (`reference`), some of them with kernels in C++ (`cpu`) or Triton (`cuda`).

A backend registers its kernels when it is imported, which happens here: a further backend is one folder and one line.
"""

from augment.kernels import cpu, cuda

__all__ = ["cpu", "cuda", "missing"]


def missing() -> list[tuple[str, str]]:
    """What is missing on this machine of the kernels that are worth having, and the remedy."""
    return cpu.library.missing()
