"""From a pixel of the output back to the source, for the kernels that warp. Importing this imports Triton."""

import triton
import triton.language as tl

from augment.kernels.cuda.taps_triton import clamp


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
def traced(m, numbers, i, j, STEPS: tl.constexpr, SHOWN: tl.constexpr, PROJECTIVE: tl.constexpr, NEAREST: tl.constexpr):
    """Returns where pixels look, how much of the source they show, what is shown besides, and the run's matrix.

    Arguments:
        m: the matrices of one sample, see `warping_triton.warp`, as are the constants.
        numbers: height, width and fill value of the input of each step.
        i, j: rows and columns of the output.
    """
    # the fill value of a later step covers what earlier steps show
    share, rest = tl.full(i.shape, 1.0, tl.float32), tl.zeros_like(i)
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
    return x, y, share, rest, (m00, m01, m02, m10, m11, m12, m20, m21, m22)


@triton.jit
def radii(m, most, HEIGHT: tl.constexpr, WIDTH: tl.constexpr, PROJECTIVE: tl.constexpr):
    """Returns the filter radii along y and x: the length of the row of an axis in the Jacobian at the centre of the
    output, as `footprint_of`, at least 1 and at most the numbers at `most`.
    """
    m00, m01, m02, m10, m11, m12, m20, m21, m22 = m
    half_x, half_y = (WIDTH - 1) * 0.5, (HEIGHT - 1) * 0.5
    u, v, over = m00 * half_x + m01 * half_y + m02, m10 * half_x + m11 * half_y + m12, 1.0
    if PROJECTIVE:
        over = 1 / (m20 * half_x + m21 * half_y + m22)
        u, v = u * over, v * over
    radius_y = _length((m10 - v * m20) * over, (m11 - v * m21) * over, tl.load(most))
    radius_x = _length((m00 - u * m20) * over, (m01 - u * m21) * over, tl.load(most + 1))
    return radius_y, radius_x
