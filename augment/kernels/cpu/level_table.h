// What the kernels of bytes share: their levels, as floats and counted.
#pragma once

#include "machine.h"

#include <vector>

constexpr int LEVELS = 256;

// Bytes are floats in [0, 1] before anything else, so that both give the same bits.
constexpr float BYTE = 1.0f / 255;  // pixels.BYTE
INLINE float one(uint8_t value) { return value * BYTE; }
INLINE float one(float value) { return value; }

// How many of n values, `step` apart, have each level. Four counters take turns, or a run of one level would wait for
// its own counter.
INLINE void count(const uint8_t *level, int64_t step, int64_t n, int32_t *counts) {
    std::vector<int32_t> turns(4 * LEVELS);
    for (int64_t i = 0; i < n; i++) turns[(i & 3) * LEVELS + level[i * step]]++;
    for (int i = 0; i < LEVELS; i++)
        counts[i] = turns[i] + turns[LEVELS + i] + turns[2 * LEVELS + i] + turns[3 * LEVELS + i];
}
