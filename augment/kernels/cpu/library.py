"""The compiled kernels, if there are any."""

import ctypes
import functools
from collections.abc import Callable, Sequence
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import torch
from torch import Tensor

from augment.data.context import compiling, exporting, on_cpu, recorded
from augment.data.memory import has_memory
from augment.data.operator import Backend

_FILES = [file for suffix in EXTENSION_SUFFIXES if (file := Path(__file__).with_name(f"_kernels{suffix}")).exists()]

AVAILABLE = bool(_FILES)
"""Whether the kernels were compiled when the package was installed."""

_POINTER, _LONG, _INT, _FLOAT = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int, ctypes.c_float

_INTERFACE = 3
"""Changes with the arguments of any kernel, together with machine.h's: an older library would read them wrongly."""

_SOURCE = [_POINTER, _INT, _POINTER, _POINTER, _POINTER, _LONG, _LONG, _LONG, _LONG]

_ARGUMENTS = {
    "augment_draw": [_POINTER, _LONG, _LONG, _LONG, _LONG, _POINTER],
    "augment_sample": [
        _INT,  # whether the nearest pixel is asked for
        *_SOURCE,
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
    "augment_jpeg": [
        *(_POINTER, _POINTER, _POINTER, _INT),  # images, which of them, tables, whether channels lie together
        *(_LONG, _LONG, _LONG, _LONG, _POINTER, _INT),  # their shape, the output and threads
    ],
    "augment_count": [_POINTER, _INT, _LONG, _LONG, _LONG, _POINTER, _INT],
    "augment_look_up": [_POINTER, _POINTER, _INT, _LONG, _LONG, _LONG, _POINTER, _INT],
    "augment_erase": [_POINTER, _POINTER, _FLOAT, _INT, _LONG, _LONG, _LONG, _LONG, _POINTER, _INT],
    "augment_sharpen": [_POINTER, _POINTER, _INT, _LONG, _LONG, _LONG, _LONG, _POINTER, _INT],
    "augment_overlay": [
        *(_POINTER, _POINTER, _POINTER, _POINTER, _POINTER),  # images, others, partners, shares, rectangles
        *(_INT, _LONG, _LONG, _LONG, _LONG, _POINTER, _INT),  # whether channels lie together, shape, output and threads
    ],
    "augment_move": [_POINTER, _POINTER, _POINTER, _INT, _LONG, _LONG, _LONG, _LONG, _POINTER, _INT],
    "augment_warp": [
        *_SOURCE,
        *(_POINTER, _POINTER),  # windows, radii
        *(_LONG, _POINTER, _POINTER, _POINTER),  # the steps: how many, their matrices, sizes and fill values
        *(_LONG, _LONG, _LONG, _POINTER, _INT),  # the output and threads
    ],
}


@functools.cache
def kernels() -> ctypes.CDLL:
    """The library, loaded at the first call; only where it is AVAILABLE.

    Raises:
        RuntimeError: it was compiled from other sources than these.
    """
    library = ctypes.CDLL(str(_FILES[0]))
    if not hasattr(library, "augment_interface") or library.augment_interface() != _INTERFACE:
        raise RuntimeError(f"{_FILES[0]} was compiled from an older version: install again with pip install -e .")
    for name, types in _ARGUMENTS.items():
        function = getattr(library, name)
        function.argtypes, function.restype = types, None
    return library


def takes(tensors: Sequence[Tensor]) -> bool:
    """Whether kernels can work on tensors, now or when compiled code runs: on a CPU, without a gradient."""
    here = all(on_cpu(tensor.device) for tensor in tensors) if compiling() else all(map(has_memory, tensors))
    return here and not recorded(tensors)


CPU = Backend("C++ on a CPU", ready=lambda device: AVAILABLE and on_cpu(device) and not exporting(), takes=takes)

UNCOMPILED = Backend(
    "torch on a CPU, called by compiled code",
    ready=lambda device: compiling() and on_cpu(device) and not exporting(),
    takes=takes,
)
"""Runs a definition in eager mode inside of compiled code, as one operator. It works on the chosen samples only."""


def missing() -> list[tuple[str, str]]:
    """The problem and its remedy where the kernels were not compiled."""
    if AVAILABLE:
        return []
    problem = "augment's CPU kernels were not compiled during installation, and torch's are several times slower"
    remedy = "install g++, then reinstall this package: pip install --force-reinstall --no-deps --no-cache-dir ..."
    return [(problem, remedy)]


def is_bytes(image: object) -> bool:
    """Whether an image is one tensor of bytes."""
    return isinstance(image, Tensor) and image.dtype == torch.uint8


def all_chosen(image: Tensor, chosen: Tensor | None) -> Tensor:
    """(B,) which samples to work on."""
    return torch.ones(image.shape[0], dtype=torch.bool) if chosen is None else chosen


def compiled_call(name: str, fake: Callable[..., Tensor]) -> Callable[[Callable[..., Tensor]], Callable[..., Tensor]]:
    """Has compiled code call a function as an operator, which it leaves alone; in eager mode that loads the compiler.

    Args:
        name: of the operator, in torch's namespace `augment`.
        fake: what comes out, from the same arguments, without computing it.

    Returns:
        A decorator; the operator is its result's attribute `operator`.
    """

    def decorated(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        registered = torch.library.custom_op(f"augment::{name}", mutates_args=())(function)
        registered.register_fake(fake)

        @functools.wraps(function)
        def call(*args: object) -> Tensor:
            return registered(*args) if torch.compiler.is_compiling() else function(*args)

        call.operator = registered
        return call

    return decorated


def interleaved(image: Tensor) -> bool:
    """Whether the channels of a pixel lie together.

    Compiled code asks while it is traced and hands it to the kernel, as it may order what it computes otherwise.
    """
    return not image.is_contiguous() and image.is_contiguous(memory_format=torch.channels_last)


def in_order(together: bool) -> torch.memory_format:
    return torch.channels_last if together else torch.contiguous_format


def floats_like(image: Tensor, together: bool) -> Tensor:
    """Memory for as many floats, in an order."""
    return torch.empty_like(image, dtype=torch.float32, memory_format=in_order(together))


def longs(*values: int) -> ctypes.Array:
    return (_LONG * len(values))(*values)


def floats(*values: float) -> ctypes.Array:
    return (_FLOAT * len(values))(*values)


def address(tensor: Tensor) -> int:
    return tensor.data_ptr()
