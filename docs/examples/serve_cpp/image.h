// An image of bytes, red, green and blue beside each other.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

struct Image {
  int64_t height, width;
  std::vector<uint8_t> pixels;  // height * width * 3
};

// Reads a JPEG or a binary PPM file. Throws std::runtime_error if it is neither.
Image read_image(const std::string& path);
