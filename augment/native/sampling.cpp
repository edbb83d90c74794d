// Sampling on a processor: what augment/interpolation.py defines, every sample with the taps that it needs.
#include "machine.h"

#include <algorithm>
#include <vector>

namespace {

constexpr int CHUNK = 64;  // pixels whose taps are computed together
constexpr int BLOCK = 32;  // output rows of a task

struct Source {
    const void *data;
    const int64_t *offset, *row_stride;  // (B,) elements
    int64_t column_stride, channel_stride, channels;
    int64_t elements;  // of the whole buffer
};

struct Positions {  // (B, height, width)
    const float *data;
    int64_t sample, row, column;  // strides

    const float *at(int64_t b, int64_t i, int64_t j) const { return data + b * sample + i * row + j * column; }
};

struct Job {
    Source source;
    Positions x, y;
    const float *window;  // (B, 4): first and last row, first and last column
    const float *radius;  // (B, 2): along y and x
    int64_t height, width;
    float *out;  // (B, C, height, width); bytes for the nearest of bytes

    int64_t plane() const { return height * width; }
    float *row(int64_t b, int64_t i) const { return out + (b * source.channels * height + i) * width; }
};

struct Axis {
    float low, high, radius;
    int taps;
    int32_t stride;

    Axis(const float *span, float radius, int64_t stride)
        : low(span[0]), high(span[1]), radius(radius), taps(radius > 1 ? (int)std::ceil(2 * radius) : 2),
          stride((int32_t)stride) {}
};

struct Taps {  // tap t of position i stands at t * count + i
    std::vector<int32_t> offset;  // of its pixel in elements
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
        const float at = clamped(position[i], low - 0.5f, high + 0.5f), first = std::floor(at - radius) + 1;
        float total = 0;
        for (int t = 0; t < taps; t++) {
            const float p = first + t, distance = std::fabs((at - p) * inverse);
            const float w = (distance < 1) & (p >= low) & (p <= high) ? 1 - distance : 0;
            offset[t * next + i] = (int32_t)clamped(p, low, high) * axis.stride;
            weight[t * next + i] = w;
            total += w;
        }
        const float share = 1 / total;
        for (int t = 0; t < taps; t++) weight[t * next + i] *= share;
    }
}

// The taps of n positions that stand `step` apart, n at most found.count.
INLINE void find_taps(const float *position, int64_t step, int64_t n, const Axis &axis, Taps &found) {
    for (int64_t start = 0; start < n; start += CHUNK) {
        const int some = (int)std::min<int64_t>(CHUNK, n - start);
        float together[CHUNK];
        for (int i = 0; i < some; i++) together[i] = position[(start + i) * step];
        int32_t *offset = found.offset.data() + start;
        float *weight = found.weight.data() + start;
        if (axis.taps == 2) find_chunk<2>(together, some, axis, found.count, offset, weight);
        else if (axis.taps == 3) find_chunk<3>(together, some, axis, found.count, offset, weight);
        else find_chunk<0>(together, some, axis, found.count, offset, weight);
    }
}

// Bytes are floats in [0, 1] before anything else, so that both give the same bits.
constexpr float BYTE = 1.0f / 255;
INLINE float one(uint8_t value) { return value * BYTE; }
INLINE float one(float value) { return value; }

// Three neighbouring channels, and one more number that nobody uses.
INLINE Four three(const uint8_t *at, const uint8_t *end) {
    typedef int32_t Whole __attribute__((vector_size(16)));
    int32_t bytes;
    if (at + 4 <= end) memcpy(&bytes, at, 4);
    else bytes = at[0] | at[1] << 8 | at[2] << 16;
    const Whole several = {bytes, bytes, bytes, bytes}, places = {0, 8, 16, 0};
    return __builtin_convertvector(several >> places & 255, Four) * BYTE;
}

INLINE Four three(const float *at, const float *end) {
    Four value = {at[0], at[1], at[2], 0};
    if (at + 4 <= end) memcpy(&value, at, 16);
    return value;
}

