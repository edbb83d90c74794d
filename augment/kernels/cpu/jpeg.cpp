// JPEG compression and decompression: `jpeg` of augment/kernels/reference/jpeg.py.
#include "machine.h"

#include <algorithm>
#include <vector>

namespace {

constexpr int SIDE = 8, AREA = SIDE * SIDE;  // of a block, in pixels

typedef float Eight __attribute__((vector_size(32)));
typedef float Unaligned __attribute__((vector_size(32), aligned(4), may_alias));
typedef int32_t Places __attribute__((vector_size(32)));

// Selects eight elements of two vectors by their positions.
#if defined(__clang__)
#define TAKEN(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define TAKEN(a, b, ...) __builtin_shuffle(a, b, Places{__VA_ARGS__})
#endif

constexpr float C1 = 0.49039264f, C2 = 0.46193977f, C3 = 0.41573481f, C4 = 0.35355339f;  // cos(k pi / 16) / 2
constexpr float C5 = 0.27778512f, C6 = 0.19134172f, C7 = 0.09754516f;

struct Table {  // quantization steps, one row per horizontal frequency
    float step[AREA], inverse[AREA];

    explicit Table(const float *steps) {  // one row per vertical frequency
        for (int k = 0; k < AREA; k++) {
            step[k] = steps[k % SIDE * SIDE + k / SIDE];
            inverse[k] = 1 / step[k];
        }
    }
};

// Discrete cosine transform down each of the eight columns.
INLINE void down(Eight *row) {
    const Eight s0 = row[0] + row[7], s1 = row[1] + row[6], s2 = row[2] + row[5], s3 = row[3] + row[4];
    const Eight d0 = row[0] - row[7], d1 = row[1] - row[6], d2 = row[2] - row[5], d3 = row[3] - row[4];
    const Eight outer = s0 - s3, inner = s1 - s2;
    row[0] = C4 * ((s0 + s3) + (s1 + s2));
    row[4] = C4 * ((s0 + s3) - (s1 + s2));
    row[2] = C2 * outer + C6 * inner;
    row[6] = C6 * outer - C2 * inner;
    row[1] = C1 * d0 + C3 * d1 + C5 * d2 + C7 * d3;
    row[3] = C3 * d0 - C7 * d1 - C1 * d2 - C5 * d3;
    row[5] = C5 * d0 - C1 * d1 + C7 * d2 + C3 * d3;
    row[7] = C7 * d0 - C5 * d1 + C3 * d2 - C1 * d3;
}

// Inverse of `down`.
INLINE void up(Eight *row) {
    const Eight sum = C4 * (row[0] + row[4]), difference = C4 * (row[0] - row[4]);
    const Eight outer = C2 * row[2] + C6 * row[6], inner = C6 * row[2] - C2 * row[6];
    const Eight even[4] = {sum + outer, difference + inner, difference - inner, sum - outer};
    const Eight odd[4] = {C1 * row[1] + C3 * row[3] + C5 * row[5] + C7 * row[7],
                          C3 * row[1] - C7 * row[3] - C1 * row[5] - C5 * row[7],
                          C5 * row[1] - C1 * row[3] + C7 * row[5] + C3 * row[7],
                          C7 * row[1] - C5 * row[3] + C3 * row[5] - C1 * row[7]};
    for (int i = 0; i < 4; i++) row[i] = even[i] + odd[i], row[7 - i] = even[i] - odd[i];
}

// Interleaving rows i and i + 4 moves one bit of the row number to the column number; three times moves all bits.
INLINE void transpose(Eight *row) {
    for (int bit = 0; bit < 3; bit++) {
        Eight mixed[SIDE];
        for (int i = 0; i < SIDE / 2; i++) {
            mixed[2 * i] = TAKEN(row[i], row[i + 4], 0, 8, 1, 9, 2, 10, 3, 11);
            mixed[2 * i + 1] = TAKEN(row[i], row[i + 4], 4, 12, 5, 13, 6, 14, 7, 15);
        }
        for (int i = 0; i < SIDE; i++) row[i] = mixed[i];
    }
}

// Rounds as `_round_away` does. Multiplying by the inverse adds less error than the transform before.
INLINE void quantize(float *coefficient, const Table &table) {
    for (int k = 0; k < AREA; k++) {
        const float steps = coefficient[k] * table.inverse[k];
        coefficient[k] = std::trunc(steps + std::copysign(0.501f, steps)) * table.step[k];
    }
}

INLINE void transcode_block(float *levels, int64_t stride, const Table &table) {
    Eight rows[SIDE];
    for (int i = 0; i < SIDE; i++) rows[i] = *(const Unaligned *)(levels + i * stride);
    down(rows);
    transpose(rows);
    down(rows);
    quantize((float *)rows, table);
    up(rows);
    transpose(rows);
    up(rows);
    for (int i = 0; i < SIDE; i++) *(Unaligned *)(levels + i * stride) = rows[i];
}

struct Plane {  // levels of one channel, padded to whole blocks
    int64_t height, width;
    std::vector<float> level;

