// What all kernels share: clones for several processors, small vectors, and clamping.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

// Compiles a function for newer processors as well; the version is selected when the library is loaded. Operations are
// neither contracted nor reassociated (see pyproject.toml), so that all versions give the same bits.
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define FOR_EVERY_PROCESSOR __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FOR_EVERY_PROCESSOR
#endif
#define INLINE static inline __attribute__((always_inline))

// Must change, here and in library.py, with the arguments of any exported function.
constexpr int INTERFACE = 6;

typedef float Four __attribute__((vector_size(16)));

// Clamps a value to [low, high]; NaN becomes low.
INLINE float clamped(float value, float low, float high) {
    value = value > low ? value : low;
    return value < high ? value : high;
}
