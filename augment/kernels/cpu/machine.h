// What the kernels share: processors, small vectors, and numbers that may not be numbers.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

// Code for newer processors beside that for any, chosen when the library is loaded. Nothing is contracted or
// reassociated (see pyproject.toml), so that all of them give the same bits.
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define FOR_EVERY_PROCESSOR __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FOR_EVERY_PROCESSOR
#endif
#define INLINE static inline __attribute__((always_inline))

// Changes with the arguments of any kernel, together with library.py's.
constexpr int INTERFACE = 3;

typedef float Four __attribute__((vector_size(16)));

// A value brought into [low, high]; what is not a number becomes low.
INLINE float clamped(float value, float low, float high) {
    value = value > low ? value : low;
    return value < high ? value : high;
}
