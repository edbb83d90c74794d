// Sampling a few pixels: the offsets and weights of their taps, and their weighted sums.
#pragma once

#include "level_table.h"

#include <algorithm>
#include <vector>

constexpr int CHUNK = 64;  // pixels whose taps are computed together
constexpr int BLOCK = 32;  // output rows per task

struct Source {
    const void *data;
    const int64_t *offset, *row_stride;  // (B,) in elements
    const int64_t *size;                 // (B, 2): height and width
    int64_t column_stride, channel_stride, channels;
    int64_t elements;  // from the start to the end of the buffer
};

// The part of an axis that may be read, clamped to the image; NaN becomes 0.
struct Span {
    float low, high;

    Span(const float *ends, int64_t extent)
        : low(clamped(ends[0], 0, (float)(extent - 1))), high(clamped(ends[1], 0, (float)(extent - 1))) {}
};

struct Axis {
    float low, high, radius;
    int taps;
    int32_t stride;

    Axis(Span span, float radius, int64_t stride)
        : low(span.low), high(span.high), radius(radius), taps(2), stride((int32_t)stride) {
        // taps beyond the span would have no weight; at least 3, because 2 means plain interpolation
        if (radius > 1) taps = (int)std::min(std::ceil(2 * radius), std::max(high - low + 1, 3.0f));
    }
};

struct Taps {  // tap t of position i is element t * count + i
    std::vector<int32_t> offset;  // of the pixel, in elements
    std::vector<float> weight;
    int64_t count;

    Taps(int taps, int64_t count) : offset(taps * count), weight(taps * count), count(count) {}
};

template <int fixed>
INLINE void find_chunk(const float *position, int n, const Axis &axis, int64_t next, int32_t *offset, float *weight) {
    const float low = axis.low, high = axis.high, radius = axis.radius, inverse = 1 / radius;
    const int taps = fixed ? fixed : axis.taps;
    for (int i = 0; fixed == 2 && i < n; i++) {
        const float at = clamped(position[i], low, high), first = std::floor(at);
        offset[i] = (int32_t)first * axis.stride;
        offset[next + i] = (int32_t)clamped(first + 1, low, high) * axis.stride;
        weight[i] = 1 - (at - first);
        weight[next + i] = at - first;
    }
    for (int i = 0; fixed != 2 && i < n; i++) {
        const float at = clamped(position[i], low - 0.5f, high + 0.5f);
        const float first = clamped(std::floor(at - radius) + 1, low, high - (float)(taps - 1));
        float total = 0;
        for (int t = 0; t < taps; t++) {
            const float p = first + t, distance = std::fabs((at - p) * inverse);
            const float w = (distance < 1) & (p >= low) & (p <= high) ? 1 - distance : 0;
            offset[t * next + i] = (int32_t)clamped(p, low, high) * axis.stride;
            weight[t * next + i] = w;
            total += w;
        }
        // the sum, in the order of addition, must not exceed 1, or white would become brighter than 1
        const float share = 1 / total;
        float sum = 0;
        for (int t = 0; t < taps; t++) {
            const float w = weight[t * next + i] * share, rest = 1 - sum;
            weight[t * next + i] = w < rest ? w : rest;
            sum += weight[t * next + i];
        }
    }
}

// Finds the taps of n positions that are `step` elements apart; n is at most found.count.
INLINE void find_taps(const float *position, int64_t step, int64_t n, const Axis &axis, Taps &found) {
    for (int64_t start = 0; start < n; start += CHUNK) {
        const int count = (int)std::min<int64_t>(CHUNK, n - start);
        float gathered[CHUNK];
        for (int i = 0; i < count; i++) gathered[i] = position[(start + i) * step];
        int32_t *offset = found.offset.data() + start;
        float *weight = found.weight.data() + start;
        if (axis.taps == 2) find_chunk<2>(gathered, count, axis, found.count, offset, weight);
        else if (axis.taps == 3) find_chunk<3>(gathered, count, axis, found.count, offset, weight);
        else find_chunk<0>(gathered, count, axis, found.count, offset, weight);
    }
}

