// The uniforms of a batch (augment/draws/noise.py): an integer hash of seed, epoch, sample index and column.
#include "machine.h"

namespace {

constexpr uint32_t GOLDEN = 0x9E3779B9;  // 2**32 / golden ratio
constexpr uint32_t LANES[2] = {0x243F6A88, 0x85A308D3};  // first fractional digits of pi
constexpr float UNIT = 1.0f / (1 << 24);

INLINE uint32_t mix32(uint32_t word) {
    word = (word ^ (word >> 16)) * 0x21F0AAADu;
    word = (word ^ (word >> 15)) * 0xD35A2D97u;
    return word ^ (word >> 15);
}

// A lane of a key after the two words of a number.
INLINE uint32_t absorbed(uint32_t lane, int64_t number) {
    lane = mix32((lane + GOLDEN) ^ (uint32_t)number);
    return mix32((lane + GOLDEN) ^ (uint32_t)(number >> 32));
}

FOR_EVERY_PROCESSOR void draw(uint32_t first, uint32_t second, int64_t columns, float *out) {
    for (uint32_t column = 0; column < (uint32_t)columns; column++)
        out[column] = (float)(int32_t)(mix32(first ^ mix32(second + column * GOLDEN)) >> 8) * UNIT;
}

}  // namespace

extern "C" void augment_draw(const int64_t *index, int64_t seed, int64_t epoch, int64_t batch, int64_t columns,
                             float *out) {
    uint32_t keyed[2];
    for (int lane = 0; lane < 2; lane++)
        keyed[lane] = mix32((absorbed(LANES[lane], seed) + GOLDEN) ^ (uint32_t)epoch);
    for (int64_t b = 0; b < batch; b++)
        draw(absorbed(keyed[0], index[b]), absorbed(keyed[1], index[b]), columns, out + b * columns);
}
