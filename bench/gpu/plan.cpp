#include <fmt/format.h>

#include "bench/gpu/case.h"

namespace strata::bench {

std::vector<Case> plan() {
  std::vector<Case> cases;
  for (auto family :
       {gemm_cases, conv_cases, attention_cases, memory_cases, reduce_cases, elementwise_cases,
        random_cases, index_cases, pool_cases, graph_cases, step_cases, ladder_cases})
    for (Case& c : family()) cases.push_back(std::move(c));
  return cases;
}

std::string title(const Case& c) {
  return fmt::format("{}: {}, {}, {} {}", c.family, c.set, c.name, c.shape, name_of(c.dtype));
}

}  // namespace strata::bench
