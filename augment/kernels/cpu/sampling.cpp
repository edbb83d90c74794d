// Sampling as augment/geometry/interpolation.py defines it, with as many taps as each sample needs.
#include "straight.h"

namespace {

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
    bool ordered;  // whether the output is channels_last, only for three channels of straight rows
    float *out;    // (B, C, height, width); points to bytes if bytes are copied

    int64_t plane() const { return height * width; }
    float *row(int64_t b, int64_t i) const {
        return out + (b * source.channels * height + i * (ordered ? source.channels : 1)) * width;
    }
};

template <typename T>
INLINE void sample_turned(const Job &job, int64_t b, int64_t from, int64_t to) {
    Reader reader(job.source, b, job.window + 4 * b, job.radius + 2 * b);
    for (int64_t i = from; i < to; i++) {
        for (int64_t j = 0; j < job.width; j += CHUNK) {
            const int count = (int)std::min<int64_t>(CHUNK, job.width - j);
            sample_chunk<T>(reader, job.x.at(b, i, j), job.x.column, job.y.at(b, i, j), job.y.column, count,
                            job.row(b, i) + j, job.plane());
        }
    }
}

// The number of taps to sum: 1 instead of 2 if all positions are whole numbers, as after a flip.
INLINE int needed_taps(const Axis &axis, const Taps &found) {
    const float *second = found.weight.data() + found.count;
    return axis.taps == 2 && std::all_of(second, second + found.count, [](float w) { return w == 0; }) ? 1 : axis.taps;
}

// Sums the taps of rows first, then those of columns, if rows stay rows and columns stay columns.
template <typename T>
INLINE void sample_straight(const Job &job, int64_t b, int64_t from, int64_t to) {
    const Source &s = job.source;
    const float *window = job.window + 4 * b, *radius = job.radius + 2 * b;
    const bool rgb = s.channels == RGB, interleaved = rgb && s.channel_stride == 1 && s.column_stride == RGB;
    const int64_t width = job.width, together = rgb ? RGB : 1;
    const Axis rows(Span(window, s.size[2 * b]), radius[0], 1), columns(Span(window + 2, s.size[2 * b + 1]), radius[1], 1);
    Taps down(rows.taps, 1), across(columns.taps, width);
    find_taps(job.x.at(b, 0, 0), job.x.column, width, columns, across);
    const int column_taps = needed_taps(columns, across);
    const auto used = std::minmax_element(across.offset.begin(), across.offset.end());
    const int32_t left = *used.first, span = *used.second - left + 1;
    for (int32_t &offset : across.offset) offset = (offset - left) * (int32_t)together;
    const T *base = (const T *)s.data + s.offset[b] + left * s.column_stride;
    std::vector<float> line(span * together + 1);  // the last pixel is read as four numbers
    for (int64_t i = from; i < to; i++) {
        find_taps(job.y.at(b, i, 0), 0, 1, rows, down);
        const int row_taps = needed_taps(rows, down);
        for (int64_t k = 0; k < s.channels; k++) {
            float *start = line.data() + (rgb ? k : 0);
            if (interleaved && k == 0) blend_rows(base, down, row_taps, s.row_stride[b], 1, span * RGB, start, 1);
            else if (!interleaved)
                blend_rows(base + k * s.channel_stride, down, row_taps, s.row_stride[b], s.column_stride, span, start,
                           together);
            if (!rgb || k == RGB - 1)
                sum_line(line.data(), across, column_taps, job.row(b, i) + (rgb ? 0 : k * job.plane()), job.plane(),
                         rgb, job.ordered);
        }
    }
}

// Copies the nearest pixels.
template <typename T>
INLINE void sample_nearest(const Job &job, T *out, bool straight, int64_t b, int64_t from, int64_t to) {
    const Source &s = job.source;
    const T *base = (const T *)s.data + s.offset[b];
    const Span rows(job.window + 4 * b, s.size[2 * b]), across(job.window + 4 * b + 2, s.size[2 * b + 1]);
    const int32_t row_stride = (int32_t)s.row_stride[b], column_stride = (int32_t)s.column_stride;
    std::vector<int32_t> columns(job.width), pixels(job.width);
    int32_t *column = columns.data(), *pixel = pixels.data();
    for (int64_t i = from; i < to; i++) {
        const float *x = job.x.at(b, i, 0), *y = job.y.at(b, i, 0);
        for (int64_t j = 0; (!straight || i == from) && j < job.width; j++)
            column[j] = (int32_t)std::nearbyint(clamped(x[j * job.x.column], across.low, across.high)) * column_stride;
        for (int64_t j = 0; j < job.width; j++)
            pixel[j] = column[j] +
                       (int32_t)std::nearbyint(clamped(y[j * job.y.column], rows.low, rows.high)) * row_stride;
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
                               const int64_t *row_stride, const int64_t *source_size, int64_t column_stride,
                               int64_t channel_stride, int64_t channels, int64_t elements, const float *x,
                               const int64_t *x_strides, const float *y, const int64_t *y_strides,
                               const float *window, const float *radius, int straight, int ordered,
                               int64_t batch, int64_t height, int64_t width, void *out, int threads) {
    const Job job = {{data, offset, row_stride, source_size, column_stride, channel_stride, channels, elements},
                     {x, x_strides[0], x_strides[1], x_strides[2]},
                     {y, y_strides[0], y_strides[1], y_strides[2]},
                     window,
                     radius,
                     height,
                     width,
                     ordered != 0,
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

extern "C" int augment_interface() { return INTERFACE; }
