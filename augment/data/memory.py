"""Fresh memory in large pages: the system fills it a page at a time, and 4 KiB pages cost more than what is written."""

import ctypes
import functools
import mmap
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

_LARGE = 2 << 20
"""Bytes of a large page on x86 and Arm."""


def has_memory(tensor: Tensor) -> bool:
    """Whether a tensor lies in this process's memory now: not on a GPU, in a graph that is traced, or in nobody's."""
    # what is not exactly a Tensor, such as a FakeTensor, has none
    return type(tensor) is Tensor and tensor.device.type == "cpu" and not torch.compiler.is_compiling()


def in_large_pages(fresh: Tensor) -> Tensor:
    """The tensor, after asking Linux to back its memory, to which nothing was written yet, by large pages."""
    if not has_memory(fresh):
        return fresh
    start = -(-fresh.data_ptr() // mmap.PAGESIZE) * mmap.PAGESIZE
    end = fresh.data_ptr() + fresh.nbytes
    if sys.platform == "linux" and end - start >= 2 * _LARGE:
        _madvise()(start, end - start, mmap.MADV_HUGEPAGE)  # a hint: where it fails, nothing changes
    return fresh


@functools.cache
def _madvise() -> Callable[..., Any]:
    function = ctypes.CDLL(None).madvise
    function.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return function
