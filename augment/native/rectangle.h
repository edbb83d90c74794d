// Rectangles of whole pixels, as augment/rectangles.py has them, as far as they lie in an image.
#pragma once

#include "machine.h"

struct Rectangle {
    int64_t top, left, bottom, right;

    // `sides` are top, left, height and width.
    Rectangle(const float *sides, int64_t height, int64_t width)
        : top((int64_t)clamped(sides[0], 0, (float)height)), left((int64_t)clamped(sides[1], 0, (float)width)),
          bottom((int64_t)clamped(sides[0] + sides[2], 0, (float)height)),
          right((int64_t)clamped(sides[1] + sides[3], 0, (float)width)) {}

    bool empty() const { return top >= bottom || left >= right; }
};