// Reads three neighbouring channels; the fourth number is not used.
INLINE Four three(const uint8_t *at, const uint8_t *end) {
    typedef int32_t Whole __attribute__((vector_size(16)));
    int32_t bytes;
    if (at + 4 <= end) memcpy(&bytes, at, 4);
    else bytes = at[0] | at[1] << 8 | at[2] << 16;
    const Whole copies = {bytes, bytes, bytes, bytes}, shifts = {0, 8, 16, 0};
    return __builtin_convertvector(copies >> shifts & 255, Four) * BYTE;
}

INLINE Four three(const float *at, const float *end) {
    Four value = {at[0], at[1], at[2], 0};
    if (at + 4 <= end) memcpy(&value, at, 16);
    return value;
}

// Sums the taps of some pixels of a row; `fixed` is the number of taps along both axes, or 0 if they differ.
template <typename T, int fixed>
INLINE void sum_chunk(const Source &s, int64_t b, const Taps &down, const Taps &across, int row_taps, int column_taps,
                      int count, float *out, int64_t plane) {
    if (fixed) row_taps = column_taps = fixed;
    const T *base = (const T *)s.data + s.offset[b];
    const int32_t *rows = down.offset.data(), *columns = across.offset.data();
    const float *row_weights = down.weight.data(), *column_weights = across.weight.data();
    const T *end = (const T *)s.data + s.elements;
    const bool interleaved = s.channels == 3 && s.channel_stride == 1;
    for (int j = 0; interleaved && j < count; j++) {
        Four sum = {0, 0, 0, 0};
        for (int r = 0; r < row_taps; r++) {
            const T *row = base + rows[r * CHUNK + j];
            Four part = {0, 0, 0, 0};
            for (int c = 0; c < column_taps; c++)
                part += three(row + columns[c * CHUNK + j], end) * column_weights[c * CHUNK + j];
            sum += part * row_weights[r * CHUNK + j];
        }
        for (int k = 0; k < 3; k++) out[k * plane + j] = sum[k];
    }
    for (int64_t k = 0; !interleaved && k < s.channels; k++) {
        for (int j = 0; j < count; j++) {
            float sum = 0;
            for (int r = 0; r < row_taps; r++) {
                const T *row = base + k * s.channel_stride + rows[r * CHUNK + j];
                float part = 0;
                for (int c = 0; c < column_taps; c++)
                    part += one(row[columns[c * CHUNK + j]]) * column_weights[c * CHUNK + j];
                sum += part * row_weights[r * CHUNK + j];
            }
            out[k * plane + j] = sum;
        }
    }
}

// State for reading one sample in chunks of a row.
struct Reader {
    const Source &source;
    const int64_t sample;
    const Axis rows, columns;
    Taps down, across;

    Reader(const Source &source, int64_t sample, const float *window, const float *radius)
        : source(source), sample(sample),
          rows(Span(window, source.size[2 * sample]), radius[0], source.row_stride[sample]),
          columns(Span(window + 2, source.size[2 * sample + 1]), radius[1], source.column_stride),
          down(rows.taps, CHUNK), across(columns.taps, CHUNK) {}
};

// Computes values at up to CHUNK positions, `x_step` and `y_step` elements apart; channels are `plane` apart in out.
template <typename T>
INLINE void sample_chunk(Reader &reader, const float *x, int64_t x_step, const float *y, int64_t y_step, int count,
                         float *out, int64_t plane) {
    const Axis &rows = reader.rows, &columns = reader.columns;
    const Taps &down = reader.down, &across = reader.across;
    const int taps = rows.taps == columns.taps ? rows.taps : 0;
    find_taps(y, y_step, count, rows, reader.down);
    find_taps(x, x_step, count, columns, reader.across);
    if (taps == 2) sum_chunk<T, 2>(reader.source, reader.sample, down, across, 2, 2, count, out, plane);
    else if (taps == 3) sum_chunk<T, 3>(reader.source, reader.sample, down, across, 3, 3, count, out, plane);
    else sum_chunk<T, 0>(reader.source, reader.sample, down, across, rows.taps, columns.taps, count, out, plane);
}
