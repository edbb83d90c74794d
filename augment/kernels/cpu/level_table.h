// What the kernels for bytes share: conversion to floats, and histograms.
#pragma once

#include "machine.h"

#include <vector>

constexpr int LEVELS = 256;

// Bytes are converted to floats in [0, 1] first, so that bytes and floats give the same bits.
constexpr float BYTE = 1.0f / 255;  // pixels.BYTE
INLINE float one(uint8_t value) { return value * BYTE; }
INLINE float one(float value) { return value; }

// Counts how many of n values, `step` apart, have each level. Four histograms take turns, because in a run of equal
// levels each increment would wait for the one before.
INLINE void count(const uint8_t *level, int64_t step, int64_t n, int32_t *counts) {
    std::vector<int32_t> parts(4 * LEVELS);
    for (int64_t i = 0; i < n; i++) parts[(i & 3) * LEVELS + level[i * step]]++;
    for (int i = 0; i < LEVELS; i++)
        counts[i] = parts[i] + parts[LEVELS + i] + parts[2 * LEVELS + i] + parts[3 * LEVELS + i];
}
