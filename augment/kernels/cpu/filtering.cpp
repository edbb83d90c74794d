// Separable filters, one per image: `separable_filter` of augment/kernels/reference/filtering.py.
#include "level_table.h"

#include <algorithm>
#include <vector>

namespace {

struct Filter {
    const float *weight;
    const int32_t *pixel;  // pixel at each position from the first tap of the first window on; -1 for zero
    int64_t taps;
};

FOR_EVERY_PROCESSOR void to_floats(const uint8_t *value, int64_t n, int64_t step, float *out) {
    if (step == 1)
        for (int64_t i = 0; i < n; i++) out[i] = one(value[i]);
    else if (step == 3)
        for (int64_t i = 0; i < n; i++) out[i] = one(value[3 * i]);
    else
        for (int64_t i = 0; i < n; i++) out[i] = one(value[i * step]);
}

FOR_EVERY_PROCESSOR void to_floats(const float *value, int64_t n, int64_t step, float *out) {
    if (step == 1)
        std::copy(value, value + n, out);
    else
        for (int64_t i = 0; i < n; i++) out[i] = value[i * step];
}

// Adds the values from each tap on, times its weight, to a row.
FOR_EVERY_PROCESSOR void add_taps(const float *line, const float *weight, int64_t taps, int64_t width, float *row) {
    for (int64_t t = 0; t < taps; t++) {
        const float *from = line + t, factor = weight[t];
        for (int64_t j = 0; j < width; j++) row[j] += from[j] * factor;
    }
}

FOR_EVERY_PROCESSOR void add_row(const float *from, float weight, int64_t width, float *row) {
    for (int64_t j = 0; j < width; j++) row[j] += from[j] * weight;
}

template <typename T>
void filter_plane(const T *image, int64_t step, int64_t height, int64_t width, Filter down, Filter across,
                  float *out) {
    const int64_t margin = across.taps - 1, before = margin / 2;
    std::vector<float> line(width + margin), rows(height * width);
    for (int64_t i = 0; i < height; i++) {
        float *pixels = line.data() + before;
        to_floats(image + i * width * step, width, step, pixels);
        for (int64_t j = 0; j < before; j++) line[j] = across.pixel[j] < 0 ? 0 : pixels[across.pixel[j]];
        for (int64_t j = before + width; j < width + margin; j++)
            line[j] = across.pixel[j] < 0 ? 0 : pixels[across.pixel[j]];
        add_taps(line.data(), across.weight, across.taps, width, rows.data() + i * width);
    }
    std::fill(out, out + height * width, 0.0f);
    for (int64_t i = 0; i < height; i++)
        for (int64_t t = 0; t < down.taps; t++)
            if (down.pixel[i + t] >= 0)
                add_row(rows.data() + down.pixel[i + t] * width, down.weight[t], width, out + i * width);
}

template <typename T>
void filter_all(const void *const *planes, int64_t next_image, int64_t step, const uint8_t *chosen, const float *down,
                const int32_t *down_pixel, int64_t tall, const float *across, const int32_t *across_pixel, int64_t wide,
                int64_t batch, int64_t channels, int64_t height, int64_t width, float *out, int threads) {
    const int64_t size = height * width;
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (int64_t plane = 0; plane < batch * channels; plane++) {
        const int64_t b = plane / channels;
        const T *from = (const T *)planes[plane % channels] + b * next_image;
        if (chosen[b])
            filter_plane(from, step, height, width, {down + b * tall, down_pixel, tall},
                         {across + b * wide, across_pixel, wide}, out + plane * size);
        else
            to_floats(from, size, step, out + plane * size);
    }
}

}  // namespace

// Writes planes of floats. `planes`, `floats`, `next_image` and `step` are as for augment_in_order in ordering.cpp.
// A filter has the same number of taps before and after a pixel; `*_pixel` gives the pixel at each position from the
// first tap of the first window on, which within the image is the position itself.
extern "C" void augment_filter(const void *const *planes, int floats, int64_t next_image, int64_t step,
                               const uint8_t *chosen, const float *down, const int32_t *down_pixel, int64_t tall,
                               const float *across, const int32_t *across_pixel, int64_t wide, int64_t batch,
                               int64_t channels, int64_t height, int64_t width, float *out, int threads) {
    (floats ? filter_all<float> : filter_all<uint8_t>)(planes, next_image, step, chosen, down, down_pixel, tall, across,
                                                        across_pixel, wide, batch, channels, height, width, out,
                                                        threads);
}
