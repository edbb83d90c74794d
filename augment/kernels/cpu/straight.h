// Sampling where rows stay rows and columns stay columns: each output row is blended from whole rows of the source into
// a line, which then gives all its pixels. All loops over pixels have a fixed number of taps and no index arithmetic.
#pragma once

#include "taps.h"

constexpr int RGB = 3;
constexpr int TOGETHER = 3;  // taps that one loop sums; more are not needed until images shrink by half

// Adds the next `taps` rows to n values of a line, `spread` apart in it; starts at 0 for the first rows.
template <typename T, int taps>
INLINE void add_rows(const T *const *rows, const float *weight, bool first, int64_t step, int64_t n, float *line,
                     int64_t spread) {
    const auto sum = [&](int64_t c, int64_t stride) {
        float value = first ? 0 : line[c * spread];
        for (int r = 0; r < taps; r++) value += one(rows[r][c * stride]) * weight[r];
        return value;
    };
    if (step == 1 && spread == 1)
        for (int64_t c = 0; c < n; c++) line[c] = sum(c, 1);
    else if (step == 1)
        for (int64_t c = 0; c < n; c++) line[c * spread] = sum(c, 1);
    else
        for (int64_t c = 0; c < n; c++) line[c * spread] = sum(c, step);
}

template <typename T>
INLINE void blend_rows(const T *base, const Taps &down, int taps, int64_t row_stride, int64_t step, int64_t n,
                       float *line, int64_t spread) {
    const float *weight = down.weight.data();
    for (int r = 0; r < taps; r += TOGETHER) {
        const T *rows[TOGETHER];
        const int more = std::min(TOGETHER, taps - r);
        for (int k = 0; k < more; k++) rows[k] = base + down.offset[r + k] * row_stride;
        if (more == 1) add_rows<T, 1>(rows, weight + r, r == 0, step, n, line, spread);
        else if (more == 2) add_rows<T, 2>(rows, weight + r, r == 0, step, n, line, spread);
        else add_rows<T, 3>(rows, weight + r, r == 0, step, n, line, spread);
    }
}

// The pixels of a row from a line of interleaved channels; tap t of pixel j is element t * width + j.
template <int fixed>
INLINE void sum_pixels(const float *line, const int32_t *offset, const float *weight, int taps, int64_t width,
                       float *out, int64_t plane, bool ordered) {
    if (fixed) taps = fixed;
    const auto sum = [&](int64_t j) {
        Four value, total = {0, 0, 0, 0};
        for (int t = 0; t < taps; t++) {
            memcpy(&value, line + offset[t * width + j], sizeof value);
            total += value * weight[t * width + j];
        }
        return total;
    };
    if (ordered) {  // the fourth number is overwritten by the next pixel, but the last pixel has none after it
        for (int64_t j = 0; j < width - 1; j++) {
            const Four total = sum(j);
            memcpy(out + j * RGB, &total, sizeof total);
        }
        const Four total = sum(width - 1);
        memcpy(out + (width - 1) * RGB, &total, RGB * sizeof(float));
    } else {
        for (int64_t j = 0; j < width; j++) {
            const Four total = sum(j);
            for (int k = 0; k < RGB; k++) out[k * plane + j] = total[k];
        }
    }
}

// The same for one channel.
template <int fixed>
INLINE void sum_values(const float *line, const int32_t *offset, const float *weight, int taps, int64_t width,
                       float *out) {
    if (fixed) taps = fixed;
    for (int64_t j = 0; j < width; j++) {
        float total = 0;
        for (int t = 0; t < taps; t++) total += line[offset[t * width + j]] * weight[t * width + j];
        out[j] = total;
    }
}

// Picks the loop for a number of taps; the pointer `out` is to a row of one channel or, for RGB, of pixels.
INLINE void sum_line(const float *line, const Taps &across, int taps, float *out, int64_t plane, bool rgb,
                     bool ordered) {
    const int32_t *offset = across.offset.data();
    const float *weight = across.weight.data();
    const int64_t width = across.count;
    if (rgb && taps == 1) sum_pixels<1>(line, offset, weight, taps, width, out, plane, ordered);
    else if (rgb && taps == 2) sum_pixels<2>(line, offset, weight, taps, width, out, plane, ordered);
    else if (rgb && taps == 3) sum_pixels<3>(line, offset, weight, taps, width, out, plane, ordered);
    else if (rgb) sum_pixels<0>(line, offset, weight, taps, width, out, plane, ordered);
    else if (taps == 1) sum_values<1>(line, offset, weight, taps, width, out);
    else if (taps == 2) sum_values<2>(line, offset, weight, taps, width, out);
    else if (taps == 3) sum_values<3>(line, offset, weight, taps, width, out);
    else sum_values<0>(line, offset, weight, taps, width, out);
}
