// Every GPU kernel of the project by name, with what it takes to run it on random data of a given
// shape: for the x-ray, for its budgets, and for the benchmarks.
//
//   gemm/07_warp_tile   shape MxNxK, 256x256x64 when none is given
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/common/numeric.h"

namespace strata::xray {

using Shape = std::vector<int64_t>;

// "256x256x64" and back. Throws std::runtime_error for what is no shape.
Shape parse_shape(const std::string& text);
std::string to_string(const Shape& shape);

// A kernel with its operands, ready to run.
struct Workload {
  double flops = 0;  // operations, a multiply-add counted as two; 0: not worth counting
  double bytes = 0;  // the least traffic with device memory: each operand once
  // Enqueues the kernel in gpu::current_stream(). `copy` picks one of the sets of operands, so that
  // benchmarks can go round sets that together exceed the cache.
  std::function<void(int copy)> run;
  std::vector<std::shared_ptr<void>> memory;  // what the operands live in
};

struct Subject {
  std::string name;           // "gemm/07_warp_tile"
  std::string idea;           // one line
  std::string axes;           // "MxNxK"
  Shape shape;                // small enough for the simulator
  std::vector<DType> dtypes;  // the first is the default
  // Throws gpu::Error when the kernel does not take the shape or type on this device.
  std::function<Workload(const Shape& shape, DType dtype, int copies)> make;
};

// All subjects, family by family, each ladder in order.
const std::vector<Subject>& catalogue();
// By name; throws std::runtime_error with names that are close.
const Subject& subject(const std::string& name);

// One function a family (tools/xray/<family>.cpp).
std::vector<Subject> gemm_subjects();
std::vector<Subject> conv_subjects();
std::vector<Subject> attention_subjects();
std::vector<Subject> row_subjects();      // softmax, norm, loss, reduce
std::vector<Subject> channel_subjects();  // norm
std::vector<Subject> element_subjects();  // elementwise, random, recurrent, optim
std::vector<Subject> place_subjects();    // index, pool, graph, embedding

}  // namespace strata::xray