    Plane(int64_t height, int64_t width) : height(height), width(width), level(height * width) {}
    float *row(int64_t i) { return level.data() + i * width; }
};

// Transcodes `count` rows from `first` on.
INLINE void transcode(Plane &plane, int64_t first, int64_t count, const Table &table) {
    for (int64_t i = first; i < first + count; i += SIDE)
        for (int64_t j = 0; j < plane.width; j += SIDE) transcode_block(plane.row(i) + j, plane.width, table);
}

struct Image {
    const float *data;
    float *out;
    int64_t channels, height, width;
    bool interleaved;

    int64_t column() const { return interleaved ? channels : 1; }
    int64_t row() const { return width * column(); }
    int64_t channel() const { return interleaved ? 1 : height * width; }
};

// Clamps to [low, high]; NaN stays NaN, as in torch.
INLINE float cut(float value, float low, float high) {
    value = value < low ? low : value;
    return value > high ? high : value;
}

INLINE float level_of(float value) { return cut(value, 0, 1) * 255 - 128; }
INLINE float value_of(float level) { return cut((level + 128) * (1.0f / 255), 0, 1); }

// Reads the levels of one row, padded by its last pixel; rows below the image repeat its last row.
INLINE void read(const Image &image, int64_t channel, int64_t i, int64_t padded, float *__restrict to) {
    const int64_t step = image.column(), width = image.width;
    const float *from = image.data + channel * image.channel() + std::min(i, image.height - 1) * image.row();
    if (step == 1)
        for (int64_t j = 0; j < width; j++) to[j] = level_of(from[j]);
    else if (step == 3)
        for (int64_t j = 0; j < width; j++) to[j] = level_of(from[3 * j]);
    else
        for (int64_t j = 0; j < width; j++) to[j] = level_of(from[step * j]);
    std::fill(to + width, to + padded, to[width - 1]);
}

FOR_EVERY_PROCESSOR void code_grey(const Image &image, const Table &table, Plane &plane) {
    for (int64_t k = 0; k < image.channels; k++) {
        for (int64_t i = 0; i < plane.height; i++) read(image, k, i, plane.width, plane.row(i));
        transcode(plane, 0, plane.height, table);
        for (int64_t i = 0; i < image.height; i++) {
            const float *from = plane.row(i);
            float *to = image.out + k * image.channel() + i * image.row();
            for (int64_t j = 0; j < image.width; j++) to[j * image.column()] = value_of(from[j]);
        }
    }
}

constexpr float RED = 0.299f, GREEN = 0.587f, BLUE = 0.114f;  // weights in luma
constexpr float TO_BLUE = 2 * (1 - BLUE), TO_RED = 2 * (1 - RED);

struct Colours {
    Plane luma, cb, cr;
    std::vector<float> lines;

