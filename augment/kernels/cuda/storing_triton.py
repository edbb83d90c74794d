"""How kernels that warp write their values. Importing this imports Triton."""

import triton
import triton.language as tl

from augment.kernels.cuda.taps_triton import TO_EVEN, clamp


@triton.jit
def _put(target, value, kept):
    """Stores a value in the type of the output, bytes rounded."""
    if target.dtype.element_ty == tl.uint8:
        value = clamp((value * 255 + TO_EVEN) - TO_EVEN, 0.0, 255.0).to(tl.int32)
    tl.store(target, value.to(target.dtype.element_ty), kept)


@triton.jit
def store(target, distance, c: tl.constexpr, one, two, three, kept, CHANNELS: tl.constexpr):
    """Stores up to three channels from c on, as many as there are, at a distance of elements from each other."""
    _put(target + c * distance, one, kept)
    if c + 1 < CHANNELS:
        _put(target + (c + 1) * distance, two, kept)
    if c + 2 < CHANNELS:
        _put(target + (c + 2) * distance, three, kept)