// Some pixels of a row; `fixed` is the number of taps along both axes, or 0 where that varies.
template <typename T, int fixed>
INLINE void sample_chunk(const Job &job, int64_t b, const Taps &down, const Taps &across, int row_taps,
                         int column_taps, int count, float *out) {
    if (fixed) row_taps = column_taps = fixed;
    const Source &s = job.source;
    const T *base = (const T *)s.data + s.offset[b];
    const int64_t plane = job.plane();
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

template <typename T>
INLINE void sample_turned(const Job &job, int64_t b, int64_t from, int64_t to) {
    const float *window = job.window + 4 * b, *radius = job.radius + 2 * b;
    const Axis rows(window, radius[0], job.source.row_stride[b]);
    const Axis columns(window + 2, radius[1], job.source.column_stride);
    const int taps = rows.taps == columns.taps ? rows.taps : 0;
    Taps down(rows.taps, CHUNK), across(columns.taps, CHUNK);
    for (int64_t i = from; i < to; i++) {
        for (int64_t start = 0; start < job.width; start += CHUNK) {
            const int count = (int)std::min<int64_t>(CHUNK, job.width - start);
            find_taps(job.y.at(b, i, start), job.y.column, count, rows, down);
            find_taps(job.x.at(b, i, start), job.x.column, count, columns, across);
            float *out = job.row(b, i) + start;
            if (taps == 2) sample_chunk<T, 2>(job, b, down, across, 2, 2, count, out);
            else if (taps == 3) sample_chunk<T, 3>(job, b, down, across, 3, 3, count, out);
            else sample_chunk<T, 0>(job, b, down, across, rows.taps, columns.taps, count, out);
        }
    }
}

// Rows first, then columns, where rows stay rows and columns stay columns.
template <typename T>
INLINE void sample_straight(const Job &job, int64_t b, int64_t from, int64_t to) {
    const Source &s = job.source;
    const T *base = (const T *)s.data + s.offset[b];
    const float *window = job.window + 4 * b, *radius = job.radius + 2 * b;
    const Axis rows(window, radius[0], 1), columns(window + 2, radius[1], 1);
    Taps down(rows.taps, 1), across(columns.taps, job.width);
    find_taps(job.x.at(b, 0, 0), job.x.column, job.width, columns, across);
    const auto used = std::minmax_element(across.offset.begin(), across.offset.end());
    const int64_t left = *used.first, span = *used.second - left + 1, channels = s.channels, width = job.width;
    const bool interleaved = channels > 1 && s.channel_stride == 1 && s.column_stride == channels;
    const int64_t runs = interleaved ? 1 : channels, length = interleaved ? span * channels : span;
    const int64_t run_stride = interleaved ? 0 : s.channel_stride, step = interleaved ? 1 : s.column_stride;
    std::vector<float> line(runs * length + 1);
    for (int64_t i = from; i < to; i++) {
        find_taps(job.y.at(b, i, 0), 0, 1, rows, down);
        for (int64_t run = 0; run < runs; run++) {
            float *blended = line.data() + run * length;
            for (int r = 0; r < rows.taps; r++) {
                const float weight = down.weight[r];
                const T *row = base + down.offset[r] * s.row_stride[b] + left * s.column_stride + run * run_stride;
                for (int64_t c = 0; step == 1 && c < length; c++) blended[c] = (r ? blended[c] : 0) + one(row[c]) * weight;
                for (int64_t c = 0; step != 1 && c < length; c++)
                    blended[c] = (r ? blended[c] : 0) + one(row[c * step]) * weight;
            }
        }
        float *out = job.row(b, i);
        const int32_t *pixel = across.offset.data();
        const float *weight = across.weight.data();
        for (int64_t j = 0; interleaved && channels == 3 && j < width; j++) {
            Four sum = {0, 0, 0, 0};
            for (int c = 0; c < columns.taps; c++) {
                Four value;
                memcpy(&value, line.data() + (pixel[c * width + j] - left) * 3, 16);
                sum += value * weight[c * width + j];
            }
            for (int k = 0; k < 3; k++) out[k * job.plane() + j] = sum[k];
        }
        const int64_t line_column = interleaved ? channels : 1, line_channel = interleaved ? 1 : length;
        for (int64_t k = 0; !(interleaved && channels == 3) && k < channels; k++) {
            for (int64_t j = 0; j < width; j++) {
                float sum = 0;
                for (int c = 0; c < columns.taps; c++)
                    sum += line[(pixel[c * width + j] - left) * line_column + k * line_channel] * weight[c * width + j];
                out[k * job.plane() + j] = sum;
            }
        }
    }
}

// The nearest pixels, as they are.
template <typename T>
INLINE void sample_nearest(const Job &job, T *out, bool straight, int64_t b, int64_t from, int64_t to) {
    const Source &s = job.source;
    const T *base = (const T *)s.data + s.offset[b];
    const float *window = job.window + 4 * b;
    const int32_t row_stride = (int32_t)s.row_stride[b], column_stride = (int32_t)s.column_stride;
    std::vector<int32_t> columns(job.width), pixels(job.width);
    int32_t *column = columns.data(), *pixel = pixels.data();
    for (int64_t i = from; i < to; i++) {
        const float *x = job.x.at(b, i, 0), *y = job.y.at(b, i, 0);
        for (int64_t j = 0; (!straight || i == from) && j < job.width; j++)
            column[j] = (int32_t)std::nearbyint(clamped(x[j * job.x.column], window[2], window[3])) * column_stride;
        for (int64_t j = 0; j < job.width; j++)
            pixel[j] = column[j] +
                       (int32_t)std::nearbyint(clamped(y[j * job.y.column], window[0], window[1])) * row_stride;
        for (int64_t k = 0; k < s.channels; k++) {
            const T *channel = base + k * s.channel_stride;
            T *to_row = out + ((b * s.channels + k) * job.height + i) * job.width;
            for (int64_t j = 0; j < job.width; j++) to_row[j] = channel[pixel[j]];
        }
    }
}

FOR_EVERY_PROCESSOR void nearest_bytes(const Job &job, void *out, bool straight, int64_t b, int64_t from, int64_t to) {
    sample_nearest<uint8_t>(job, (uint8_t *)out, straight, b, from, to);
}
FOR_EVERY_PROCESSOR void nearest_floats(const Job &job, void *out, bool straight, int64_t b, int64_t from, int64_t to) {
    sample_nearest<float>(job, (float *)out, straight, b, from, to);
}
FOR_EVERY_PROCESSOR void turned_bytes(const Job &job, int64_t b, int64_t from, int64_t to) {
    sample_turned<uint8_t>(job, b, from, to);
}
FOR_EVERY_PROCESSOR void turned_floats(const Job &job, int64_t b, int64_t from, int64_t to) {
    sample_turned<float>(job, b, from, to);
}
FOR_EVERY_PROCESSOR void straight_bytes(const Job &job, int64_t b, int64_t from, int64_t to) {
    sample_straight<uint8_t>(job, b, from, to);
}
FOR_EVERY_PROCESSOR void straight_floats(const Job &job, int64_t b, int64_t from, int64_t to) {
    sample_straight<float>(job, b, from, to);
}

}  // namespace

