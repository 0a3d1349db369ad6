// A small CLIP (models/multimodal/clip.h) on scenes of 16 x 16 means of pixels and their captions,
// and what its embeddings are asked: classes by their captions (zero shot) and other images of the
// same class (retrieval). The class is the pair of hue and outline above, 32 of them, of which 8
// are never shown in training (engine/data/captions.h).
#pragma once

#include <memory>
#include <vector>

#include "engine/data/captions.h"
#include "models/multimodal/clip.h"

namespace strata::experiments {

inline constexpr int64_t caption_classes = 32;

struct CaptionSet {
  Tensor images;  // f32 [N, 16, 16, 3]
  Tensor tokens;  // i64 [N, captions::context]
  std::vector<int64_t> classes;
};
CaptionSet caption_set(const captions::Options& options, uint64_t first, int64_t count);

struct CaptionTraining {
  int64_t steps = 1200, batch = 64;
  int64_t width = 12, text_layers = 2;  // width: of the image tower's stem
  bool shuffled = false;                // each image gets the caption of another one
  Device device = Device::cpu;
};
std::unique_ptr<Clip> train_captions(const CaptionTraining& training, uint64_t seed);

// [N, 64], rows of length 1, on the cpu.
Tensor embed_images(Clip& clip, const Tensor& images, Device device);
// Shares of images whose class, hue and outline are those of the class with the nearest captions
// (the mean of eight wordings a class).
struct ZeroShot {
  double both = 0, hue = 0, outline = 0;
};
ZeroShot zero_shot(Clip& clip, const CaptionSet& set, uint64_t seed, Device device);

// Mean average precision: each of the first `queries` rows asks all others for rows of its own
// class, in the order of cosines, ties by row. Queries whose class no other row has are left out.
double mean_average_precision(const Tensor& vectors, const std::vector<int64_t>& classes,
                              int64_t queries);

}  // namespace strata::experiments
