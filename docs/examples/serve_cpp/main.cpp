// serve MODEL.pt2 PHOTO...: prints the five likeliest classes of each photo. MODEL.pt2 comes from
// python -m lightning_modules export best.ckpt --to aoti --output probabilities --out MODEL.pt2

#include <ATen/ops/from_blob.h>
#include <ATen/ops/topk.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <sstream>
#include <string>
#include <vector>

#include "image.h"

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> found;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) found.push_back(line);
  return found;
}

int main(int count, char** words) {
  if (count < 3) {
    std::fprintf(stderr, "error: call serve MODEL.pt2 PHOTO...\n");
    return 2;
  }
  try {
    const c10::InferenceMode no_gradients;
    torch::inductor::AOTIModelPackageLoader model(words[1]);
    const auto facts = model.get_metadata();
    const auto names = lines(facts.at("classes"));
    for (int i = 2; i < count; ++i) {
      Image image = read_image(words[i]);
      at::Tensor pixels = at::from_blob(image.pixels.data(), {1, image.height, image.width, 3}, at::kByte);
      if (facts.at("input") == "uint8 bchw") pixels = pixels.permute({0, 3, 1, 2}).contiguous();
      const at::Tensor scores = model.run({pixels})[0];
      const auto [best, classes] = at::topk(scores[0], std::min<int64_t>(5, scores.size(1)));
      std::printf("%s\n", words[i]);
      for (int64_t k = 0; k < best.size(0); ++k)
        std::printf("  %.6f  %s\n", best[k].item<float>(), names.at(classes[k].item<int64_t>()).c_str());
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
  return 0;
}
