"""The compiled kernels, if there are any."""

import ctypes
import functools
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import torch
from torch import Tensor

_FILES = [file for suffix in EXTENSION_SUFFIXES if (file := Path(__file__).with_name(f"_kernels{suffix}")).exists()]

AVAILABLE = bool(_FILES)
"""Whether the kernels were compiled when the package was installed."""

_POINTER, _LONG, _INT = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int

_ARGUMENTS = {
    "augment_sample": [
        _INT,  # whether the nearest pixel is asked for
        *(_POINTER, _INT, _POINTER, _POINTER, _LONG, _LONG, _LONG, _LONG),  # the source
        *(_POINTER, _POINTER, _POINTER, _POINTER),  # the positions and their strides
        *(_POINTER, _POINTER, _INT),  # windows, radii, whether rows stay rows
        *(_LONG, _LONG, _LONG, _POINTER, _INT),  # the output and threads
    ],
    "augment_carry_out": [_POINTER, _POINTER, _POINTER, _LONG, _LONG, _LONG, _LONG, _POINTER, _INT],
    "augment_filter": [
        *(_POINTER, _POINTER),  # images, which of them
        *(_POINTER, _POINTER, _LONG, _POINTER, _POINTER, _LONG),  # the filters along y and x
        *(_LONG, _LONG, _LONG, _LONG, _POINTER, _INT),  # their shape, the output and threads
    ],
    "augment_move": [_POINTER, _POINTER, _POINTER, _INT, _LONG, _LONG, _LONG, _LONG, _POINTER, _INT],
}


@functools.cache
def kernels() -> ctypes.CDLL:
    """The library, loaded at the first call; only where it is AVAILABLE."""
    library = ctypes.CDLL(str(_FILES[0]))
    for name, types in _ARGUMENTS.items():
        function = getattr(library, name)
        function.argtypes, function.restype = types, None
    return library


def has_values(tensor: Tensor) -> bool:
    """Whether there are numbers to work on, now or when compiled code runs; an exported program stays torch's own."""
    if torch.compiler.is_compiling():
        return not torch.compiler.is_exporting()
    return type(tensor) is Tensor  # and not a FakeTensor


def longs(*values: int) -> ctypes.Array:
    return (_LONG * len(values))(*values)


def address(tensor: Tensor) -> int:
    return tensor.data_ptr()