extern "C" void augment_sample(int nearest, const void *data, int is_float, const int64_t *offset,
                               const int64_t *row_stride, int64_t column_stride, int64_t channel_stride,
                               int64_t channels, int64_t elements, const float *x, const int64_t *x_strides,
                               const float *y, const int64_t *y_strides, const float *window, const float *radius,
                               int straight, int64_t batch, int64_t height, int64_t width, void *out, int threads) {
    const Job job = {{data, offset, row_stride, column_stride, channel_stride, channels, elements},
                     {x, x_strides[0], x_strides[1], x_strides[2]},
                     {y, y_strides[0], y_strides[1], y_strides[2]},
                     window,
                     radius,
                     height,
                     width,
                     (float *)out};
    const auto pick = is_float ? nearest_floats : nearest_bytes;
    const auto blend = straight ? (is_float ? straight_floats : straight_bytes)
                                : (is_float ? turned_floats : turned_bytes);
    const int64_t blocks = (height + BLOCK - 1) / BLOCK;
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (int64_t task = 0; task < batch * blocks; task++) {
        const int64_t b = task / blocks, from = task % blocks * BLOCK, to = std::min(from + BLOCK, height);
        if (nearest) pick(job, out, straight, b, from, to);
        else blend(job, b, from, to);
    }
}
