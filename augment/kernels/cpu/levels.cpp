// Operators from bytes to floats in one pass: `pointwise` and `erase` of augment/kernels/reference/pixelwise.py and
// `sharpen` of augment/kernels/reference/filtering.py. Also `count_levels` of augment/kernels/reference/levels.py.
#include "level_table.h"
#include "rectangle.h"

#include <algorithm>
#include <vector>

namespace {

constexpr int64_t BLOCK = 1024;  // pixels after which the next channel is processed, so that they stay in the L1 cache

void look_up(const uint8_t *level, const float *table, int64_t step, int64_t n, float *out) {
    for (int64_t i = 0; i < n; i++) out[i * step] = table[level[i * step]];
}

FOR_EVERY_PROCESSOR void to_floats(const uint8_t *level, int64_t n, float *out) {
    for (int64_t i = 0; i < n; i++) out[i] = one(level[i]);
}

// Sharpens rows of `length` values, of which every `step`-th belongs to the same channel; the outermost pixels stay.
FOR_EVERY_PROCESSOR void sharpen(const uint8_t *image, float change, int64_t height, int64_t length, int64_t step,
                                 float *out) {
    std::vector<int16_t> sums(length);
    for (int64_t row = 0; row < height; row++) {
        const uint8_t *here = image + row * length;
        float *to = out + row * length;
        to_floats(here, length, to);
        if (row == 0 || row == height - 1 || change == 0) continue;
        const uint8_t *above = here - length, *below = here + length;
        int16_t *sum = sums.data();
        for (int64_t j = 0; j < length; j++) sum[j] = above[j] + here[j] + below[j];
        for (int64_t j = step; j < length - step; j++) {
            const float level = here[j], around = (float)(sum[j - step] + sum[j] + sum[j + step] + 4 * here[j]);
            to[j] = clamped((level + change * (around * (1.0f / 13) - level)) * BYTE, 0, 1);
        }
    }
}

void to_floats(const float *value, int64_t n, float *out) { std::copy(value, value + n, out); }

// Fills a rectangle with a value.
template <typename T>
void erase(const T *image, const float *box, float value, int64_t height, int64_t width, int64_t step, float *out) {
    const Rectangle inside(box, height, width);
    to_floats(image, height * width * step, out);
    for (int64_t row = inside.top; row < inside.bottom && !inside.empty(); row++)
        std::fill(out + (row * width + inside.left) * step, out + (row * width + inside.right) * step, value);
}

}  // namespace

extern "C" void augment_count(const uint8_t *image, int channels_last, int64_t batch, int64_t channels, int64_t size,
                              int32_t *counts, int threads) {
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (int64_t plane = 0; plane < batch * channels; plane++) {
        const int64_t first = channels_last ? plane / channels * channels * size + plane % channels : plane * size;
        count(image + first, channels_last ? channels : 1, size, counts + plane * LEVELS);
    }
}

extern "C" void augment_look_up(const uint8_t *image, const float *tables, int channels_last, int64_t batch,
                                int64_t channels, int64_t size, float *out, int threads) {
    const int64_t step = channels_last ? channels : 1, next = channels_last ? 1 : size;
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (int64_t b = 0; b < batch; b++)
        for (int64_t start = 0; start < size; start += BLOCK)
            for (int64_t k = 0; k < channels; k++) {
                const int64_t first = b * channels * size + k * next + start * step;
                look_up(image + first, tables + (b * channels + k) * LEVELS, step, std::min(BLOCK, size - start),
                        out + first);
            }
}

extern "C" void augment_sharpen(const uint8_t *image, const float *change, int channels_last, int64_t batch,
                                int64_t channels, int64_t height, int64_t width, float *out, int threads) {
    const int64_t step = channels_last ? channels : 1, planes = channels_last ? 1 : channels;
    const int64_t size = height * width * step;
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (int64_t plane = 0; plane < batch * planes; plane++)
        sharpen(image + plane * size, change[plane / planes], height, width * step, step, out + plane * size);
}

// `floats` tells whether the image holds floats rather than bytes.
extern "C" void augment_erase(const void *image, int floats, const float *boxes, float value, int channels_last,
                              int64_t batch, int64_t channels, int64_t height, int64_t width, float *out, int threads) {
    const int64_t step = channels_last ? channels : 1, planes = channels_last ? 1 : channels;
    const int64_t size = height * width * step;
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (int64_t plane = 0; plane < batch * planes; plane++) {
        const float *box = boxes + 4 * (plane / planes);
        if (floats)
            erase((const float *)image + plane * size, box, value, height, width, step, out + plane * size);
        else
            erase((const uint8_t *)image + plane * size, box, value, height, width, step, out + plane * size);
    }
}
