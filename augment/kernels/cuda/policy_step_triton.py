"""The kernels of `augment.kernels.cuda.policy_step`. Importing this imports Triton."""

import triton
import triton.language as tl

from augment.kernels.cuda.taps_triton import TO_EVEN

LEVELS = tl.constexpr(256)


@triton.jit
def count(image, wanted, counts, channels, pixels, BLOCK: tl.constexpr):
    """Adds BLOCK pixels of a channel to its histogram (B, C, 256), if the histogram of the sample is wanted."""
    blocks = tl.cdiv(pixels, BLOCK)
    plane = (tl.program_id(0) // blocks).to(tl.int64)
    if tl.load(wanted + plane // channels):
        place = tl.program_id(0) % blocks * BLOCK + tl.arange(0, BLOCK)
        there = place < pixels
        level = tl.load(image + plane * pixels + place, there, other=0).to(tl.int32)
        found = tl.histogram(level, LEVELS, mask=there)
        tl.atomic_add(counts + plane * LEVELS + tl.arange(0, LEVELS), found)


@triton.jit
def _cut(level):
    """Converts to a byte as torchvision does: clamps to [0, 255] and drops the fraction."""
    return tl.minimum(tl.maximum(level, 0.0), 255.0).to(tl.int32).to(tl.uint8)


@triton.jit
def _colour(level, gray, value):
    return _cut(level * value + gray * (1 - value))


@triton.jit
def carry_out(
    image,  # (B, C, height, width) bytes
    kinds,  # (B,) int32: 1 maps through a table, 2 blends with gray, 3 blends with a smoothed copy, 0 copies
    values,  # (B,) factors of the blends
    tables,  # (B, C, 256) bytes
    out,
    height,
    width,
    CHANNELS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """A program applies what a sample drew to all channels of BLOCK pixels."""
    pixels = height * width
    blocks = tl.cdiv(pixels, BLOCK)
    b = (tl.program_id(0) // blocks).to(tl.int64)
    place = tl.program_id(0) % blocks * BLOCK + tl.arange(0, BLOCK)
    there = place < pixels
    source, target = image + b * CHANNELS * pixels + place, out + b * CHANNELS * pixels + place
    kind, value = tl.load(kinds + b), tl.load(values + b)
    if kind == 1:
        for c in tl.static_range(CHANNELS):
            level = tl.load(source + c * pixels, there, other=0).to(tl.int32)
            tl.store(target + c * pixels, tl.load(tables + (b * CHANNELS + c) * LEVELS + level), there)
    elif kind == 3:
        row, column = place // width, place % width
        inside = there & (row > 0) & (row < height - 1) & (column > 0) & (column < width - 1)
        for c in tl.static_range(CHANNELS):
            centre = tl.load(source + c * pixels, there, other=0).to(tl.float32)
            total = 4 * centre
            for down in tl.static_range(-1, 2):
                for across in tl.static_range(-1, 2):
                    at = source + c * pixels + (down * width + across)
                    total += tl.load(at, inside, other=0).to(tl.float32)
            smooth = (total / 13 + TO_EVEN) - TO_EVEN
            change = tl.where(inside, (1 - value) * (smooth - centre), 0.0)
            tl.store(target + c * pixels, _cut(centre + change), there)
    elif kind == 2 and CHANNELS >= 3:
        red = tl.load(source, there, other=0).to(tl.float32)
        green = tl.load(source + pixels, there, other=0).to(tl.float32)
        blue = tl.load(source + 2 * pixels, there, other=0).to(tl.float32)
        gray = tl.floor(0.2989 * red + 0.587 * green + 0.114 * blue)  # torchvision's weights, as `policy_step._LUMA`
        tl.store(target, _colour(red, gray, value), there)
        tl.store(target + pixels, _colour(green, gray, value), there)
        tl.store(target + 2 * pixels, _colour(blue, gray, value), there)
        for c in tl.static_range(3, CHANNELS):
            tl.store(target + c * pixels, tl.load(source + c * pixels, there, other=0), there)
    else:
        for c in tl.static_range(CHANNELS):
            tl.store(target + c * pixels, tl.load(source + c * pixels, there, other=0), there)
