// Images laid over others inside a rectangle, as augment/kernels/reference/overlay.py defines it.
#include "rectangle.h"

#include <algorithm>

namespace {

// The weight is small on the side that the difference is added to, as in torch.lerp: 0 and 1 give one side's bits.
FOR_EVERY_PROCESSOR void blend(const float *own, const float *other, float share, int64_t n, float *out) {
    if (share < 0.5f) for (int64_t i = 0; i < n; i++) out[i] = own[i] + share * (other[i] - own[i]);
    else for (int64_t i = 0; i < n; i++) out[i] = other[i] - (other[i] - own[i]) * (1 - share);
}

// A plane whose rows hold `step` values a pixel.
void lay(const float *own, const float *other, float share, const float *box, int64_t height, int64_t width,
         int64_t step, float *out) {
    const Rectangle inside(box, height, width);
    const int64_t length = width * step, from = inside.left * step, to = inside.right * step;
    if (!(share > 0) || inside.empty()) {
        std::copy_n(own, height * length, out);
        return;
    }
    std::copy_n(own, inside.top * length, out);
    for (int64_t row = inside.top; row < inside.bottom; row++) {
        const int64_t start = row * length;
        std::copy_n(own + start, from, out + start);
        if (share == 1) std::copy_n(other + start + from, to - from, out + start + from);
        else blend(own + start + from, other + start + from, share, to - from, out + start + from);
        std::copy_n(own + start + to, length - to, out + start + to);
    }
    std::copy_n(own + inside.bottom * length, (height - inside.bottom) * length, out + inside.bottom * length);
}

}  // namespace

extern "C" void augment_overlay(const float *images, const float *others, const int64_t *partner, const float *share,
                                const float *boxes, int together, int64_t batch, int64_t channels, int64_t height,
                                int64_t width, float *out, int threads) {
    const int64_t step = together ? channels : 1, planes = together ? 1 : channels, size = height * width * step;
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (int64_t plane = 0; plane < batch * planes; plane++) {
        const int64_t b = plane / planes, other = partner[b] * planes + plane % planes;
        lay(images + plane * size, others + other * size, share[b], boxes + 4 * b, height, width, step,
            out + plane * size);
    }
}
