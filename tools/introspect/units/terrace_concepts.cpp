#include "tools/introspect/units/terrace_concepts.h"

#include <memory>

#include "engine/ops.h"
#include "kernels/common/parallel.h"

namespace strata::introspect {
namespace {

namespace t = terrace;

using Plane = std::array<uint8_t, t::pixel_count>;

// Factors that are one concept: what is above, and what is below.
struct Shown {
  int factor, twin;  // -1: no twin
};
constexpr Shown shown[] = {{t::hue, -1},
                           {t::orientation, -1},
                           {t::frequency, -1},
                           {t::junction, -1},
                           {t::background, -1},
                           {t::texture_above, t::texture_below},
                           {t::outline_above, t::outline_below},
                           {t::part_above, t::part_below},
                           {t::object, -1},
                           {t::scene, -1}};

int concept_count() {
  int count = 0;
  for (auto& s : shown) count += t::row_of(s.factor).values;
  return count;
}

// At least half covered.
bool inside(const Plane& coverage, size_t pixel) { return coverage[pixel] >= 128; }

bool covers(const t::Masks& masks, int factor, size_t pixel) {
  bool above = inside(masks.part_above, pixel), below = inside(masks.part_below, pixel);
  switch (factor) {
    case t::hue:
    case t::orientation:
    case t::frequency:
      return inside(masks.texture, pixel);
    case t::junction:
      return inside(masks.junction, pixel);
    case t::background:
      return !above && !below;
    case t::texture_above:
    case t::outline_above:
    case t::part_above:
      return above;
    case t::texture_below:
    case t::outline_below:
    case t::part_below:
      return below;
    case t::object:
      return above || below;
    default:
      return true;
  }
}

// Writes the masks of one image, [pixels, K].
void fill(const t::Scene& scene, uint8_t* out, size_t concepts) {
  std::array<uint8_t, t::image_bytes> pixels;
  auto masks = std::make_unique<t::Masks>();
  t::render(scene, pixels.data(), masks.get());
  size_t first = 0;
  for (auto& s : shown) {
    for (int factor : {s.factor, s.twin}) {
      if (factor < 0) continue;
      size_t k = first + static_cast<size_t>(scene.record[static_cast<size_t>(factor)]);
      for (size_t p = 0; p < t::pixel_count; ++p) {
        if (covers(*masks, factor, p)) out[p * concepts + k] = 1;
      }
    }
    first += static_cast<size_t>(t::row_of(s.factor).values);
  }
}

}  // namespace

std::vector<Concept> terrace_concepts() {
  std::vector<Concept> concepts;
  for (auto& s : shown) {
    const t::FactorRow& row = t::row_of(s.factor);
    std::string name = row.name;
    name = name.substr(0, name.find('_'));
    for (int v = 0; v < row.values; ++v) {
      std::string value = row.value_names[static_cast<size_t>(v)];  // "red", or "part 3"
      concepts.push_back({value.starts_with(name) ? value : name + " " + value, row.level});
    }
  }
  return concepts;
}

Tensor terrace_masks(const Terrace& data, int64_t first, int64_t count) {
  if (first < 0 || count < 0 || first + count > data.size()) {
    fail("terrace_masks", Caller{}, "images {} to {} of a data set of {}", first, first + count,
         data.size());
  }
  auto concepts = static_cast<size_t>(concept_count());
  Tensor masks = zeros({count, t::side, t::side, concept_count()}, DType::u8);
  uint8_t* values = masks.data<uint8_t>();
  parallel_for(count, 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      fill(data.scene(first + i), values + static_cast<size_t>(i) * t::pixel_count * concepts,
           concepts);
    }
  });
  return masks.to(DType::boolean);
}

}  // namespace strata::introspect
