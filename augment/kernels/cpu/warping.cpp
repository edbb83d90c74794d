// A run of warps that are matrices: `resample` of augment/kernels/reference/warping.py.
#include "taps.h"

namespace {

constexpr int NINE = 9;

struct Run {
    Source source;
    const float *window, *radius;  // see sampling.cpp
    int64_t steps;
    const float *matrix;  // (B, steps, 3, 3): positions in a step's output -> positions in its input
    const float *size;    // (B, steps, 2): height and width of a step's input
    const float *fill;    // (steps, C): value outside the input of a step, negative if it is never seen
    int64_t height, width;
    float *out;  // (B, C, height, width)
};

// The input of a step, with the map from output pixels of the run to positions in it.
struct Frame {
    float matrix[NINE];  // output pixel -> position in the frame
    float last_row, last_column;
    const float *fill;  // (C,)
};

// Positions in a frame along a row of output pixels: u / w and v / w, where (u, v, w) = start + slope * column.
struct Line {
    float slope[3], start[3];
    bool affine;
};

// Whether some pixels lie inside a frame.
enum Share { INSIDE, PARTLY, OUTSIDE };

// The frames of all steps; the matrix of the first frame is that of the whole run.
INLINE std::vector<Frame> frames_of(const Run &run, int64_t b) {
    std::vector<Frame> frames(run.steps);
    for (int64_t s = run.steps - 1; s >= 0; s--) {
        const float *m = run.matrix + (b * run.steps + s) * NINE, *size = run.size + (b * run.steps + s) * 2;
        Frame &frame = frames[s];
        frame.last_row = size[0] - 1, frame.last_column = size[1] - 1, frame.fill = run.fill + s * run.source.channels;
        if (s == run.steps - 1) memcpy(frame.matrix, m, sizeof frame.matrix);
        else
            for (int e = 0; e < NINE; e++) {
                const float *row = m + e / 3 * 3, *column = frames[s + 1].matrix + e % 3;
                frame.matrix[e] = row[0] * column[0] + row[1] * column[3] + row[2] * column[6];
            }
    }
    return frames;
}

INLINE Line line_of(const Frame &frame, int64_t row) {
    const float *m = frame.matrix, i = (float)row;
    const bool affine = m[6] == 0 && m[7] == 0 && m[8] == 1;
    return {{m[0], m[3], m[6]}, {m[1] * i + m[2], m[4] * i + m[5], m[7] * i + m[8]}, affine};
}

// The positions of `count` pixels that are `step` columns apart.
INLINE void look(const Line &line, int64_t column, int step, int count, float *x, float *y) {
    const float *slope = line.slope, *start = line.start;
    for (int k = 0; k < count; k++) {
        const float j = (float)(int32_t)(column + k * step);
        x[k] = slope[0] * j + start[0];
        y[k] = slope[1] * j + start[1];
    }
    for (int k = 0; !line.affine && k < count; k++) {
        const float w = slope[2] * (float)(int32_t)(column + k * step) + start[2];
        x[k] /= w;
        y[k] /= w;
    }
}

// How much of a unit tent at a position lies in [0, last + 1): 1 inside, 0 from one pixel outside on.
INLINE float cover(float at, float last) {
    const float low = at + 1, high = last + 1 - at;
    return clamped(low < high ? low : high, 0, 1);
}

// Positions lie on a line, so both ends decide for all between them, unless the line passes through infinity.
INLINE Share share_of(const Frame &frame, const Line &line, int64_t column, int count) {
    float x[2], y[2];
    look(line, column, count - 1, 2, x, y);
    const float first = line.slope[2] * (float)column + line.start[2];
    const float last = line.slope[2] * (float)(column + count - 1) + line.start[2];
    if (!line.affine && !((first > 0 && last > 0) || (first < 0 && last < 0))) return PARTLY;
    const float left = x[0] < x[1] ? x[0] : x[1], right = x[0] < x[1] ? x[1] : x[0];
    const float top = y[0] < y[1] ? y[0] : y[1], bottom = y[0] < y[1] ? y[1] : y[0];
    if (left >= 0 && right <= frame.last_column && top >= 0 && bottom <= frame.last_row) return INSIDE;
    if (right <= -1 || left >= frame.last_column + 1 || bottom <= -1 || top >= frame.last_row + 1) return OUTSIDE;
    return PARTLY;
}

// Blends to the fill value over one pixel, as interpolation does.
INLINE void blend(const Frame &frame, const Line &line, int64_t column, int count, float *out, int64_t plane,
                  int64_t channels) {
    float x[CHUNK], y[CHUNK];
    look(line, column, 1, count, x, y);
    for (int k = 0; k < count; k++) x[k] = cover(x[k], frame.last_column) * cover(y[k], frame.last_row);
    for (int64_t c = 0; c < channels; c++) {
        const float fill = frame.fill[c];
        if (c == 0 || fill != frame.fill[c - 1])
            for (int k = 0; k < count; k++) y[k] = fill * (1 - x[k]);
        for (int k = 0; k < count; k++) out[c * plane + k] = out[c * plane + k] * x[k] + y[k];
    }
}

template <typename T>
INLINE void warp_rows(const Run &run, int64_t b, int64_t from, int64_t to) {
    const int64_t channels = run.source.channels, plane = run.height * run.width;
    const std::vector<Frame> frames = frames_of(run, b);
    std::vector<Line> lines(run.steps);
    std::vector<Share> shares(run.steps);
    Reader reader(run.source, b, run.window + 4 * b, run.radius + 2 * b);
    for (int64_t i = from; i < to; i++) {
        for (int64_t s = 0; s < run.steps; s++) lines[s] = line_of(frames[s], i);
        for (int64_t j = 0; j < run.width; j += CHUNK) {
            const int count = (int)std::min<int64_t>(CHUNK, run.width - j);
            float *out = run.out + b * channels * plane + i * run.width + j;
            int64_t s = run.steps - 1;
            for (; s >= 0; s--) {
                shares[s] = frames[s].fill[0] < 0 ? INSIDE : share_of(frames[s], lines[s], j, count);
                if (shares[s] == OUTSIDE) break;  // earlier frames are not seen
            }
            if (s < 0) {
                float x[CHUNK], y[CHUNK];
                look(lines[0], j, 1, count, x, y);
                sample_chunk<T>(reader, x, 1, y, 1, count, out, plane);
            } else {
                for (int64_t c = 0; c < channels; c++) std::fill_n(out + c * plane, count, frames[s].fill[c]);
            }
            for (s++; s < run.steps; s++)
                if (shares[s] == PARTLY) blend(frames[s], lines[s], j, count, out, plane, channels);
        }
    }
}

FOR_EVERY_PROCESSOR void warp_bytes(const Run &run, int64_t b, int64_t from, int64_t to) {
    warp_rows<uint8_t>(run, b, from, to);
}
FOR_EVERY_PROCESSOR void warp_floats(const Run &run, int64_t b, int64_t from, int64_t to) {
    warp_rows<float>(run, b, from, to);
}

}  // namespace

extern "C" void augment_warp(const void *data, int is_float, const int64_t *offset, const int64_t *row_stride,
                             const int64_t *source_size, int64_t column_stride, int64_t channel_stride,
                             int64_t channels, int64_t elements, const float *window, const float *radius,
                             int64_t steps, const float *matrix, const float *size, const float *fill, int64_t batch,
                             int64_t height, int64_t width, float *out, int threads) {
    const Run run = {{data, offset, row_stride, source_size, column_stride, channel_stride, channels, elements},
                     window,
                     radius,
                     steps,
                     matrix,
                     size,
                     fill,
                     height,
                     width,
                     out};
    const auto warp = is_float ? warp_floats : warp_bytes;
    const int64_t blocks = (height + BLOCK - 1) / BLOCK;
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (int64_t task = 0; task < batch * blocks; task++) {
        const int64_t b = task / blocks, from = task % blocks * BLOCK;
        warp(run, b, from, std::min(from + BLOCK, height));
    }
}
