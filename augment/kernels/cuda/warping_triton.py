"""The kernel of `augment.kernels.cuda.warping`. Importing this imports Triton."""

import triton
import triton.language as tl

from augment.kernels.cuda.taps_triton import BYTE, TO_EVEN, clamp, fill_of, interpolate, weigh


@triton.jit
def _cover(position, extent):
    """Returns how much of a unit tent at a position lies in [0, extent): 1 inside, 0 from one pixel outside on."""
    return clamp(tl.minimum(position + 1, extent - position), 0.0, 1.0)


@triton.jit
def _inside(position, extent):
    return (position >= -0.5) & (position < extent - 0.5)


@triton.jit
def _length(x, y, most):
    return tl.maximum(tl.minimum(tl.sqrt(x * x + y * y), most), 1.0)


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

    # from the output back to the source; the fill value of a later step covers what earlier steps show
    m = matrices + b * STEPS * 9
    numbers += b * (3 * STEPS + 6)
    share, rest = tl.full((PIXELS,), 1.0, tl.float32), tl.zeros((PIXELS,), tl.float32)
    for s in tl.static_range(STEPS - 1, -1, -1):
        a, d = tl.load(m + 9 * s), tl.load(m + 9 * s + 3)
        e, f = tl.load(m + 9 * s + 1), tl.load(m + 9 * s + 4)
        g, h = tl.load(m + 9 * s + 2), tl.load(m + 9 * s + 5)
        p, q, r = 0.0, 0.0, 1.0
        if PROJECTIVE:
            p, q, r = tl.load(m + 9 * s + 6), tl.load(m + 9 * s + 7), tl.load(m + 9 * s + 8)
        if s == STEPS - 1:
            m00, m01, m02, m10, m11, m12, m20, m21, m22 = a, e, g, d, f, h, p, q, r
        else:
            n00, n01, n02 = a * m00 + e * m10 + g * m20, a * m01 + e * m11 + g * m21, a * m02 + e * m12 + g * m22
            n10, n11, n12 = d * m00 + f * m10 + h * m20, d * m01 + f * m11 + h * m21, d * m02 + f * m12 + h * m22
            if PROJECTIVE:
                n20, n21, n22 = p * m00 + q * m10 + r * m20, p * m01 + q * m11 + r * m21, p * m02 + q * m12 + r * m22
                m20, m21, m22 = n20, n21, n22
            m00, m01, m02, m10, m11, m12 = n00, n01, n02, n10, n11, n12
        x, y = m00 * j + (m01 * i + m02), m10 * j + (m11 * i + m12)
        if PROJECTIVE:
            w = m20 * j + (m21 * i + m22)
            x, y = x / w, y / w
        if (SHOWN >> s) & 1:
            tall, wide, fill = tl.load(numbers + 3 * s), tl.load(numbers + 3 * s + 1), tl.load(numbers + 3 * s + 2)
            if NEAREST:
                cover = (_inside(x, wide) & _inside(y, tall)).to(tl.float32)
            else:
                cover = _cover(x, wide) * _cover(y, tall)
            rest += share * fill * (1 - cover)
            share *= cover

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
        if ANTIALIAS:  # the length of the row of an axis in the Jacobian at the centre of the output, as `footprint_of`
            half_x, half_y = (WIDTH - 1) * 0.5, (HEIGHT - 1) * 0.5
            u, v, over = m00 * half_x + m01 * half_y + m02, m10 * half_x + m11 * half_y + m12, 1.0
            if PROJECTIVE:
                over = 1 / (m20 * half_x + m21 * half_y + m22)
                u, v = u * over, v * over
            radius_y = _length((m10 - v * m20) * over, (m11 - v * m21) * over, tl.load(most))
            radius_x = _length((m00 - u * m20) * over, (m01 - u * m21) * over, tl.load(most + 1))
        if BYTES:
            share *= BYTE
        pixels = source, channel_stride, row_stride, column_stride
        sides, blend = (top, bottom, left, right), (share, rest, colour, kept)
        if radius_y + radius_x <= 2:
            interpolate(target, plane, pixels, x, y, sides, blend, CHANNELS, BYTES)
        else:
            weigh(target, plane, pixels, x, y, radius_y, radius_x, sides, blend, CHANNELS, BYTES)
