// Cases that memory bounds. Their rivals are two copies of as many bytes, for nothing that reads
// and writes is much faster: cudaMemcpyAsync, which at some sizes reaches two thirds of the
// memory's rate only, and our own kernel for a dense array.
#pragma once

#include "bench/gpu/case.h"
#include "tools/xray/operands.h"

namespace strata::bench {

struct MemoryCase {
  std::string family, set, name, shape;
  DType dtype = DType::f32;
  double bytes = 0;  // that the work reads and writes at least
  // Makes one set of operands; the result works on it, in gpu::current_stream().
  std::function<std::function<void()>(xray::Operands&)> make;
};
Case memory_case(const MemoryCase& c);
std::vector<Rival> copy_rivals(double bytes, int copies);  // read and write `bytes` together

// Names of the kernels that `run` launches, each once, without their template arguments. Runs it.
std::string kernels_of(const std::function<void()>& run);

}  // namespace strata::bench
