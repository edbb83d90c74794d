"""The kernel of `augment.gpu.warping`. Importing this imports Triton."""

import triton
import triton.language as tl

_BYTE = tl.constexpr(1 / 255)
_TO_EVEN = tl.constexpr(1.5 * 2**23)
"""Added and taken away again, it leaves a float32 below 2**22 rounded to the nearest whole number, halves to even."""


@triton.jit
def _clamp(value, low, high):
    """NaN becomes `low`."""
    return tl.minimum(tl.maximum(value, low), high)


@triton.jit
def _cover(position, extent):
    """How much of a unit tent at a position lies inside [0, extent)."""
    return _clamp(tl.minimum(position + 1, extent - position), 0.0, 1.0)


@triton.jit
def _inside(position, extent):
    return (position >= -0.5) & (position < extent - 0.5)


@triton.jit
def _length(x, y, most):
    return tl.maximum(tl.minimum(tl.sqrt(x * x + y * y), most), 1.0)


@triton.jit
def _two(position, low, high, stride):
    """Of two bilinear taps: where the first stands, how far on the second does, and its weight."""
    position = _clamp(position, low, high)
    first = tl.floor(position)
    return first.to(tl.int32) * stride, tl.where(first < high, stride, 0), position - first


@triton.jit
def _first(position, radius, low, high):
    """The position brought into the window, and the first pixel that has any weight there."""
    position = _clamp(position, low - 0.5, high + 0.5)
    return position, tl.floor(position - radius) + 1


@triton.jit
def _tap(position, pixel, inverse, low, high, stride):
    """Where a tap stands and its weight, 0 outside of the window."""
    weight = tl.maximum(1 - tl.abs(position - pixel) * inverse, 0.0)
    weight = tl.where((pixel >= low) & (pixel <= high), weight, 0.0)
    return _clamp(pixel, low, high).to(tl.int32) * stride, weight


@triton.jit
def _level(at):
    """Without a mask: every tap is brought into the window."""
    return tl.load(at).to(tl.float32)


@triton.jit
def _between(at, right, below, across, down):
    """The value between a pixel and the three at its right and below."""
    first, second = _level(at), _level(at + below)
    first += across * (_level(at + right) - first)
    second += across * (_level(at + (below + right)) - second)
    return first + down * (second - first)


@triton.jit
def _put(target, value, kept):
    """A value in [0, 1] in the type of the output, of which bytes are the nearest levels."""
    if target.dtype.element_ty == tl.uint8:
        value = _clamp((value * 255 + _TO_EVEN) - _TO_EVEN, 0.0, 255.0).to(tl.int32)
    tl.store(target, value.to(target.dtype.element_ty), kept)


@triton.jit
def _store(target, plane, c: tl.constexpr, one, two, three, kept, CHANNELS: tl.constexpr):
    """Three channels from c on, as many of them as there are."""
    _put(target + c * plane, one, kept)
    if c + 1 < CHANNELS:
        _put(target + (c + 1) * plane, two, kept)
    if c + 2 < CHANNELS:
        _put(target + (c + 2) * plane, three, kept)


@triton.jit
def _interpolate(
    target,
    plane,
    source,
    channel_stride,
    row_stride,
    column_stride,
    x,
    y,
    top,
    bottom,
    left,
    right,
    share,
    rest,
    kept,
    CHANNELS: tl.constexpr,
):
    """Two taps along each axis, three channels at once, whose reads then wait for each other less."""
    row, below, down = _two(y, top, bottom, row_stride)
    column, beside, across = _two(x, left, right, column_stride)
    at = source + (row + column)
    for c in tl.static_range(0, CHANNELS, 3):
        first = at + c * channel_stride
        one = _between(first, beside, below, across, down)
        two, three = one, one
        if c + 1 < CHANNELS:
            two = _between(first + channel_stride, beside, below, across, down)
        if c + 2 < CHANNELS:
            three = _between(first + 2 * channel_stride, beside, below, across, down)
        _store(target, plane, c, one * share + rest, two * share + rest, three * share + rest, kept, CHANNELS)


@triton.jit
def _filter(
    target,
    plane,
    source,
    channel_stride,
    row_stride,
    column_stride,
    x,
    y,
    radius_y,
    radius_x,
    top,
    bottom,
    left,
    right,
    share,
    rest,
    kept,
    CHANNELS: tl.constexpr,
):
    """As many taps as the radii ask for, three channels at once, which share them."""
    inverse_y, inverse_x = 1 / radius_y, 1 / radius_x
    y, first_y = _first(y, radius_y, top, bottom)
    x, first_x = _first(x, radius_x, left, right)
    rows, columns = tl.ceil(2 * radius_y).to(tl.int32), tl.ceil(2 * radius_x).to(tl.int32)
    for c in tl.static_range(0, CHANNELS, 3):
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
        _store(target, plane, c, one * scaled + rest, two * scaled + rest, three * scaled + rest, kept, CHANNELS)


