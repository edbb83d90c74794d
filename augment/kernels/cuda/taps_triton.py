"""Interpolation for the kernels that warp: the taps around a position. Importing this imports Triton.

Three channels are computed at once, because their reads then overlap.
"""

import triton
import triton.language as tl

BYTE = tl.constexpr(1 / 255)
"""Factor from bytes to floats in [0, 1], as `pixels.BYTE`."""

TO_EVEN = tl.constexpr(1.5 * 2**23)
"""Adding and subtracting it rounds a float32 below 2**22 to the nearest whole number, halves to even."""


@triton.jit
def clamp(value, low, high):
    """Clamps to [low, high]; NaN becomes `low`."""
    return tl.minimum(tl.maximum(value, low), high)


@triton.jit
def _two(position, low, high, stride):
    """Returns the offset of the first of two bilinear taps, the distance to the second, and the second's weight."""
    position = clamp(position, low, high)
    first = tl.floor(position)
    return first.to(tl.int32) * stride, tl.where(first < high, stride, 0), position - first


@triton.jit
def _first(position, radius, low, high):
    """Returns the position clamped to the window, and the first pixel with a weight."""
    position = clamp(position, low - 0.5, high + 0.5)
    return position, tl.floor(position - radius) + 1


@triton.jit
def _tap(position, pixel, inverse, low, high, stride):
    """Returns the offset of a tap and its weight, which is 0 outside the window."""
    weight = tl.maximum(1 - tl.abs(position - pixel) * inverse, 0.0)
    weight = tl.where((pixel >= low) & (pixel <= high), weight, 0.0)
    return clamp(pixel, low, high).to(tl.int32) * stride, weight


@triton.jit
def _level(at):
    """Loads without a mask, because every tap is clamped to the window."""
    return tl.load(at).to(tl.float32)


@triton.jit
def _between(at, right, below, across, down):
    """Interpolates between a pixel and its neighbours to the right, below and diagonally."""
    first, second = _level(at), _level(at + below)
    first += across * (_level(at + right) - first)
    second += across * (_level(at + (below + right)) - second)
    return first + down * (second - first)


@triton.jit
def fill_of(outside, colour, c: tl.constexpr, CHANNELS: tl.constexpr):
    """Returns what is added to channel c: what lies outside, times the colour of the channel if there is one."""
    if colour is None or c >= CHANNELS:
        return outside
    else:
        return outside * tl.load(colour + c)


@triton.jit
def sampled(c: tl.constexpr, pixels, place, window, blend, CHANNELS: tl.constexpr, ANTIALIAS: tl.constexpr):
    """Returns values of three channels from c on; those that are not there repeat another.

    Arguments:
        c: the first channel.
        pixels: start of the image, and the strides of channels, rows and columns in elements.
        place: positions x and y, and filter radii along y and x, in pixels.
        window: first and last row, first and last column that may be read.
        blend: factor of the values, what is added to them, and the colour that multiplies it or None.
        ANTIALIAS: whether the radii may exceed 1.
    """
    x, y, radius_y, radius_x = place
    if ANTIALIAS:
        if radius_y + radius_x <= 2:
            one, two, three = _interpolated(c, pixels, x, y, window, blend, CHANNELS)
        else:
            one, two, three = _weighed(c, pixels, place, window, blend, CHANNELS)
    else:
        one, two, three = _interpolated(c, pixels, x, y, window, blend, CHANNELS)
    return one, two, three


@triton.jit
def _interpolated(c: tl.constexpr, pixels, x, y, window, blend, CHANNELS: tl.constexpr):
    """Returns values interpolated bilinearly, by two taps along each axis."""
    source, channel_stride, row_stride, column_stride = pixels
    top, bottom, left, right = window
    share, rest, colour = blend
    row, below, down = _two(y, top, bottom, row_stride)
    column, beside, across = _two(x, left, right, column_stride)
    first = source + (row + column) + c * channel_stride
    one = _between(first, beside, below, across, down)
    two, three = one, one
    if c + 1 < CHANNELS:
        two = _between(first + channel_stride, beside, below, across, down)
    if c + 2 < CHANNELS:
        three = _between(first + 2 * channel_stride, beside, below, across, down)
    one = one * share + fill_of(rest, colour, c, CHANNELS)
    two = two * share + fill_of(rest, colour, c + 1, CHANNELS)
    three = three * share + fill_of(rest, colour, c + 2, CHANNELS)
    return one, two, three


@triton.jit
def _weighed(c: tl.constexpr, pixels, place, window, blend, CHANNELS: tl.constexpr):
    """Returns the same with as many taps as the filter radii require."""
    source, channel_stride, row_stride, column_stride = pixels
    x, y, radius_y, radius_x = place
    top, bottom, left, right = window
    share, rest, colour = blend
    inverse_y, inverse_x = 1 / radius_y, 1 / radius_x
    y, first_y = _first(y, radius_y, top, bottom)
    x, first_x = _first(x, radius_x, left, right)
    rows, columns = tl.ceil(2 * radius_y).to(tl.int32), tl.ceil(2 * radius_x).to(tl.int32)
    at = source + c * channel_stride
    total = tl.zeros_like(x)
    one, two, three = total, total, total
    for down in range(rows):
        row, row_weight = _tap(y, first_y + down, inverse_y, top, bottom, row_stride)
        for across in range(columns):
            column, weight = _tap(x, first_x + across, inverse_x, left, right, column_stride)
            weight *= row_weight
            total += weight
            one += weight * _level(at + (row + column))
            if c + 1 < CHANNELS:
                two += weight * _level(at + channel_stride + (row + column))
            if c + 2 < CHANNELS:
                three += weight * _level(at + 2 * channel_stride + (row + column))
    scaled = share / total
    one = one * scaled + fill_of(rest, colour, c, CHANNELS)
    two = two * scaled + fill_of(rest, colour, c + 1, CHANNELS)
    three = three * scaled + fill_of(rest, colour, c + 2, CHANNELS)
    return one, two, three
