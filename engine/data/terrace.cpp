#include "engine/data/terrace.h"

#include <algorithm>
#include <array>
#include <vector>

#include "engine/data/keyed_random.h"

namespace strata {

using namespace terrace;

namespace {

// Streams of numbers of an image. A factor's stream is its number; these are the nuisances.
enum Stream : uint32_t {
  stream_part = 100,  // 100 above, 101 below
  stream_junction = 110,
  stream_background,
  stream_light,
  stream_grating,
  stream_noise,
  stream_mark,
  stream_swap,
};

constexpr double turn_jitter = 14.0 / 360;     // of outlines
constexpr double grating_jitter = 12.0 / 360;  // of gratings; orientations are 30 degrees apart

Part place_part(uint64_t seed, uint64_t image, int slot) {
  KeyedRandom random(seed, image, stream_part + static_cast<uint32_t>(slot));
  Part part;
  part.x = static_cast<float>(15.5 + random.uniform(-2.5, 2.5));
  part.y = static_cast<float>((slot == 0 ? 7.9 : 23.1) + random.uniform(-0.7, 0.7));
  part.scale = static_cast<float>(random.uniform(0.92, 1.06));
  part.turn = static_cast<float>(random.uniform(-turn_jitter, turn_jitter));
  for (float& phase : part.phase) phase = static_cast<float>(random.uniform());
  return part;
}

void place_nuisances(uint64_t seed, uint64_t image, Scene& scene) {
  for (int slot = 0; slot < 2; ++slot) scene.part[slot] = place_part(seed, image, slot);

  KeyedRandom grating(seed, image, stream_grating);
  scene.grating_turn = static_cast<float>(grating.uniform(-grating_jitter, grating_jitter));

  KeyedRandom junction(seed, image, stream_junction);
  scene.junction_x = junction.below(2) ? 27.6f : 3.4f;
  scene.junction_x += static_cast<float>(junction.uniform(-0.7, 0.7));
  scene.junction_y = static_cast<float>(junction.uniform(7, 26));
  scene.junction_turn = static_cast<float>(junction.uniform());
  scene.junction_sign = junction.below(2) ? 1.0f : -1.0f;

  KeyedRandom ground(seed, image, stream_background);
  scene.background_x = static_cast<float>(ground.uniform(-3, 3));
  scene.background_y = static_cast<float>(ground.uniform(-3, 3));
  scene.background_sign = ground.below(2) ? 1.0f : -1.0f;

  KeyedRandom light(seed, image, stream_light);
  scene.ramp_x = static_cast<float>(light.uniform(-0.08, 0.08));
  scene.ramp_y = static_cast<float>(light.uniform(-0.08, 0.08));

  scene.noise = 0.04f;
  scene.noise_key = KeyedRandom(seed, image, stream_noise).bits();
}

}  // namespace

TerraceOptions terrace_task(const std::string& name, Caller at) {
  TerraceOptions options;
  if (name == "object") {
    options.part_rule = Rule::first;
  } else if (name == "chain" || name == "latin") {
    options.label = object;
    if (name == "latin") options.part_rule = options.object_rule = Rule::latin;
  } else {
    options.label = factor_named(name, at);
  }
  return options;
}

Terrace::Terrace(const TerraceOptions& options, uint64_t seed, int64_t size, uint64_t first)
    : options_(options), seed_(seed), first_(first), size_(size) {
  if (options.severity < 0 || options.severity > 5)
    fail("terrace", Caller::here(), "a shift has a severity of 0 to 5; got {}", options.severity);
  if (options.label < 0 || options.label >= factor_count)
    fail("terrace", Caller::here(), "the label is a factor 0..{}; got {}", factor_count - 1,
         options.label);
  rules_ = {make_table(options.part_rule, options.rule_seed * 3 + 1),
            make_table(options.object_rule, options.rule_seed * 3 + 2),
            make_table(options.scene_rule, options.rule_seed * 3 + 3)};
  name = "terrace";
  height = width = side;
  channels = 3;
  mean = {0.5f, 0.5f, 0.5f};
  deviation = {0.2f, 0.2f, 0.2f};
  for (int factor = 0; factor < factor_count; ++factor) {
    const FactorRow& row = row_of(factor);
    FactorInfo info{row.name, row.level, row.values, 1.0 / row.values, ceiling(rules_, factor), {}};
    for (int value = 0; value < row.values; ++value)
      info.value_names.push_back(row.value_names[static_cast<size_t>(value)]);
    factors.push_back(info);
  }
  label_factor = options.label;
  label_name = factors[static_cast<size_t>(options.label)].name;
  class_names = factors[static_cast<size_t>(options.label)].value_names;
}

bool Terrace::held_out(const Record& record) const {
  return record[part_above] == record[part_below];
}

Scene Terrace::scene(int64_t index) const {
  uint64_t image = first_ + static_cast<uint64_t>(index);
  Scene scene;
  // Draws are independent and uniform, but for the held-out cells: an image that falls on the wrong
  // side of them is drawn again.
  bool novel = false;
  KeyedRandom swap(seed_, image, stream_swap);
  double chance = options_.severity / 5.0;
  bool cells = options_.shift == Shift::cells;
  if (cells) novel = swap.uniform() < chance;
  std::vector<KeyedRandom> streams;
  for (uint32_t factor = 0; factor < drawn_count; ++factor)
    streams.emplace_back(seed_, image, factor);
  do {
    for (int factor = 0; factor < drawn_count; ++factor)
      scene.record[factor] = static_cast<int8_t>(
          streams[static_cast<size_t>(factor)].below(static_cast<uint32_t>(row_of(factor).values)));
    derive(rules_, scene.record);
  } while ((options_.hold_out || cells) && held_out(scene.record) != novel);
  place_nuisances(seed_, image, scene);

  for (int slot = 0; slot < 2; ++slot) {
    scene.drawn_texture[slot] = scene.record[texture_above + slot];
    if (options_.shift == Shift::texture && swap.uniform() < chance)
      scene.drawn_texture[slot] = static_cast<int8_t>(
          (scene.drawn_texture[slot] + 1 + static_cast<int>(swap.below(kinds - 1))) % kinds);
  }
  if (options_.shift == Shift::noise) scene.noise += 0.03f * static_cast<float>(options_.severity);
  if (options_.shift == Shift::blur) scene.blur = options_.severity;
  if (options_.shift == Shift::hue)
    scene.hue_turn = static_cast<float>(options_.severity) * (9.0f / 360.0f);
  if (options_.shortcut >= 0) {
    KeyedRandom mark(seed_, image, stream_mark);
    bool follows = mark.uniform() < options_.shortcut;
    int any = static_cast<int>(mark.below(static_cast<uint32_t>(row_of(options_.label).values)));
    scene.mark = follows ? scene.record[options_.label] : any;
  }
  return scene;
}

void Terrace::read(int64_t index, uint8_t* pixels, int64_t* label, int64_t* values) const {
  Scene what = scene(index);
  render(what, pixels);
  *label = what.record[options_.label];
  for (int factor = 0; factor < factor_count; ++factor) values[factor] = what.record[factor];
}

Scene Terrace::counterfactual(int64_t index, int factor, int value, Caller at) const {
  if (factor < 0 || factor >= factor_count || value < 0 || value >= row_of(factor).values)
    fail("terrace", at,
         "factor {} cannot be {}: factors are 0..{}, the values of each are named "
         "in Dataset::factors",
         factor, value, factor_count - 1);
  Scene original = scene(index), best = original;
  int fewest = drawn_count + 1;
  std::vector<int> sources = sources_of(rules_, factor);
  Record record = original.record;
  for (int source : sources) record[source] = 0;
  for (;;) {
    derive(rules_, record);
    int changed = 0;
    for (int source : sources) changed += record[source] != original.record[source];
    if (record[factor] == value && changed < fewest) {
      fewest = changed;
      best.record = record;
    }
    size_t i = 0;
    while (i < sources.size() && ++record[sources[i]] == row_of(sources[i]).values)
      record[sources[i++]] = 0;
    if (i == sources.size()) break;
  }
  for (int slot = 0; slot < 2; ++slot)
    if (best.record[texture_above + slot] != original.record[texture_above + slot])
      best.drawn_texture[slot] = best.record[texture_above + slot];
  return best;
}

std::array<uint8_t, pixel_count> Terrace::difference_mask(const Scene& a, const Scene& b) {
  std::array<uint8_t, pixel_count> mask{};
  auto differs = [&](int factor) { return a.record[factor] != b.record[factor]; };
  if (differs(background)) mask.fill(1);
  bool fill = differs(hue) || differs(orientation) || differs(frequency);
  for (const Scene* scene : {&a, &b}) {
    std::array<uint8_t, terrace::image_bytes> pixels;
    Masks masks;
    render(*scene, pixels.data(), &masks);
    for (int i = 0; i < pixel_count; ++i) {
      for (int slot = 0; slot < 2; ++slot) {
        bool part = fill || differs(texture_above + slot) || differs(outline_above + slot) ||
                    a.drawn_texture[slot] != b.drawn_texture[slot];
        mask[i] |= part && (slot == 0 ? masks.part_above : masks.part_below)[i] > 0;
      }
      mask[i] |= differs(junction) && masks.junction[i] > 0;
      mask[i] |= a.mark != b.mark && masks.mark[i] > 0;
    }
  }
  return mask;
}

std::string Terrace::describe() const {
  std::string text = fmt::format("terrace, class: {} ({} values)\n", label_name, classes());
  text += "level  factor          values  chance  ceiling\n";
  for (const FactorInfo& factor : factors)
    text += fmt::format("{:5}  {:14}  {:6}  {:6.3f}  {:7.4f}\n", factor.level, factor.name,
                        factor.values, factor.chance, factor.ceiling);
  return text + information_table(rules_, options_.label);
}

Terrace Terrace::shifted(terrace::Shift shift, int severity) const {
  TerraceOptions options = options_;
  options.shift = shift;
  options.severity = severity;
  return Terrace(options, seed_, size_, first_);
}

}  // namespace strata