@triton.jit
def warp(
    image,  # pixels
    offsets,  # (B,) int64, where packed images start
    sizes,  # (B, 2) int64, height and width of packed images
    matrices,  # (B, STEPS, 3, 3): positions in a step's output -> positions in its input
    frames,  # (B, STEPS, 3): height, width of a step's input, and what lies outside of it
    windows,  # (B, 4): first and last row and column that may be read
    shrinks,  # (B, 2): the most that the filter widens, along y and x
    out,  # (B, C, height, width)
    sample_stride,
    channel_stride,
    row_stride,
    column_stride,
    height,
    width,
    CHANNELS: tl.constexpr,
    BYTES: tl.constexpr,
    PACKED: tl.constexpr,
    STEPS: tl.constexpr,
    SHOWN: tl.constexpr,  # bit s: step s shows what lies outside of its input
    PROJECTIVE: tl.constexpr,
    NEAREST: tl.constexpr,
    ANTIALIAS: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """A program is ROWS x COLUMNS pixels of the output of one sample."""
    tiles_across, tiles_down = tl.cdiv(width, COLUMNS), tl.cdiv(height, ROWS)
    tile = tl.program_id(0) % (tiles_across * tiles_down)
    b = (tl.program_id(0) // (tiles_across * tiles_down)).to(tl.int64)
    row = tile // tiles_across * ROWS + tl.arange(0, ROWS)[:, None]
    column = tile % tiles_across * COLUMNS + tl.arange(0, COLUMNS)[None, :]
    kept = (row < height) & (column < width)
    i, j = row.to(tl.float32), column.to(tl.float32)

    if PACKED:
        source, row_stride = image + tl.load(offsets + b), (tl.load(sizes + 2 * b + 1) * CHANNELS).to(tl.int32)
    else:
        source = image + b * sample_stride
    plane = height * width
    target = out + b * CHANNELS * plane + (row * width + column)

    # from the output back to the source; a frame that shows its outside is blended over what was before it
    m = matrices + b * STEPS * 9
    m00, m01, m02, m10, m11, m12, m20, m21, m22 = 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0
    x, y = tl.broadcast_to(j, (ROWS, COLUMNS)), tl.broadcast_to(i, (ROWS, COLUMNS))
    share = tl.full((ROWS, COLUMNS), 1.0, tl.float32)
    rest = tl.full((ROWS, COLUMNS), 0.0, tl.float32)
    for s in tl.static_range(STEPS - 1, -1, -1):
        a, d = tl.load(m + 9 * s), tl.load(m + 9 * s + 3)
        e, f = tl.load(m + 9 * s + 1), tl.load(m + 9 * s + 4)
        g, h = tl.load(m + 9 * s + 2), tl.load(m + 9 * s + 5)
        n00, n01, n02 = a * m00 + e * m10 + g * m20, a * m01 + e * m11 + g * m21, a * m02 + e * m12 + g * m22
        n10, n11, n12 = d * m00 + f * m10 + h * m20, d * m01 + f * m11 + h * m21, d * m02 + f * m12 + h * m22
        if PROJECTIVE:
            p, q, r = tl.load(m + 9 * s + 6), tl.load(m + 9 * s + 7), tl.load(m + 9 * s + 8)
            n20, n21, n22 = p * m00 + q * m10 + r * m20, p * m01 + q * m11 + r * m21, p * m02 + q * m12 + r * m22
            m20, m21, m22 = n20, n21, n22
        m00, m01, m02, m10, m11, m12 = n00, n01, n02, n10, n11, n12
        x, y = m00 * j + (m01 * i + m02), m10 * j + (m11 * i + m12)
        if PROJECTIVE:
            w = m20 * j + (m21 * i + m22)
            x, y = x / w, y / w
        if (SHOWN >> s) & 1:
            frame = frames + (b * STEPS + s) * 3
            tall, wide, fill = tl.load(frame), tl.load(frame + 1), tl.load(frame + 2)
            if NEAREST:
                cover = (_inside(x, wide) & _inside(y, tall)).to(tl.float32)
            else:
                cover = _cover(x, wide) * _cover(y, tall)
            rest += share * fill * (1 - cover)
            share *= cover

    top, bottom = tl.load(windows + 4 * b), tl.load(windows + 4 * b + 1)
    left, right = tl.load(windows + 4 * b + 2), tl.load(windows + 4 * b + 3)
    if NEAREST:
        y, x = (_clamp(y, top, bottom) + _TO_EVEN) - _TO_EVEN, (_clamp(x, left, right) + _TO_EVEN) - _TO_EVEN
        at = source + (y.to(tl.int32) * row_stride + x.to(tl.int32) * column_stride)
        for channel in tl.static_range(CHANNELS):
            value = tl.load(at + channel * channel_stride)
            value = tl.where(share > 0, value, rest.to(value.dtype))
            tl.store(target + channel * plane, value, kept)
    else:
        radius_y, radius_x = 1.0, 1.0
        if ANTIALIAS:  # by the length of the source axis' row of the Jacobian at the centre of the output
            half_x, half_y = (width - 1) * 0.5, (height - 1) * 0.5
            u, v, over = m00 * half_x + m01 * half_y + m02, m10 * half_x + m11 * half_y + m12, 1.0
            if PROJECTIVE:
                over = 1 / (m20 * half_x + m21 * half_y + m22)
                u, v = u * over, v * over
            radius_y = _length((m10 - v * m20) * over, (m11 - v * m21) * over, tl.load(shrinks + 2 * b))
            radius_x = _length((m00 - u * m20) * over, (m01 - u * m21) * over, tl.load(shrinks + 2 * b + 1))
        if BYTES:
            share *= _BYTE
        pixels = source, channel_stride, row_stride, column_stride
        if radius_y + radius_x <= 2:
            _interpolate(target, plane, *pixels, x, y, top, bottom, left, right, share, rest, kept, CHANNELS)
        else:
            radii = radius_y, radius_x
            _filter(target, plane, *pixels, x, y, *radii, top, bottom, left, right, share, rest, kept, CHANNELS)
