"""The kernels of `augment.kernels.cuda.finishing`. Importing this imports Triton."""

import triton
import triton.language as tl

from augment.kernels.cuda.chain_triton import chained, luma
from augment.kernels.cuda.storing_triton import store
from augment.kernels.cuda.taps_triton import BYTE, TO_EVEN, clamp, fill_of, sampled
from augment.kernels.cuda.tracing_triton import radii, traced


@triton.jit
def _nearest(pixels, x, y, window, blend, CHANNELS: tl.constexpr):
    """Returns the nearest pixels of three channels, or what is shown where they lie outside."""
    source, channel_stride, row_stride, column_stride = pixels
    top, bottom, left, right = window
    share, rest, colour = blend
    y, x = (clamp(y, top, bottom) + TO_EVEN) - TO_EVEN, (clamp(x, left, right) + TO_EVEN) - TO_EVEN
    at = source + (y.to(tl.int32) * row_stride + x.to(tl.int32) * column_stride)
    one = tl.where(share > 0, tl.load(at).to(tl.float32), fill_of(rest, colour, 0, CHANNELS))
    two, three = one, one
    if CHANNELS == 3:
        second, third = tl.load(at + channel_stride), tl.load(at + 2 * channel_stride)
        two = tl.where(share > 0, second.to(tl.float32), fill_of(rest, colour, 1, CHANNELS))
        three = tl.where(share > 0, third.to(tl.float32), fill_of(rest, colour, 2, CHANNELS))
    return one, two, three


@triton.jit
def _moved(
    i,
    j,
    b,
    image,
    offsets,
    sizes,
    matrices,
    numbers,
    colour,
    strides,
    CHANNELS: tl.constexpr,
    HEIGHT: tl.constexpr,
    WIDTH: tl.constexpr,
    BYTES: tl.constexpr,
    PACKED: tl.constexpr,
    STEPS: tl.constexpr,
    SHOWN: tl.constexpr,
    PROJECTIVE: tl.constexpr,
    NEAREST: tl.constexpr,
    ANTIALIAS: tl.constexpr,
):
    """Returns what a run of warps shows at rows i and columns j of sample b, three channels in [0, 1]."""
    sample_stride, channel_stride, row_stride, column_stride = strides
    if PACKED:
        source, row_stride = image + tl.load(offsets + b), (tl.load(sizes + 2 * b + 1) * CHANNELS).to(tl.int32)
    else:
        source = image + b * sample_stride
    x, y, share, rest, m = traced(matrices + b * STEPS * 9, numbers, i, j, STEPS, SHOWN, PROJECTIVE, NEAREST)
    window, most = numbers + 3 * STEPS, numbers + 3 * STEPS + 4
    pixels = source, channel_stride, row_stride, column_stride
    sides = tl.load(window), tl.load(window + 1), tl.load(window + 2), tl.load(window + 3)
    if NEAREST:
        one, two, three = _nearest(pixels, x, y, sides, (share, rest, colour), CHANNELS)
        if BYTES:
            one, two, three = one * BYTE, two * BYTE, three * BYTE
    else:
        radius_y, radius_x = 1.0, 1.0
        if ANTIALIAS:
            radius_y, radius_x = radii(m, most, HEIGHT, WIDTH, PROJECTIVE)
        if BYTES:
            share *= BYTE
        blend = share, rest, colour
        one, two, three = sampled(0, pixels, (x, y, radius_y, radius_x), sides, blend, CHANNELS, ANTIALIAS)
        if BYTES:
            one, two, three = tl.minimum(one, 1.0), tl.minimum(two, 1.0), tl.minimum(three, 1.0)
    return one, two, three


