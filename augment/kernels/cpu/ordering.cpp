// Planes of pixels -> floats in channels_last order, normalized on the way: `normalize` of
// augment/kernels/reference/pixelwise.py and `channels_last` of augment/data/primitives.py.
#include "level_table.h"

namespace {

constexpr int64_t MOST = 64;  // channels; planes.py refuses more

// One image of three channels; neighbouring pixels of a plane are STEP values apart.
template <int STEP, typename T>
INLINE void three(const T *const *plane, int64_t size, const float *mean, const float *factor, float *out) {
    const T *first = plane[0], *second = plane[1], *third = plane[2];
    const float m0 = mean[0], m1 = mean[1], m2 = mean[2], f0 = factor[0], f1 = factor[1], f2 = factor[2];
    for (int64_t i = 0; i < size; i++) {
        out[3 * i] = (one(first[i * STEP]) - m0) * f0;
        out[3 * i + 1] = (one(second[i * STEP]) - m1) * f1;
        out[3 * i + 2] = (one(third[i * STEP]) - m2) * f2;
    }
}

FOR_EVERY_PROCESSOR void three_planes(const uint8_t *const *plane, int64_t size, const float *mean, const float *factor,
                                      float *out) {
    three<1>(plane, size, mean, factor, out);
}

FOR_EVERY_PROCESSOR void three_planes(const float *const *plane, int64_t size, const float *mean, const float *factor,
                                      float *out) {
    three<1>(plane, size, mean, factor, out);
}

FOR_EVERY_PROCESSOR void three_interleaved(const uint8_t *const *plane, int64_t size, const float *mean,
                                           const float *factor, float *out) {
    three<3>(plane, size, mean, factor, out);
}

FOR_EVERY_PROCESSOR void three_interleaved(const float *const *plane, int64_t size, const float *mean,
                                           const float *factor, float *out) {
    three<3>(plane, size, mean, factor, out);
}

template <typename T>
void in_order(const void *const *planes, int64_t next_image, int64_t step, const float *mean, const float *factor,
              int64_t batch, int64_t channels, int64_t size, float *out, int threads) {
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t b = 0; b < batch; b++) {
        const T *plane[MOST];
        for (int64_t k = 0; k < channels; k++) plane[k] = static_cast<const T *>(planes[k]) + b * next_image;
        float *to = out + b * channels * size;
        if (channels == 3 && step == 1) {
            three_planes(plane, size, mean, factor, to);
        } else if (channels == 3 && step == 3 && plane[1] == plane[0] + 1 && plane[2] == plane[0] + 2) {
            three_interleaved(plane, size, mean, factor, to);
        } else {
            for (int64_t i = 0; i < size; i++)
                for (int64_t k = 0; k < channels; k++)
                    to[i * channels + k] = (one(plane[k][i * step]) - mean[k]) * factor[k];
        }
    }
}

}  // namespace

// Writes (value - mean) * factor.
//   planes      the first value of each channel
//   floats      whether values are floats rather than bytes
//   next_image  values from an image to the next
//   step        values from a pixel to the next
extern "C" void augment_in_order(const void *const *planes, int floats, int64_t next_image, int64_t step,
                                 const float *mean, const float *factor, int64_t batch, int64_t channels, int64_t size,
                                 float *out, int threads) {
    (floats ? in_order<float> : in_order<uint8_t>)(planes, next_image, step, mean, factor, batch, channels, size, out,
                                                    threads);
}
