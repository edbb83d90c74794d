// A step of a policy on bytes: `policy_step` of augment/kernels/reference/policy_step.py, and `warp` of
// augment/kernels/reference/warping.py for one affine map and the nearest pixel.
#include "level_table.h"

#include <algorithm>
#include <vector>

namespace {

enum Operator {  // numbers as in augment/kernels/cpu/policy_step.py
    NOTHING,
    BRIGHTNESS,
    CONTRAST,
    POSTERIZE,
    SOLARIZE,
    SOLARIZE_ADD,
    INVERT,
    AUTO_CONTRAST,
    EQUALIZE,
    COLOR,
    SHARPNESS
};

struct Image {  // (C, height, width)
    const uint8_t *data;
    int64_t channels, height, width;

    int64_t plane() const { return height * width; }
    const uint8_t *channel(int64_t k) const { return data + k * plane(); }
};

// Converts to a byte as torchvision does: clamps to [0, 255] and drops the fraction.
INLINE uint8_t cut(float level) { return (uint8_t)(int32_t)clamped(level, 0, LEVELS - 1); }

INLINE float luma(float red, float green, float blue) {
    return std::floor(red * 0.2989f + green * 0.587f + blue * 0.114f);
}

// The mean of luma; images with fewer than three channels give the mean of these.
INLINE float mean_grey(const Image &image) {
    int64_t sum = 0;
    const int64_t n = image.plane();
    if (image.channels < 3) {
        for (int64_t i = 0; i < n * image.channels; i++) sum += image.data[i];
        return (float)((double)sum / (double)(n * image.channels));
    }
    const uint8_t *red = image.channel(0), *green = image.channel(1), *blue = image.channel(2);
    for (int64_t start = 0; start < n; start += 1 << 16) {
        int32_t part = 0;
        const int64_t end = std::min<int64_t>(n, start + (1 << 16));
        for (int64_t i = start; i < end; i++) part += (int32_t)luma(red[i], green[i], blue[i]);
        sum += part;
    }
    return (float)((double)sum / (double)n);
}

INLINE void curve_of_value(const Image &image, int op, float value, uint8_t *table) {
    const float mean = op == CONTRAST ? mean_grey(image) : 0;
    const float spacing = clamped(LEVELS / std::exp2(value), 1, LEVELS);  // of the levels that Posterize keeps
    for (int i = 0; i < LEVELS; i++) {
        float level = (float)i;
        if (op == BRIGHTNESS) level = level * value;
        if (op == CONTRAST) level = level * value + mean * (1 - value);
        if (op == POSTERIZE) level = std::floor(level / spacing) * spacing;
        if (op == SOLARIZE) level = level >= value ? LEVELS - 1 - level : level;
        if (op == SOLARIZE_ADD) level = level < 128 ? level + value : level;
        if (op == INVERT) level = LEVELS - 1 - level;
        table[i] = cut(level);
    }
}

INLINE void curve_of_histogram(const uint8_t *level, int64_t n, int op, uint8_t *table) {
    int32_t counts[LEVELS];
    int64_t low = LEVELS, high = -1;
    count(level, 1, n, counts);
    for (int i = 0; i < LEVELS; i++)
        if (counts[i]) low = std::min<int64_t>(low, i), high = i;
    for (int i = 0; i < LEVELS; i++) table[i] = (uint8_t)i;
    if (high <= low) return;
    if (op == AUTO_CONTRAST) {
        const float scale = (float)(high - low) * (1.0f / (LEVELS - 1));
        for (int i = 0; i < LEVELS; i++) table[i] = cut((float)(i - low) / scale);
        return;
    }
    const int64_t step = (n - counts[high]) / (LEVELS - 1);
    if (step == 0) return;
    int64_t below = 0;
    for (int i = 0; i < LEVELS; i++) {
        table[i] = (uint8_t)std::min<int64_t>((below + step / 2) / step, LEVELS - 1);
        below += counts[i];
    }
}

INLINE void through_tables(const Image &image, int op, float value, uint8_t *out) {
    const bool own = op == AUTO_CONTRAST || op == EQUALIZE;  // every channel has its own table
    uint8_t table[LEVELS];
    if (!own) curve_of_value(image, op, value, table);
    for (int64_t k = 0; k < image.channels; k++) {
        const uint8_t *level = image.channel(k);
        uint8_t *to = out + k * image.plane();
        if (own) curve_of_histogram(level, image.plane(), op, table);
        for (int64_t i = 0; i < image.plane(); i++) to[i] = table[level[i]];
    }
}

// Blends the first three channels with their luma; images with fewer channels and further channels stay.
INLINE void coloured(const Image &image, float factor, uint8_t *out) {
    const int64_t n = image.plane();
    memcpy(out, image.data, n * image.channels);
    if (image.channels < 3) return;
    const uint8_t *red = image.channel(0), *green = image.channel(1), *blue = image.channel(2);
    uint8_t *r = out, *g = out + n, *b = out + 2 * n;
    for (int64_t i = 0; i < n; i++) {
        const float rest = luma(red[i], green[i], blue[i]) * (1 - factor);
        r[i] = cut(red[i] * factor + rest);
        g[i] = cut(green[i] * factor + rest);
        b[i] = cut(blue[i] * factor + rest);
    }
}

// Blends with a smoothed copy (a 3x3 filter of ones with a 5 in the centre, over 13); the outermost pixels stay.
INLINE void sharpened(const Image &image, float factor, uint8_t *out) {
    memcpy(out, image.data, image.plane() * image.channels);
    if (std::min(image.height, image.width) < 3) return;
    std::vector<int16_t> sums(image.width);
    for (int64_t row = 0; row < image.channels * image.height; row++) {
        if (row % image.height == 0 || row % image.height == image.height - 1) continue;
        const uint8_t *above = image.data + (row - 1) * image.width, *here = above + image.width;
        const uint8_t *below = here + image.width;
        uint8_t *to = out + row * image.width;
        int16_t *sum = sums.data();
        for (int64_t j = 0; j < image.width; j++) sum[j] = above[j] + here[j] + below[j];
        for (int64_t j = 1; j < image.width - 1; j++) {
            const float around = (float)(sum[j - 1] + sum[j] + sum[j + 1] + 4 * here[j]), level = here[j];
            const float smooth = std::nearbyint(around * (1.0f / 13));
            to[j] = cut(level + (1 - factor) * (smooth - level));
        }
    }
}

FOR_EVERY_PROCESSOR void carry_out(const Image &image, int op, float value, uint8_t *out) {
    if (op == NOTHING) memcpy(out, image.data, image.plane() * image.channels);
    else if (op == COLOR) coloured(image, value, out);
    else if (op == SHARPNESS) sharpened(image, value, out);
    else through_tables(image, op, value, out);
}

// Copies to each pixel the one nearest to the position to which the matrix maps it, or its channel's `fill` outside.
FOR_EVERY_PROCESSOR void move(const Image &image, const float *m, const uint8_t *fill, uint8_t *out) {
    std::vector<int32_t> from(image.width);
    const float wide = (float)image.width - 0.5f, tall = (float)image.height - 0.5f;
    const int32_t last_column = (int32_t)image.width - 1, last_row = (int32_t)image.height - 1;
    for (int64_t i = 0; i < image.height; i++) {
        const float y = (float)i, in_x = m[1] * y + m[2], in_y = m[4] * y + m[5];
        int32_t *where = from.data();
        for (int32_t j = 0; j < (int32_t)image.width; j++) {
            const float u = m[0] * (float)j + in_x, v = m[3] * (float)j + in_y;
            const bool inside = (u >= -0.5f) & (u < wide) & (v >= -0.5f) & (v < tall);
            const int32_t column = (int32_t)std::nearbyint(clamped(u, 0, (float)last_column));
            const int32_t row = (int32_t)std::nearbyint(clamped(v, 0, (float)last_row));
            where[j] = inside ? row * (int32_t)image.width + column : -1;
        }
        for (int64_t k = 0; k < image.channels; k++) {
            const uint8_t *channel = image.channel(k);
            uint8_t *to = out + k * image.plane() + i * image.width;
            const uint8_t colour = fill[k];
            for (int64_t j = 0; j < image.width; j++) to[j] = where[j] < 0 ? colour : channel[where[j]];
        }
    }
}

}  // namespace

extern "C" void augment_carry_out(const uint8_t *image, const int32_t *op, const float *value, int64_t batch,
                                  int64_t channels, int64_t height, int64_t width, uint8_t *out, int threads) {
    const int64_t size = channels * height * width;
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (int64_t b = 0; b < batch; b++)
        carry_out({image + b * size, channels, height, width}, op[b], value[b], out + b * size);
}

extern "C" void augment_move(const uint8_t *image, const float *matrix, const uint8_t *chosen, const uint8_t *fill,
                             int64_t batch, int64_t channels, int64_t height, int64_t width, uint8_t *out, int threads) {
    const int64_t size = channels * height * width;
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (int64_t b = 0; b < batch; b++) {
        if (chosen[b]) move({image + b * size, channels, height, width}, matrix + 9 * b, fill, out + b * size);
        else memcpy(out + b * size, image + b * size, size);
    }
}
