// Rectangles of whole pixels, as in augment/geometry/rectangle.py, cropped to the image.
#pragma once

#include "machine.h"

#include <algorithm>

struct Rectangle {
    int64_t top, left, bottom, right;

    // `sides` are top, left, height and width in pixels; NaN becomes 0.
    Rectangle(const float *sides, int64_t height, int64_t width)
        : top(within(sides[0], height)), left(within(sides[1], width)), bottom(within(sides[0] + sides[2], height)),
          right(within(sides[1] + sides[3], width)) {}

    // The second minimum is needed because (float)extent may be rounded up.
    static int64_t within(float edge, int64_t extent) {
        return std::min((int64_t)clamped(edge, 0, (float)extent), extent);
    }

    bool empty() const { return top >= bottom || left >= right; }
};
