// Four domains in one shape, so that all that differs between networks that read it is what they
// assume (tools/experiments/unit_readers.h): an example is T units of C numbers, with weights
// between units.
//
//   domain   units                       numbers of a unit             weights      class
//   image    8 x 8 blocks of pixels      their mean colour             neighbours   outline (4)
//   text     20 words of a sentence      a random vector a word        neighbours   its type (5)
//   audio    30 frames                   20 mel bands                  neighbours   word (4)
//   graph    20 nodes in random order    a colour that is often that   edges        block of the
//                                        of the block, and the edges                last node (4)
//
// In the graph every network sees the edges, as a row of numbers a node; only the graph network
// takes them for edges.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/tensor/tensor.h"

namespace strata::experiments {

enum class UnitDomain { image, text, audio, graph };
inline constexpr int unit_domains = 4;
// Of a graph's nodes, in %: how well a reader of the node alone can do.
inline constexpr uint32_t right_colours = 55;
const char* name_of(UnitDomain domain);

struct Units {
  Tensor x;  // f32 [N, T, C + T]: the numbers of each unit, then its weights to all units
  std::vector<int64_t> labels;
};
struct UnitShape {
  int64_t units = 0, numbers = 0, classes = 4;  // T, C
  bool grid = false;                            // units are a square, row by row
  bool last = false;  // the question is about the last unit, not about all
};
UnitShape shape_of(UnitDomain domain);

enum class Disorder {
  none,
  units,  // in an order drawn once for all examples; their weights stay where they were
  edges,  // each graph's edges between other nodes, as many of them
};
// Examples first, first + 1, ... of a seed.
Units unit_data(UnitDomain domain, uint64_t seed, uint64_t first, int64_t count,
                Disorder disorder = Disorder::none);
// `units` with each of the C numbers centred and divided by its deviation, as `by` has them.
Units scaled(const Units& units, const UnitShape& shape, const Units& by);

}  // namespace strata::experiments
