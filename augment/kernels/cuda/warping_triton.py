"""The kernel of `augment.kernels.cuda.warping`. Importing this imports Triton."""

import triton
import triton.language as tl

from augment.kernels.cuda.storing_triton import store
from augment.kernels.cuda.taps_triton import BYTE, TO_EVEN, clamp, fill_of, sampled
from augment.kernels.cuda.tracing_triton import radii, traced


@triton.jit
def warp(
    image,  # (B, C, height, width) in any memory order, or the bytes of packed images
    offsets,  # (B,) int64, start of each packed image in elements
    sizes,  # (B, 2) int64, height and width of packed images
    matrices,  # (B, STEPS, 3, 3): positions in a step's output -> positions in its input
    # (B, 3 STEPS + 6): height, width and fill value of each step's input; then the first and last row, the first and
    # last column that may be read, and the largest filter radius along y and x in source pixels
    numbers,
    colour,  # (C,) that all steps show outside their inputs, whose fill value is then 1; None for one number per step
    out,  # (B, C, height, width)
    sample_stride,
    channel_stride,
    row_stride,
    column_stride,
    HEIGHT: tl.constexpr,  # of the output, like WIDTH; constants, because dividing by a variable is slow
    WIDTH: tl.constexpr,
    CHANNELS: tl.constexpr,
    BYTES: tl.constexpr,
    PACKED: tl.constexpr,
    STEPS: tl.constexpr,
    SHOWN: tl.constexpr,  # bit s: step s shows its fill value outside its input
    PROJECTIVE: tl.constexpr,
    NEAREST: tl.constexpr,
    ANTIALIAS: tl.constexpr,
    PIXELS: tl.constexpr,
):
    """A program computes PIXELS consecutive pixels of one sample, in the order of rows."""
    plane: tl.constexpr = HEIGHT * WIDTH
    blocks: tl.constexpr = (plane + PIXELS - 1) // PIXELS
    b = (tl.program_id(0) // blocks).to(tl.int64)
    place = tl.program_id(0) % blocks * PIXELS + tl.arange(0, PIXELS)
    kept = place < plane
    i, j = (place // WIDTH).to(tl.float32), (place % WIDTH).to(tl.float32)

    if PACKED:
        source, row_stride = image + tl.load(offsets + b), (tl.load(sizes + 2 * b + 1) * CHANNELS).to(tl.int32)
    else:
        source = image + b * sample_stride
    # if Triton knew that these are contiguous, it would exchange values between threads through shared memory
    target = out + b * CHANNELS * plane + tl.max_contiguous(place, 1)

    numbers += b * (3 * STEPS + 6)
    x, y, share, rest, m = traced(matrices + b * STEPS * 9, numbers, i, j, STEPS, SHOWN, PROJECTIVE, NEAREST)
    window, most = numbers + 3 * STEPS, numbers + 3 * STEPS + 4
    top, bottom, left, right = tl.load(window), tl.load(window + 1), tl.load(window + 2), tl.load(window + 3)
    if NEAREST:
        y, x = (clamp(y, top, bottom) + TO_EVEN) - TO_EVEN, (clamp(x, left, right) + TO_EVEN) - TO_EVEN
        at = source + (y.to(tl.int32) * row_stride + x.to(tl.int32) * column_stride)
        for channel in tl.static_range(CHANNELS):
            value = tl.load(at + channel * channel_stride)
            value = tl.where(share > 0, value, fill_of(rest, colour, channel, CHANNELS).to(value.dtype))
            tl.store(target + channel * plane, value, kept)
    else:
        radius_y, radius_x = 1.0, 1.0
        if ANTIALIAS:
            radius_y, radius_x = radii(m, most, HEIGHT, WIDTH, PROJECTIVE)
        if BYTES:
            share *= BYTE
        pixels, spot = (source, channel_stride, row_stride, column_stride), (x, y, radius_y, radius_x)
        sides, blend = (top, bottom, left, right), (share, rest, colour)
        for c in tl.static_range(0, CHANNELS, 3):
            one, two, three = sampled(c, pixels, spot, sides, blend, CHANNELS, ANTIALIAS)
            if BYTES:
                one, two, three = tl.minimum(one, 1.0), tl.minimum(two, 1.0), tl.minimum(three, 1.0)
            store(target, plane, c, one, two, three, kept, CHANNELS)
