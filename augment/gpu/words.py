"""The same as `augment.gpu.taps` for pixels of three bytes side by side, as decoders write them. Imports Triton.

Pixels in a row are read by the aligned words of four bytes that hold them: three reads for three pixels instead of
nine. No word is read that holds none of their bytes, so that nothing outside of the memory is.
"""

import triton
import triton.language as tl

from augment.gpu.taps import clamp, first_of, tap, two_of, weight_of


@triton.jit
def aligned(source):
    """The word that holds a byte, and which of its bytes that is."""
    skew = (source.to(tl.int64) & 3).to(tl.int32)
    return (source - skew).to(tl.pointer_type(tl.uint32), bitcast=True), skew


@triton.jit
def _joint(low, high, place):
    """The four bytes of two words from a place on."""
    both = (high.to(tl.uint64) << 32) | low.to(tl.uint64)
    return (both >> (8 * (place & 3)).to(tl.uint64)).to(tl.uint32)


@triton.jit
def _level(word, n: tl.constexpr):
    return ((word >> (8 * n)) & 255).to(tl.int32).to(tl.float32)


@triton.jit
def _pair(words, place):
    """Two pixels from a byte on."""
    at = words + (place >> 2)
    a, b, c = tl.load(at), tl.load(at + 1), tl.load(at + 2, (place & 3) == 3, other=0)
    a, b = _joint(a, b, place), _joint(b, c, place)
    return _level(a, 0), _level(a, 1), _level(a, 2), _level(a, 3), _level(b, 0), _level(b, 1)


@triton.jit
def _three(words, place):
    """Three pixels from a byte on."""
    at = words + (place >> 2)
    a, b, c = tl.load(at), tl.load(at + 1), tl.load(at + 2)
    a, b, c = _joint(a, b, place), _joint(b, c, place), c >> (8 * (place & 3)).to(tl.uint32)
    r, g, b1, r2 = _level(a, 0), _level(a, 1), _level(a, 2), _level(a, 3)
    return r, g, b1, r2, _level(b, 0), _level(b, 1), _level(b, 2), _level(b, 3), _level(c, 0)


@triton.jit
def interpolate_words(words, skew, row_stride, width, x, y, top, bottom, left, right):
    """Two taps along each axis of images that are at least two pixels wide."""
    row, below, down = two_of(y, top, bottom, row_stride)
    x = clamp(x, left, right)
    column = tl.minimum(tl.floor(x), width - 2.0)
    across = x - column  # 1 at the last column of the image; at the window's, 0 keeps out what lies beside it
    place = row + (column.to(tl.int32) * 3 + skew)
    r, g, b, r2, g2, b2 = _pair(words, place)
    one, two, three = r + across * (r2 - r), g + across * (g2 - g), b + across * (b2 - b)
    r, g, b, r2, g2, b2 = _pair(words, place + below)
    one += down * (r + across * (r2 - r) - one)
    two += down * (g + across * (g2 - g) - two)
    three += down * (b + across * (b2 - b) - three)
    return one, two, three


@triton.jit
def filter_words(words, skew, row_stride, width, x, y, radius_y, radius_x, top, bottom, left, right):
    """As many taps as the radii ask for, three columns at once, of images that are at least three pixels wide."""
    inverse_y, inverse_x = 1 / radius_y, 1 / radius_x
    y, first_y = first_of(y, radius_y, top, bottom)
    x, first_x = first_of(x, radius_x, left, right)
    rows, columns = tl.ceil(2 * radius_y).to(tl.int32), tl.ceil(2 * radius_x).to(tl.int32)
    first_x = tl.maximum(tl.minimum(first_x, width - columns.to(tl.float32)), 0.0)
    total = tl.zeros_like(x)
    one, two, three = total, total, total
    for across in range(0, columns, 3):
        start = first_x + across
        column = tl.minimum(start, width - 3.0)  # those before the start were counted
        start = tl.maximum(start, left)
        a = weight_of(x, column, inverse_x, start, right)
        b = weight_of(x, column + 1, inverse_x, start, right)
        c = weight_of(x, column + 2, inverse_x, start, right)
        place = column.to(tl.int32) * 3 + skew
        for down in range(rows):
            row, weight = tap(y, first_y + down, inverse_y, top, bottom, row_stride)
            r, g, b1, r2, g2, b2, r3, g3, b3 = _three(words, place + row)
            one += weight * (a * r + b * r2 + c * r3)
            two += weight * (a * g + b * g2 + c * g3)
            three += weight * (a * b1 + b * b2 + c * b3)
            total += weight * (a + b + c)
    share = 1 / total
    return one * share, two * share, three * share
