#include "tools/experiments/part_transfer.h"

#include <algorithm>
#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/data/keyed_random.h"
#include "engine/data/terrace.h"
#include "engine/ops.h"
#include "engine/optim/schedule.h"
#include "models/registry.h"

namespace strata::experiments {
namespace {

constexpr int64_t window = 16, window_numbers = window * window * 3, rows_at_once = 256;

uint64_t first_of(Split split) { return static_cast<uint64_t>(split) << 40; }

// The corner of the window around the part above; inside the image.
std::pair<int, int> corner(const terrace::Scene& scene, uint64_t seed, uint64_t image) {
  KeyedRandom random(seed, image, 0x77696e64u);
  auto at = [&](float centre) {
    const int jitter = static_cast<int>(random.below(3)) - 1;
    return std::clamp(static_cast<int>(std::lround(centre)) - static_cast<int>(window) / 2 + jitter,
                      0, terrace::side - static_cast<int>(window));
  };
  const int x = at(scene.part[0].x);
  return {x, at(scene.part[0].y)};
}

// [count] permutation.
std::vector<int64_t> order(int64_t count, uint64_t seed) {
  Generator generator(seed);
  return randperm(count, &generator).to_vector<int64_t>();
}

// An input of the network, for asking which parameters a layer depends on.
Tensor example() { return zeros({1, window, window, 3}); }

}  // namespace

Parts draw_parts(uint64_t seed, Split split, int64_t each) {
  const Terrace data({}, seed, int64_t{1} << 62);
  Parts parts{empty({part_cells * each, window, window, 3}), {}};
  std::vector<int64_t> drawn(part_cells, 0);
  std::vector<float> image(terrace::image_bytes);
  std::vector<uint8_t> pixels(terrace::image_bytes);
  for (uint64_t i = first_of(split); static_cast<int64_t>(parts.cell.size()) < part_cells * each;
       ++i) {
    terrace::Scene scene = data.scene(static_cast<int64_t>(i));
    scene.record[terrace::orientation] = 0;
    const int64_t cell = terrace::kinds * scene.record[terrace::outline_above] +
                         scene.record[terrace::texture_above];
    if (drawn[static_cast<size_t>(cell)] == each) continue;
    ++drawn[static_cast<size_t>(cell)];
    render(scene, pixels.data());
    data.normalise(pixels.data(), image.data());
    const auto [left, top] = corner(scene, seed, i);
    float* to = parts.x.data<float>() + static_cast<int64_t>(parts.cell.size()) * window_numbers;
    for (int y = 0; y < window; ++y)
      std::copy_n(image.data() + ((top + y) * terrace::side + left) * 3, window * 3,
                  to + y * window * 3);
    parts.cell.push_back(cell);
  }
  return parts;
}

LabelledParts choose(const Parts& parts, const std::vector<int64_t>& cells, int64_t each,
                     bool shuffled) {
  std::vector<int64_t> rows, labels, taken(cells.size(), 0);
  for (size_t i = 0; i < parts.cell.size(); ++i) {
    const auto found = std::find(cells.begin(), cells.end(), parts.cell[i]);
    if (found == cells.end()) continue;
    const auto label = static_cast<size_t>(found - cells.begin());
    if (taken[label]++ >= each) continue;
    rows.push_back(static_cast<int64_t>(i));
    labels.push_back(static_cast<int64_t>(label));
  }
  const auto count = static_cast<int64_t>(rows.size());
  if (shuffled) {
    std::vector<int64_t> moved;
    for (int64_t i : order(count, 1)) moved.push_back(labels[static_cast<size_t>(i)]);
    labels = moved;
  }
  return {index_select(parts.x, 0, from_vector(rows, {count})), from_vector(labels, {count}),
          static_cast<int64_t>(cells.size())};
}

Split2 near_tasks(uint64_t seed) {
  // Outline i has textures p(i) and p(i + 1) in one half and the other two in the other: each
  // texture, too, is in two cells of each.
  const std::vector<int64_t> outlines = order(terrace::kinds, seed),
                             textures = order(terrace::kinds, seed + 1000);
  Split2 tasks;
  for (size_t i = 0; i < 4; ++i)
    for (size_t j = 0; j < 4; ++j) {
      auto& half = (j + 4 - i) % 4 < 2 ? tasks.a : tasks.b;
      half.push_back(terrace::kinds * outlines[i] + textures[j]);
    }
  return tasks;
}

Split2 far_tasks(uint64_t seed) {
  const std::vector<int64_t> outlines = order(terrace::kinds, seed),
                             textures = order(terrace::kinds, seed + 1000);
  Split2 tasks;
  for (size_t i = 0; i < 2; ++i)
    for (size_t j = 0; j < 2; ++j) {
      tasks.a.push_back(terrace::kinds * outlines[i] + textures[j]);
      tasks.b.push_back(terrace::kinds * outlines[i + 2] + textures[j + 2]);
    }
  return tasks;
}

std::unique_ptr<Model> part_network(int64_t classes, uint64_t seed) {
  manual_seed(seed);
  return make_model("convnet", {{"classes", classes},
                                {"widths", {12, 16, 16, 24, 24, 32, 32}},
                                {"max_pool", false},
                                {"halve", {2, 4, 6}}});
}

void fit(Model& model, const LabelledParts& data, const Training& t, transfer::Frozen* frozen,
         bool moving) {
  if (moving) model.set_trainable(true);
  model.to(t.device);
  const Tensor x = data.x.to(t.device), y = data.y.to(t.device);
  const int64_t count = x.size(0), batch = std::min(t.batch, count);
  AdamW optimizer(model.named_parameters(), {.learning_rate = t.rate, .weight_decay = 0.01});
  Scheduler scheduler(optimizer, one_cycle(std::max<int64_t>(2, t.steps), 0.25));
  Generator generator(t.seed);
  Tensor rows;
  int64_t next = count;
  for (int64_t step = 0; step < t.steps; ++step, scheduler.step()) {
    if (next + batch > count) {
      rows = randperm(count, &generator).to(t.device);
      next = 0;
    }
    const Tensor pick = rows.slice(0, next, next + batch);
    next += batch;
    model.train();
    if (frozen && !moving) frozen->hold();
    optimizer.zero_grad();
    cross_entropy(model(index_select(x, 0, pick)), index_select(y, 0, pick)).backward();
    optimizer.step();
    if (t.look_every && (step + 1) % t.look_every == 0) t.look(step + 1);
  }
  if (frozen) frozen->check();
}

double score(Model& model, const LabelledParts& data, Device device) {
  NoGrad off;
  model.eval();
  double right = 0;
  for (int64_t first = 0; first < data.x.size(0); first += rows_at_once) {
    const int64_t end = std::min(first + rows_at_once, data.x.size(0));
    const Tensor logits = model(data.x.slice(0, first, end).to(device)).to(Device::cpu);
    right += sum(equal(argmax(logits, -1), data.y.slice(0, first, end)).to(DType::f32)).item();
  }
  return 100 * right / static_cast<double>(data.x.size(0));
}

void copy_up_to(Model& to, Model& from, const std::string& layer) {
  from.to(Device::cpu);
  const transfer::Part part = transfer::part_up_to(from, layer, example());
  StateDict state = from.state_dict();
  std::erase_if(state, [&](const auto& entry) {
    return std::find(part.tensors.begin(), part.tensors.end(), entry.first) == part.tensors.end();
  });
  to.load_state_dict(state, false);
}

transfer::Frozen freeze_up_to(Model& model, const std::string& layer) {
  return {model, transfer::part_up_to(model, layer, example())};
}

}  // namespace strata::experiments
