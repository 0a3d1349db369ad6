// What the two experiments on transfer share: small images of parts, classes that are pairs of an
// outline and a texture, a network of eight layers, and its training with layers copied or frozen.
//
// The images are 16 x 16 windows of terrace images around the part above, off its centre by up to
// a pixel, all with stripes of one direction (textures that may be turned are learned only after a
// long shelf at half of the accuracy); of 4 outlines and 4 textures there are 16 cells, cell = 4
// outline + texture, and a task is a choice of cells. Colour, frequency, light, size and turn vary
// in all of them.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "engine/data/dataset.h"
#include "tools/experiments/experiment.h"
#include "tools/transfer/frozen.h"

namespace strata::experiments {

inline constexpr int64_t part_cells = 16;

struct Parts {
  Tensor x;                   // f32 [N, 16, 16, 3], normalised as terrace is
  std::vector<int64_t> cell;  // of each
};
// `each` images of every cell. Splits never share an image, nor do seeds.
Parts draw_parts(uint64_t seed, Split split, int64_t each);

struct LabelledParts {
  Tensor x, y;  // y i64: the position in `cells`
  int64_t classes = 0;
};
// The first `each` images of each of these cells (all where fewer); `shuffled`: their labels are
// exchanged among them at random.
LabelledParts choose(const Parts& parts, const std::vector<int64_t>& cells, int64_t each,
                     bool shuffled = false);

// Two tasks without a common class. Near: random halves of the 16 cells in which each outline and
// each texture has two cells. Far: two outlines with two textures against the other two with the
// other two.
struct Split2 {
  std::vector<int64_t> a, b;
};
Split2 near_tasks(uint64_t seed);
Split2 far_tasks(uint64_t seed);

// A ConvNet of seven 3 x 3 convolutions with batch norm (12, 16, 16, 24, 24, 32 and 32 channels,
// stride 2 in the second, fourth and sixth) and a linear head: eight layers, "conv1" ... "head".
std::unique_ptr<Model> part_network(int64_t classes, uint64_t seed);

struct Training {
  int64_t steps = 0, batch = 32;
  double rate = 1e-2;  // AdamW over one cycle
  uint64_t seed = 1;   // of the order
  Device device = Device::cpu;
  // Called after every `look_every` steps, with the number of steps done; the model may be used.
  int64_t look_every = 0;
  std::function<void(int64_t steps)> look = {};
};
// Minimises the cross entropy. `frozen` stays as it is and is checked at the end: one that moved is
// an error. `moving`: the lie that forgets to hold it.
void fit(Model& model, const LabelledParts& data, const Training& training,
         transfer::Frozen* frozen = nullptr, bool moving = false);
// Share of rows that are classified rightly, in evaluation mode, in percent.
double score(Model& model, const LabelledParts& data, Device device);

// Copies what lies up to `layer` of a trained network into one with another head.
void copy_up_to(Model& to, Model& from, const std::string& layer);
// Freezes what lies up to `layer`.
transfer::Frozen freeze_up_to(Model& model, const std::string& layer);

}  // namespace strata::experiments
