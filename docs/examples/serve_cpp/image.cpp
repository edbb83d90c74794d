#include "image.h"

#include <cstdio>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

#ifdef WITH_JPEG
#include <jpeglib.h>
#endif

namespace {

constexpr int64_t kMostPixels = int64_t(1) << 28;

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(path + " cannot be opened");
  return std::string(std::istreambuf_iterator<char>(file), {});
}

Image read_ppm(const std::string& path, const std::string& content) {
  std::istringstream header(content);
  std::string magic;
  int64_t width = 0, height = 0, most = 0;
  header >> magic >> width >> height >> most;
  const bool plausible = header && width > 0 && height > 0 && most == 255 && width <= kMostPixels / height;
  if (!plausible) throw std::runtime_error(path + " has no header of a PPM file with 8 bits");
  const size_t start = size_t(header.tellg()) + 1, count = size_t(height * width * 3);
  if (content.size() < start + count) throw std::runtime_error(path + " is truncated");
  return {height, width, std::vector<uint8_t>(content.begin() + start, content.begin() + start + count)};
}

#ifdef WITH_JPEG
[[noreturn]] void fail(j_common_ptr info) {
  char message[JMSG_LENGTH_MAX];
  (*info->err->format_message)(info, message);
  throw std::runtime_error(message);
}

Image read_jpeg(const std::string& content) {
  jpeg_decompress_struct info;
  jpeg_error_mgr errors;
  info.err = jpeg_std_error(&errors);
  errors.error_exit = fail;
  jpeg_create_decompress(&info);
  try {
    jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(content.data()), content.size());
    jpeg_read_header(&info, TRUE);
    info.out_color_space = JCS_RGB;
    jpeg_start_decompress(&info);
    Image image{info.output_height, info.output_width, {}};
    image.pixels.resize(size_t(image.height) * image.width * 3);
    while (info.output_scanline < info.output_height) {
      JSAMPROW row = image.pixels.data() + size_t(info.output_scanline) * image.width * 3;
      jpeg_read_scanlines(&info, &row, 1);
    }
    jpeg_finish_decompress(&info);
    jpeg_destroy_decompress(&info);
    return image;
  } catch (...) {
    jpeg_destroy_decompress(&info);
    throw;
  }
}
#endif

}  // namespace

Image read_image(const std::string& path) {
  const std::string content = read_file(path);
  if (content.rfind("P6", 0) == 0) return read_ppm(path, content);
  if (content.rfind("\xff\xd8", 0) == 0) {
#ifdef WITH_JPEG
    return read_jpeg(content);
#else
    throw std::runtime_error(path + " is a JPEG; build this program where libjpeg is installed");
#endif
  }
  throw std::runtime_error(path + " is neither a JPEG nor a binary PPM file");
}
