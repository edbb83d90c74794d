"""Large pages for new tensors: the system zeroes memory page by page, and 4 KiB pages cost more than the writes."""

import ctypes
import functools
import mmap
import sys
from collections.abc import Callable
from typing import Any

from torch import Tensor

from augment.data.context import compiling, on_cpu

_LARGE = 2 << 20
"""Size of a large page in bytes on x86 and Arm."""


def has_memory(tensor: Tensor) -> bool:
    """Whether a tensor has CPU memory that can be read now; false for GPU, traced and fake tensors."""
    # subclasses such as FakeTensor may have no memory
    return type(tensor) is Tensor and on_cpu(tensor.device) and not compiling()


def in_large_pages(fresh: Tensor) -> Tensor:
    """Asks Linux to back the unwritten memory of a tensor with large pages and returns the tensor."""
    if not has_memory(fresh):
        return fresh
    start = -(-fresh.data_ptr() // mmap.PAGESIZE) * mmap.PAGESIZE
    end = fresh.data_ptr() + fresh.nbytes
    if sys.platform == "linux" and end - start >= 2 * _LARGE:
        _madvise()(start, end - start, mmap.MADV_HUGEPAGE)  # only a hint, so a failure does no harm
    return fresh


@functools.cache
def _madvise() -> Callable[..., Any]:
    function = ctypes.CDLL(None).madvise
    function.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return function
