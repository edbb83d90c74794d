// Adjustments of colour one after another, a block of pixels at a time: `adjust_color` of
// augment/kernels/reference/coloring.py.
#include "level_table.h"

#include <algorithm>
#include <numeric>

namespace {

constexpr int BLOCK = 512;  // pixels; their floats stay in the L1 cache
constexpr float NOTHING = 1e-30f;  // pixels.NOTHING
constexpr float LUMA[3] = {0.299f, 0.587f, 0.114f};  // color.LUMA

enum Step { BLACK, MEAN, GRAY, HUE, ADD, MULTIPLY, SATURATION };  // the order of coloring.STEPS

struct Block {
    float red[BLOCK], green[BLOCK], blue[BLOCK];
};

// Where the values of an image are: three planes, of which neighbouring pixels are `step` values apart.
template <typename T>
struct Planes {
    const T *red, *green, *blue;
    int64_t step;
};

FOR_EVERY_PROCESSOR void scale(float *value, int n, float factor, float more) {
    for (int i = 0; i < n; i++) value[i] = clamped(value[i] * factor + more, 0, 1);
}

FOR_EVERY_PROCESSOR void add(float *value, int n, float more) {
    for (int i = 0; i < n; i++) value[i] = clamped(value[i] + more, 0, 1);
}

FOR_EVERY_PROCESSOR void blend_with_gray(float *red, float *green, float *blue, int n, float factor) {
    for (int i = 0; i < n; i++) {
        const float gray = red[i] * LUMA[0] + green[i] * LUMA[1] + blue[i] * LUMA[2], rest = gray * (1 - factor);
        red[i] = clamped(red[i] * factor + rest, 0, 1);
        green[i] = clamped(green[i] * factor + rest, 0, 1);
        blue[i] = clamped(blue[i] * factor + rest, 0, 1);
    }
}

FOR_EVERY_PROCESSOR void turn_hue(float *red, float *green, float *blue, int n, float turns) {
    for (int i = 0; i < n; i++) {
        const float r = red[i], g = green[i], b = blue[i];
        const float value = std::max(std::max(r, g), b), chroma = value - std::min(std::min(r, g), b);
        const bool red_most = (r >= g) & (r >= b), green_more = g >= b;
        const float rise = red_most ? g - b : green_more ? b - r : r - g;
        const float start = red_most ? 0.0f : green_more ? 2.0f : 4.0f;
        float hue = rise / (chroma > NOTHING ? chroma : 1.0f) + start + 6 * turns;
        hue = hue - 6 * std::floor(hue * (1.0f / 6));
        red[i] = clamped(value - chroma * (1 - clamped(std::fabs(hue - 3) - 1, 0, 1)), 0, 1);
        green[i] = clamped(value - chroma * (1 - clamped(2 - std::fabs(hue - 2), 0, 1)), 0, 1);
        blue[i] = clamped(value - chroma * (1 - clamped(2 - std::fabs(hue - 4), 0, 1)), 0, 1);
    }
}

FOR_EVERY_PROCESSOR void scale_saturation(float *red, float *green, float *blue, int n, float factor) {
    for (int i = 0; i < n; i++) {
        const float r = red[i], g = green[i], b = blue[i];
        const float value = std::max(std::max(r, g), b), chroma = value - std::min(std::min(r, g), b);
        const bool full = (chroma * factor > value) & (chroma > NOTHING);
        const float ratio = full ? value / (full ? chroma : 1.0f) : factor;
        red[i] = clamped(value - (value - r) * ratio, 0, 1);
        green[i] = clamped(value - (value - g) * ratio, 0, 1);
        blue[i] = clamped(value - (value - b) * ratio, 0, 1);
    }
}

void adjust(Block &block, int n, int step, float amount, float mean) {
    float *channels[] = {block.red, block.green, block.blue};
    const float more = step == MEAN ? mean * (1 - amount) : 0.0f;
    switch (step) {
    case GRAY: return blend_with_gray(block.red, block.green, block.blue, n, amount);
    case HUE: return turn_hue(block.red, block.green, block.blue, n, amount);
    case SATURATION: return scale_saturation(block.red, block.green, block.blue, n, amount);
    case ADD:
        for (float *channel : channels) add(channel, n, amount - 1);
        return;
    default:
        for (float *channel : channels) scale(channel, n, amount, more);
    }
}

template <typename T>
INLINE void copied(const Planes<T> &from, int64_t start, int n, int64_t step, Block &block) {
    for (int i = 0; i < n; i++) {
        block.red[i] = one(from.red[(start + i) * step]);
        block.green[i] = one(from.green[(start + i) * step]);
        block.blue[i] = one(from.blue[(start + i) * step]);
    }
}

template <typename T>
INLINE void copied_by_step(const Planes<T> &from, int64_t start, int n, Block &block) {
    if (from.step == 1)
        copied(from, start, n, 1, block);
    else if (from.step == 3)
        copied(from, start, n, 3, block);
    else
        copied(from, start, n, from.step, block);
}

FOR_EVERY_PROCESSOR void load(const Planes<float> &from, int64_t start, int n, Block &block) {
    copied_by_step(from, start, n, block);
}

FOR_EVERY_PROCESSOR void load(const Planes<uint8_t> &from, int64_t start, int n, Block &block) {
    copied_by_step(from, start, n, block);
}

FOR_EVERY_PROCESSOR void store(const Block &block, int n, float *out, bool interleaved, int64_t size) {
    if (interleaved) {
        for (int i = 0; i < n; i++) {
            out[3 * i] = block.red[i];
            out[3 * i + 1] = block.green[i];
            out[3 * i + 2] = block.blue[i];
        }
    } else {
        std::copy(block.red, block.red + n, out);
        std::copy(block.green, block.green + n, out + size);
        std::copy(block.blue, block.blue + n, out + 2 * size);
    }
}

FOR_EVERY_PROCESSOR float luma_of(const Block &block, int n) {
    float lanes[16] = {};  // sums that the compiler may compute side by side
    for (int i = 0; i < n; i++)
        lanes[i & 15] += block.red[i] * LUMA[0] + block.green[i] * LUMA[1] + block.blue[i] * LUMA[2];
    return std::accumulate(lanes, lanes + 16, 0.0f);
}

// The mean luma of an image after its first steps.
template <typename T>
float mean_after(const Planes<T> &image, const int *steps, const float *amounts, int count, int64_t size) {
    Block block;
    double sum = 0;
    for (int64_t start = 0; start < size; start += BLOCK) {
        const int n = (int)std::min<int64_t>(BLOCK, size - start);
        load(image, start, n, block);
        for (int k = 0; k < count; k++) adjust(block, n, steps[k], amounts[k], 0);
        sum += luma_of(block, n);
    }
    return (float)(sum / size);
}

// `contrast` is the position of the only step that needs the mean; `count` if there is none.
template <typename T>
void adjust_image(const Planes<T> &image, const int *steps, const float *amounts, int count, bool chosen,
                  bool interleaved, int64_t size, float *out) {
    const int contrast = (int)(std::find(steps, steps + count, (int)MEAN) - steps);
    const float mean = chosen && contrast < count ? mean_after(image, steps, amounts, contrast, size) : 0;
    Block block;
    for (int64_t start = 0; start < size; start += BLOCK) {
        const int n = (int)std::min<int64_t>(BLOCK, size - start);
        load(image, start, n, block);
        for (int k = 0; k < count && chosen; k++) adjust(block, n, steps[k], amounts[k], mean);
        store(block, n, out + start * (interleaved ? 3 : 1), interleaved, size);
    }
}

template <typename T>
void adjust_all(const void *const *planes, int64_t next_image, int64_t step, const uint8_t *chosen, const int *steps,
                const float *amounts, int count, bool interleaved, int64_t batch, int64_t size, float *out,
                int threads) {
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (int64_t b = 0; b < batch; b++) {
        const T *const first[] = {(const T *)planes[0], (const T *)planes[1], (const T *)planes[2]};
        const Planes<T> image = {first[0] + b * next_image, first[1] + b * next_image, first[2] + b * next_image, step};
        adjust_image(image, steps, amounts + b * count, count, chosen[b] != 0, interleaved, size,
                     out + b * 3 * size);
    }
}

}  // namespace

// Writes floats.
//   planes      the first value of red, green and blue
//   floats      whether values are floats rather than bytes
//   next_image  values from an image to the next
//   step        values from a pixel to the next
//   steps       numbers of coloring.STEPS, MEAN at most once
//   amounts     (batch, count)
extern "C" void augment_adjust_color(const void *const *planes, int floats, int64_t next_image, int64_t step,
                                     const uint8_t *chosen, const int *steps, const float *amounts, int count,
                                     int channels_last, int64_t batch, int64_t size, float *out, int threads) {
    (floats ? adjust_all<float> : adjust_all<uint8_t>)(planes, next_image, step, chosen, steps, amounts, count,
                                                        channels_last != 0, batch, size, out, threads);
}
