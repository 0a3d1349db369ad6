// Citation graphs: the four files of a graph, one after the other, with a byte 0xff between them.
#include <array>

#include "engine/data/citation_graph.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return strata::fuzz::run([&] {
    std::array<std::span<const uint8_t>, 4> file;
    std::span<const uint8_t> rest(data, size);
    for (auto& part : file) {
      size_t length = 0;
      while (length < rest.size() && rest[length] != 0xff) ++length;
      part = rest.first(length);
      rest = rest.subspan(std::min(length + 1, rest.size()));
    }
    strata::CitationGraph graph =
        strata::parse_citation_graph({file[0], file[1], file[2], file[3]}, "fuzz");
    for (auto [a, b] : graph.edges)
      if (a < 0 || a >= b || b >= graph.nodes) std::abort();
    return graph.feature_matrix();
  });
}