    Colours(int64_t height, int64_t width)
        : luma(height, width), cb(height / 2, width / 2), cr(height / 2, width / 2), lines(6 * (width + 2)) {}
    float *line(int k) { return lines.data() + k * (luma.width + 2); }
};

// The sum of the four pixels that colour difference j covers.
INLINE float around(const float *upper, const float *lower, int64_t j) {
    return (upper[2 * j] + upper[2 * j + 1]) + (lower[2 * j] + lower[2 * j + 1]);
}

// Computes rows i and i + 1 of luma, and their common row of the colour differences.
INLINE void split(const Image &image, int64_t i, Colours &to) {
    const int64_t width = to.luma.width;
    for (int n = 0; n < 2; n++) {
        for (int k = 0; k < 3; k++) read(image, k, i + n, width, to.line(3 * n + k));
        const float *red = to.line(3 * n), *green = to.line(3 * n + 1), *blue = to.line(3 * n + 2);
        float *luma = to.luma.row(i + n);
        for (int64_t j = 0; j < width; j++) luma[j] = RED * red[j] + GREEN * green[j] + BLUE * blue[j];
    }
    float *cb = to.cb.row(i / 2), *cr = to.cr.row(i / 2);
    for (int64_t j = 0; j < width / 2; j++) {
        const float luma = around(to.luma.row(i), to.luma.row(i + 1), j);
        cb[j] = (around(to.line(2), to.line(5), j) - luma) * (0.25f / TO_BLUE);
        cr[j] = (around(to.line(0), to.line(3), j) - luma) * (0.25f / TO_RED);
    }
}

// Enlarges n pixels to 2 n, in a row between two rows of which `near` has three times the weight of `far`.
INLINE void enlarge(const float *near, const float *far, int64_t n, float *__restrict blend, float *__restrict to) {
    for (int64_t j = 0; j < n; j++) blend[j + 1] = 0.75f * near[j] + 0.25f * far[j];
    blend[0] = blend[1], blend[n + 1] = blend[n];
    for (int64_t j = 0; j < n; j++) {
        to[2 * j] = 0.75f * blend[j + 1] + 0.25f * blend[j];
        to[2 * j + 1] = 0.75f * blend[j + 1] + 0.25f * blend[j + 2];
    }
}

template <bool in_threes>
INLINE void write(const float *luma, const float *cb, const float *cr, const Image &image, float *__restrict to) {
    const int64_t step = in_threes ? 3 : image.column(), channel = in_threes ? 1 : image.channel();
    for (int64_t j = 0; j < image.width; j++) {
        const float red = luma[j] + cr[j] * TO_RED, blue = luma[j] + cb[j] * TO_BLUE;
        to[j * step] = value_of(red);
        to[j * step + channel] = value_of((luma[j] - RED * red - BLUE * blue) * (1 / GREEN));
        to[j * step + 2 * channel] = value_of(blue);
    }
}

// Writes row i of the output; the decoder has colours only for pixels inside the image.
INLINE void join(const Image &image, int64_t i, Colours &from) {
    const int64_t tall = (image.height + 1) / 2, wide = (image.width + 1) / 2, near = i / 2;
    const int64_t far = std::min(std::max<int64_t>(i % 2 ? near + 1 : near - 1, 0), tall - 1);
    float *cb = from.line(0), *cr = from.line(1), *to = image.out + i * image.row();
    enlarge(from.cb.row(near), from.cb.row(far), wide, from.line(2), cb);
    enlarge(from.cr.row(near), from.cr.row(far), wide, from.line(2), cr);
    if (image.column() == 3) write<true>(from.luma.row(i), cb, cr, image, to);
    else write<false>(from.luma.row(i), cb, cr, image, to);
}

FOR_EVERY_PROCESSOR void code_colours(const Image &image, const Table &luma, const Table &chroma, Colours &colours) {
    for (int64_t first = 0; first < colours.luma.height; first += 2 * SIDE) {
        for (int64_t i = first; i < first + 2 * SIDE; i += 2) split(image, i, colours);
        transcode(colours.luma, first, 2 * SIDE, luma);
        transcode(colours.cb, first / 2, SIDE, chroma);
        transcode(colours.cr, first / 2, SIDE, chroma);
    }
    for (int64_t i = 0; i < image.height; i++) join(image, i, colours);
}

int64_t whole_blocks(int64_t extent) { return (extent + 2 * SIDE - 1) / (2 * SIDE) * (2 * SIDE); }

}  // namespace

extern "C" void augment_jpeg(const float *image, const uint8_t *chosen, const float *tables, int interleaved,
                             int64_t batch, int64_t channels, int64_t height, int64_t width, float *out, int threads) {
    const int64_t size = channels * height * width;
    if (size == 0) return;
#pragma omp parallel num_threads(threads)
    {
        Colours colours(whole_blocks(height), whole_blocks(width));
#pragma omp for schedule(dynamic)
        for (int64_t b = 0; b < batch; b++) {
            const Image one{image + b * size, out + b * size, channels, height, width, interleaved != 0};
            const Table luma(tables + 2 * b * AREA), chroma(tables + (2 * b + 1) * AREA);
            if (!chosen[b] || channels > 3) memcpy(one.out, one.data, size * sizeof(float));
            if (!chosen[b]) continue;
            if (channels < 3) code_grey(one, luma, colours.luma);
            else code_colours(one, luma, chroma, colours);
        }
    }
}
