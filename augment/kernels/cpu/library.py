"""The compiled library of kernels: whether there is one, its functions, and how to call them."""

import ctypes
import functools
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from augment.data.context import compiling, exporting, on_cpu, recorded
from augment.data.memory import has_memory
from augment.data.operator import Backend

_FILES = [file for suffix in EXTENSION_SUFFIXES if (file := Path(__file__).with_name(f"_kernels{suffix}")).exists()]

AVAILABLE = bool(_FILES)
"""Whether the kernels were compiled when the package was installed."""

_POINTER, _LONG, _INT, _FLOAT = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int, ctypes.c_float

_INTERFACE = 6
"""Must change, here and in machine.h, with the arguments of any function: an older library would misread them."""

_SOURCE = [_POINTER, _INT, _POINTER, _POINTER, _POINTER, _LONG, _LONG, _LONG, _LONG]

_ARGUMENTS = {
    "augment_draw": [_POINTER, _LONG, _LONG, _LONG, _LONG, _POINTER],
    "augment_sample": [
        _INT,  # 1 for the nearest pixel, 0 for bilinear interpolation
        *_SOURCE,
        *(_POINTER, _POINTER, _POINTER, _POINTER),  # the positions and their strides
        *(_POINTER, _POINTER, _INT),  # windows, radii, whether rows stay rows and columns stay columns
        _INT,  # whether the output is channels_last, only for three channels where rows stay rows
        *(_LONG, _LONG, _LONG, _POINTER, _INT),  # the output and threads
    ],
    "augment_carry_out": [_POINTER, _POINTER, _POINTER, _LONG, _LONG, _LONG, _LONG, _POINTER, _INT],
    "augment_filter": [
        *(_POINTER, _INT, _LONG, _LONG, _POINTER),  # as for augment_in_order, which images are filtered
        *(_POINTER, _POINTER, _LONG, _POINTER, _POINTER, _LONG),  # the filters along y and x
        *(_LONG, _LONG, _LONG, _LONG, _POINTER, _INT),  # their shape, the output and threads
    ],
    "augment_jpeg": [
        *(_POINTER, _POINTER, _POINTER, _INT),  # images, which of them, tables, whether images are channels_last
        *(_LONG, _LONG, _LONG, _LONG, _POINTER, _INT),  # their shape, the output and threads
    ],
    "augment_count": [_POINTER, _INT, _LONG, _LONG, _LONG, _POINTER, _INT],
    "augment_look_up": [_POINTER, _POINTER, _INT, _LONG, _LONG, _LONG, _POINTER, _INT],
    "augment_erase": [_POINTER, _INT, _POINTER, _FLOAT, _INT, _LONG, _LONG, _LONG, _LONG, _POINTER, _INT],
    "augment_sharpen": [_POINTER, _POINTER, _INT, _LONG, _LONG, _LONG, _LONG, _POINTER, _INT],
    "augment_overlay": [
        *(_POINTER, _POINTER, _POINTER, _POINTER, _POINTER),  # images, others, partners, shares, rectangles
        *(_INT, _LONG, _LONG, _LONG, _LONG, _POINTER, _INT),  # whether channels_last, shape, output and threads
    ],
    "augment_in_order": [
        *(_POINTER, _INT, _LONG, _LONG),  # the planes, whether floats, values from image to image and pixel to pixel
        *(_POINTER, _POINTER, _LONG, _LONG, _LONG, _POINTER, _INT),  # mean and factor, shape, output and threads
    ],
    "augment_adjust_color": [
        *(_POINTER, _INT, _LONG, _LONG),  # as for augment_in_order
        *(_POINTER, _POINTER, _POINTER, _INT, _INT),  # which images, steps, amounts, how many steps, channels_last
        *(_LONG, _LONG, _POINTER, _INT),  # number of images and of their pixels, output and threads
    ],
    "augment_move": [_POINTER, _POINTER, _POINTER, _POINTER, _LONG, _LONG, _LONG, _LONG, _POINTER, _INT],
    "augment_warp": [
        *_SOURCE,
        *(_POINTER, _POINTER),  # windows, radii
        *(_LONG, _POINTER, _POINTER, _POINTER),  # the steps: how many, their matrices, sizes and fill values by channel
        *(_LONG, _LONG, _LONG, _POINTER, _INT),  # the output and threads
    ],
}


