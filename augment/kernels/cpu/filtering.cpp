// Separable filters, one per image: `separable_filter` of augment/kernels/reference/filtering.py.
#include "machine.h"

#include <algorithm>
#include <vector>

namespace {

struct Filter {
    const float *weight;
    const int32_t *pixel;  // pixel at each position from the first tap of the first window on; -1 for zero
    int64_t taps;
};

FOR_EVERY_PROCESSOR void filter_plane(const float *image, int64_t height, int64_t width, Filter down, Filter across,
                                      float *out) {
    const int64_t margin = across.taps - 1;
    std::vector<float> line(width + margin), rows(height * width);
    for (int64_t i = 0; i < height; i++) {
        for (int64_t j = 0; j < width + margin; j++)
            line[j] = across.pixel[j] < 0 ? 0 : image[i * width + across.pixel[j]];
        float *row = rows.data() + i * width;
        for (int64_t t = 0; t < across.taps; t++) {
            const float weight = across.weight[t], *from = line.data() + t;
            for (int64_t j = 0; j < width; j++) row[j] += from[j] * weight;
        }
    }
    for (int64_t i = 0; i < height; i++) {
        float *row = out + i * width;
        std::fill(row, row + width, 0.0f);
        for (int64_t t = 0; t < down.taps; t++) {
            if (down.pixel[i + t] < 0) continue;
            const float weight = down.weight[t], *from = rows.data() + down.pixel[i + t] * width;
            for (int64_t j = 0; j < width; j++) row[j] += from[j] * weight;
        }
    }
}

}  // namespace

extern "C" void augment_filter(const float *image, const uint8_t *chosen, const float *down, const int32_t *down_pixel,
                               int64_t tall, const float *across, const int32_t *across_pixel, int64_t wide,
                               int64_t batch, int64_t channels, int64_t height, int64_t width, float *out,
                               int threads) {
    const int64_t size = height * width;
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (int64_t plane = 0; plane < batch * channels; plane++) {
        const int64_t b = plane / channels;
        const float *from = image + plane * size;
        if (chosen[b])
            filter_plane(from, height, width, {down + b * tall, down_pixel, tall},
                         {across + b * wide, across_pixel, wide}, out + plane * size);
        else memcpy(out + plane * size, from, size * sizeof(float));
    }
}
