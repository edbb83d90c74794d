"""The kernel of `augment.kernels.cuda.filtering`. Importing this imports Triton."""

import triton
import triton.language as tl

from augment.kernels.cuda.taps_triton import BYTE, clamp


@triton.jit
def _weights(start, TAPS: tl.constexpr):
    """Loads the weights of a filter into registers."""
    weights = (tl.load(start),)
    for tap in tl.static_range(1, TAPS):
        weights += (tl.load(start + tap),)  # type: ignore[assignment] # Triton unrolls the loop, so a tuple can grow
    return weights


@triton.jit
def _source(position, extent: tl.constexpr, BORDER: tl.constexpr):
    """Returns which pixel is seen at a position, as `filtering.border_index` does; "constant" leaves it outside."""
    if BORDER == "reflect":
        period: tl.constexpr = 2 * (extent - 1) if extent > 1 else 1
        around = (position % period + period) % period
        return tl.minimum(around, period - around) if extent > 1 else around
    if BORDER == "circular":
        return (position % extent + extent) % extent
    if BORDER == "replicate":
        return clamp(position, 0, extent - 1)
    return position


@triton.jit
def _line(pixels, row, column, across, HEIGHT: tl.constexpr, WIDTH: tl.constexpr, BORDER: tl.constexpr):
    """Filters one row along x."""
    source, row_stride, column_stride = pixels
    taps: tl.constexpr = len(across)
    row = _source(row, HEIGHT, BORDER)
    total = tl.zeros_like(column).to(tl.float32)
    for tap in tl.static_range(taps):
        at = _source(column + (tap - taps // 2), WIDTH, BORDER)
        place = source + (row * row_stride + at * column_stride)
        if BORDER == "constant":
            line = row + tl.zeros_like(at)
            value = tl.load(place, (line >= 0) & (line < HEIGHT) & (at >= 0) & (at < WIDTH), other=0)
        else:
            value = tl.load(place)
        total += across[tap] * value.to(tl.float32)
    return total


@triton.jit
def blur(
    image,  # (B, CHANNELS, HEIGHT, WIDTH)
    chosen,  # (B,) bool
    down,  # (B, TALL)
    across,  # (B, WIDE)
    out,  # (B, CHANNELS, HEIGHT, WIDTH) float
    sample_stride,
    channel_stride,
    row_stride,
    column_stride,
    CHANNELS: tl.constexpr,
    HEIGHT: tl.constexpr,
    WIDTH: tl.constexpr,
    TALL: tl.constexpr,
    WIDE: tl.constexpr,
    BORDER: tl.constexpr,
    BYTES: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """A program goes down ROWS rows of COLUMNS columns in a channel, and keeps the last TALL rows filtered along x."""
    beside: tl.constexpr = (WIDTH + COLUMNS - 1) // COLUMNS
    below: tl.constexpr = (HEIGHT + ROWS - 1) // ROWS
    plane = (tl.program_id(0) // (beside * below)).to(tl.int64)
    block = tl.program_id(0) % (beside * below)
    b, first = plane // CHANNELS, block // beside * ROWS
    column = block % beside * COLUMNS + tl.arange(0, COLUMNS)
    source, target = image + b * sample_stride + plane % CHANNELS * channel_stride, out + plane * (HEIGHT * WIDTH)
    kept = column < WIDTH
    if tl.load(chosen + b):
        pixels = source, row_stride, column_stride
        vertical, horizontal = _weights(down + b * TALL, TALL), _weights(across + b * WIDE, WIDE)
        lines = (tl.zeros((COLUMNS,), tl.float32),)
        for _ in tl.static_range(1, TALL):
            lines += (lines[0],)  # type: ignore[assignment] # Triton unrolls the loop, so a tuple can grow
        for row in range(first - TALL + 1, tl.minimum(first + ROWS, HEIGHT)):
            line = _line(pixels, row + TALL // 2, column, horizontal, HEIGHT, WIDTH, BORDER)
            lines = lines[1:] + (line,)  # noqa: RUF005, Triton cannot unpack
            if row >= first:
                value = vertical[0] * lines[0]
                for tap in tl.static_range(1, TALL):
                    value += vertical[tap] * lines[tap]
                value = value * BYTE if BYTES else value
                tl.store(target + row * WIDTH + column, value.to(out.dtype.element_ty), kept)
    else:
        rows, columns = first + tl.arange(0, ROWS)[:, None], column[None, :]
        there = (rows < HEIGHT) & kept[None, :]
        same = tl.load(source + (rows * row_stride + columns * column_stride), there, other=0).to(tl.float32)
        same = same * BYTE if BYTES else same
        tl.store(target + (rows * WIDTH + columns), same.to(out.dtype.element_ty), there)
