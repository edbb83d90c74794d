// Images laid over others inside a rectangle: `lay_over` of augment/kernels/reference/overlay.py.
#include "rectangle.h"

#include <algorithm>

namespace {

// Adds the difference to the nearer side, as torch.lerp does, so that a share of 0 or 1 gives exactly one side.
FOR_EVERY_PROCESSOR void blend(const float *own, const float *other, float share, int64_t n, float *out) {
    if (share < 0.5f) for (int64_t i = 0; i < n; i++) out[i] = own[i] + share * (other[i] - own[i]);
    else for (int64_t i = 0; i < n; i++) out[i] = other[i] - (other[i] - own[i]) * (1 - share);
}

// Lays one plane over another; a row has `step` values per pixel.
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
                                const float *boxes, int channels_last, int64_t batch, int64_t channels, int64_t height,
                                int64_t width, float *out, int threads) {
    const int64_t step = channels_last ? channels : 1, planes = channels_last ? 1 : channels;
    const int64_t size = height * width * step;
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (int64_t plane = 0; plane < batch * planes; plane++) {
        const int64_t b = plane / planes, other = partner[b] * planes + plane % planes;
        lay(images + plane * size, others + other * size, share[b], boxes + 4 * b, height, width, step,
            out + plane * size);
    }
}