@triton.jit
def add_up(
    image,
    offsets,
    sizes,
    matrices,  # these are described at `warping_triton.warp`, as are the constants
    numbers,  # (B, 3 STEPS + 6 + MORE): as there, then the numbers of the chain, see `chain_triton.chained`
    colour,
    sums,  # (B, PARTS)
    sample_stride,
    channel_stride,
    row_stride,
    column_stride,
    HEIGHT: tl.constexpr,
    WIDTH: tl.constexpr,
    CHANNELS: tl.constexpr,
    BYTES: tl.constexpr,
    PACKED: tl.constexpr,
    STEPS: tl.constexpr,
    SHOWN: tl.constexpr,
    PROJECTIVE: tl.constexpr,
    NEAREST: tl.constexpr,
    ANTIALIAS: tl.constexpr,
    PIXELS: tl.constexpr,
    CHAIN: tl.constexpr,
    BEFORE: tl.constexpr,  # links of the chain before the one that wants the mean
    ASKED: tl.constexpr,  # place of the number that says whether the sample is chosen there
    MORE: tl.constexpr,
    PARTS: tl.constexpr,
):
    """A program adds up the luma of every PARTS-th block of PIXELS pixels of a sample, if the sample wants its mean."""
    plane: tl.constexpr = HEIGHT * WIDTH
    b = (tl.program_id(0) // PARTS).to(tl.int64)
    part = tl.program_id(0) % PARTS
    numbers += b * (3 * STEPS + 6 + MORE)
    row = numbers + 3 * STEPS + 6
    if tl.load(row + ASKED) > 0:
        total = tl.zeros((PIXELS,), tl.float32)
        for start in range(part * PIXELS, plane, PARTS * PIXELS):
            place = start + tl.arange(0, PIXELS)
            i, j = (place // WIDTH).to(tl.float32), (place % WIDTH).to(tl.float32)
            strides = sample_stride, channel_stride, row_stride, column_stride
            colours = _moved(
                i,
                j,
                b,
                image,
                offsets,
                sizes,
                matrices,
                numbers,
                colour,
                strides,
                CHANNELS,
                HEIGHT,
                WIDTH,
                BYTES,
                PACKED,
                STEPS,
                SHOWN,
                PROJECTIVE,
                NEAREST,
                ANTIALIAS,
            )
            one, two, three = chained(colours, row, (i, j), None, CHAIN, BEFORE, CHANNELS, plane, PARTS)
            total += tl.where(place < plane, luma(one, two, three, CHANNELS), 0.0)
        tl.store(sums + tl.program_id(0), tl.sum(total, 0))


@triton.jit
def finish(
    image,
    offsets,
    sizes,
    matrices,  # as above
    numbers,
    colour,
    sums,  # (B, PARTS), or None if no link wants the mean
    out,  # (B, HEIGHT, WIDTH, CHANNELS)
    sample_stride,
    channel_stride,
    row_stride,
    column_stride,
    HEIGHT: tl.constexpr,
    WIDTH: tl.constexpr,
    CHANNELS: tl.constexpr,
    BYTES: tl.constexpr,
    PACKED: tl.constexpr,
    STEPS: tl.constexpr,
    SHOWN: tl.constexpr,
    PROJECTIVE: tl.constexpr,
    NEAREST: tl.constexpr,
    ANTIALIAS: tl.constexpr,
    PIXELS: tl.constexpr,
    CHAIN: tl.constexpr,
    LINKS: tl.constexpr,
    MORE: tl.constexpr,
    PARTS: tl.constexpr,
):
    """A program computes PIXELS consecutive pixels of one sample, in the order of rows, up to the result."""
    plane: tl.constexpr = HEIGHT * WIDTH
    blocks: tl.constexpr = (plane + PIXELS - 1) // PIXELS
    b = (tl.program_id(0) // blocks).to(tl.int64)
    place = tl.program_id(0) % blocks * PIXELS + tl.arange(0, PIXELS)
    i, j = (place // WIDTH).to(tl.float32), (place % WIDTH).to(tl.float32)
    numbers += b * (3 * STEPS + 6 + MORE)
    strides = sample_stride, channel_stride, row_stride, column_stride
    colours = _moved(
        i,
        j,
        b,
        image,
        offsets,
        sizes,
        matrices,
        numbers,
        colour,
        strides,
        CHANNELS,
        HEIGHT,
        WIDTH,
        BYTES,
        PACKED,
        STEPS,
        SHOWN,
        PROJECTIVE,
        NEAREST,
        ANTIALIAS,
    )
    own = sums
    if PARTS > 0:
        own = sums + b * PARTS
    one, two, three = chained(colours, numbers + 3 * STEPS + 6, (i, j), own, CHAIN, LINKS, CHANNELS, plane, PARTS)
    store(out + b * CHANNELS * plane + place * CHANNELS, 1, 0, one, two, three, place < plane, CHANNELS)
