// terrace: images made on the fly from factors at known levels of a hierarchy, each with its full
// record, so that what a probe or an attribution says about a network can be scored.
// engine/data/terrace_rules.h names the factors, terrace_render.h draws them.
#pragma once

#include <cstdint>
#include <string>

#include "engine/data/dataset.h"
#include "engine/data/terrace_render.h"
#include "engine/data/terrace_rules.h"

namespace strata {

struct TerraceOptions {
  int label = terrace::object;  // the factor that is the class
  terrace::Rule part_rule = terrace::Rule::staircase;
  terrace::Rule object_rule = terrace::Rule::staircase;
  terrace::Rule scene_rule = terrace::Rule::staircase;
  uint64_t rule_seed = 0;  // of random tables

  // A mark in the corner: its value is the class with probability `shortcut`, else any value.
  // Negative: no mark.
  double shortcut = -1;
  // Leaves four of the sixteen cells (part above, part below) out, for Shift::cells.
  bool hold_out = false;
  terrace::Shift shift = terrace::Shift::none;
  int severity = 0;  // 0..5
};

// Options by name:
//   outline   the outline of the part above                          needs levels 1, 3
//   texture   the texture of the part above                          needs levels 1, 2
//   part      table(outline, texture) of the part above              needs levels 1 to 4
//   object    table(outline above, outline below); texture is free   needs levels 1, 3, 5
//   chain     table(part above, part below), parts from textures     needs levels 1 to 5
//   scene     table(object of the chain, background)                 needs levels 1 to 6
//   latin     as chain with latin squares: the negative control that small networks do not learn
// and every other factor by its name. An unknown name is an error that lists these.
TerraceOptions terrace_task(const std::string& name, Caller at = Caller::here());

// What "terrace" alone means: the class needs every level. A network of six convolutions that sees
// the whole image (ConvNet halved after 1, 2, 4 and 6, AdamW at 4e-3 over one cycle, batch 64)
// reaches .99 after six epochs of 20,000 images.
inline constexpr const char* default_terrace_task = "scene";

class Terrace : public Dataset {
 public:
  // `size` images whose numbers start at `first`: the same number is the same image.
  Terrace(const TerraceOptions& options, uint64_t seed, int64_t size, uint64_t first = 0);

  int64_t size() const override { return size_; }
  void read(int64_t index, uint8_t* pixels, int64_t* label, int64_t* values) const override;

  // What image `index` shows. All of its parts may be changed before it is rendered.
  terrace::Scene scene(int64_t index) const;
  // The same image with `factor` set to `value` and all else as it was, to the bit. For a factor of
  // level 4 and up, the fewest drawn factors that give the value are changed (the first such change
  // in the order of factors); what follows from them changes too. Out of range is an error.
  terrace::Scene counterfactual(int64_t index, int factor, int value,
                                Caller at = Caller::here()) const;
  // Pixels (1 or 0, row by row) where the two scenes may differ: the union, over both scenes, of
  // the parts, junctions and marks that differ; all pixels when background or light differ.
  static std::array<uint8_t, terrace::pixel_count> difference_mask(const terrace::Scene& a,
                                                                   const terrace::Scene& b);

  // The same images under a shift of the data, severity 0..5.
  Terrace shifted(terrace::Shift shift, int severity) const;

  const terrace::Rules& rules() const { return rules_; }
  const TerraceOptions& options() const { return options_; }
  // Factors with levels, chances and ceilings, and the information table of the class.
  std::string describe() const;

 private:
  bool held_out(const terrace::Record& record) const;

  TerraceOptions options_;
  terrace::Rules rules_;
  uint64_t seed_, first_;
  int64_t size_;
};

}  // namespace strata