@functools.cache
def kernels() -> ctypes.CDLL:
    """Returns the library, which the first call loads; only if it is AVAILABLE.

    Raises:
        RuntimeError: the library was compiled from an older version of the sources.
    """
    library = ctypes.CDLL(str(_FILES[0]))
    if not hasattr(library, "augment_interface") or library.augment_interface() != _INTERFACE:
        raise RuntimeError(f"{_FILES[0]} was compiled from an older version: install again with pip install -e .")
    for name, types in _ARGUMENTS.items():
        function = getattr(library, name)
        function.argtypes, function.restype = types, None
    return library


def takes(tensors: Sequence[Tensor]) -> bool:
    """Whether kernels can read tensors, now or when compiled code runs: on a CPU, without recording gradients."""
    here = all(on_cpu(tensor.device) for tensor in tensors) if compiling() else all(map(has_memory, tensors))
    return here and not recorded(tensors)


def installed() -> bool:
    """Whether the kernels were compiled; if not, the first eager call that would have used one warns."""
    if not AVAILABLE and not compiling():
        _warn()
    return AVAILABLE


def _warn() -> None:
    (problem, remedy), *_ = missing()
    warnings.warn(f"{problem}; {remedy}", RuntimeWarning, stacklevel=1)  # Python shows a warning of one place once


CPU = Backend("C++ on a CPU", ready=lambda device: on_cpu(device) and not exporting(), takes=takes, installed=installed)

EAGER = Backend(
    "C++ on a CPU, in eager mode",
    ready=lambda device: on_cpu(device) and not compiling() and not exporting(),
    takes=takes,
    installed=installed,
)
"""For what compiled code fuses into the loop that computes the pixels."""

UNCOMPILED = Backend(
    "torch on a CPU, called by compiled code",
    ready=lambda device: compiling() and on_cpu(device) and not exporting(),
    takes=takes,
)
"""Compiled code calls a definition as one operator, which runs in eager mode and on the chosen samples only."""


def missing() -> list[tuple[str, str]]:
    """Returns the problem and its remedy if the kernels were not compiled, otherwise nothing."""
    if AVAILABLE:
        return []
    problem = "augment's CPU kernels were not compiled during installation, and torch's are several times slower"
    return [(problem, _remedy())]


@functools.cache
def _remedy() -> str:
    root = Path(__file__).resolve().parents[3]
    checkout = (root / "pyproject.toml").is_file()
    source = f'-e "{root}"' if checkout else "--no-cache-dir --force-reinstall augment-inside"
    return f"install g++, then run: {sys.executable} -m pip install --no-deps {source}"


def is_bytes(image: object) -> bool:
    """Whether an image is one tensor of bytes."""
    return isinstance(image, Tensor) and image.dtype == torch.uint8


def all_chosen(image: Tensor, chosen: Tensor | None) -> Tensor:
    """Returns `chosen` (B,), or all True if it is None."""
    return torch.ones(image.shape[0], dtype=torch.bool) if chosen is None else chosen


def compiled_call(name: str, fake: Callable[..., Tensor]) -> Callable[[Callable[..., Tensor]], Callable[..., Tensor]]:
    """Makes compiled code call a function as a custom operator, which the tracer does not look into.

    Eager code calls the function itself, because a custom operator would load the compiler.

    Args:
        name: name of the operator in torch's namespace `augment`.
        fake: returns an empty tensor like the result, from the same arguments.

    Returns:
        A decorator; the operator is the attribute `operator` of its result.
    """

    def decorated(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        registered = torch.library.custom_op(f"augment::{name}", mutates_args=())(function)
        registered.register_fake(fake)

        @functools.wraps(function)
        def call(*args: object) -> Tensor:
            return registered(*args) if torch.compiler.is_compiling() else function(*args)

        with_operator: Any = call
        with_operator.operator = registered
        return with_operator

    return decorated


def interleaved(image: Tensor) -> bool:
    """Whether an image is channels_last.

    It is decided while code is traced and passed to the kernel, because compiled code may change the memory order.
    """
    return not image.is_contiguous() and image.is_contiguous(memory_format=torch.channels_last)


def in_order(channels_last: bool) -> torch.memory_format:
    return torch.channels_last if channels_last else torch.contiguous_format


def floats_like(image: Tensor, channels_last: bool) -> Tensor:
    """Returns an empty float32 tensor of the same shape, channels_last or contiguous."""
    return torch.empty_like(image, dtype=torch.float32, memory_format=in_order(channels_last))


def longs(*values: int) -> ctypes.Array:
    return (_LONG * len(values))(*values)


def floats(*values: float) -> ctypes.Array:
    return (_FLOAT * len(values))(*values)


def bytes_of(*values: int) -> ctypes.Array:
    return (ctypes.c_uint8 * len(values))(*values)


def address(tensor: Tensor) -> int:
    return tensor.data_ptr()
