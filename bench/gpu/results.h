// What was measured, as rows: one for each way of doing a case, ours first. They become CSV, a
// table of families, and a page with plots.
#pragma once

#include <string>
#include <vector>

#include "bench/gpu/case.h"
#include "bench/gpu/measure.h"

namespace strata::bench {

struct Row {
  std::string family, set, name, shape, dtype;
  std::string implementation;  // "strata", "cuBLAS", ...
  std::string kernel;          // ours only: the rung
  double flops = 0, bytes = 0;
  Measurement time;
  double ratio =
      0;  // ours only: time of the fastest rival over ours; above 1 we are faster. 0: no rival

  double tflops() const { return flops / time.median * 1e-6; }
  double gigabytes_a_second() const { return bytes / time.median * 1e-3; }
};

// What all rows of a run share.
struct RunInfo {
  std::string device, driver, cuda, command, date;
};

std::string to_csv(const std::vector<Row>& rows, const RunInfo& info);

// The ratios of a family, of the cases that have a rival.
struct Summary {
  std::string family;
  int cases = 0, compared = 0;
  double geometric_mean = 0, worst = 0;
  std::string worst_case;
};
std::vector<Summary> summarise(const std::vector<Row>& rows);
std::string to_text(const std::vector<Summary>& summaries);
std::string to_text(const Row& row);

// One file with everything in it.
std::string to_page(const std::vector<Row>& rows, const RunInfo& info);

}  // namespace strata::bench
