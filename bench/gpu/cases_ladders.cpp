// Every rung of every ladder at one shape, which is the launcher's everyday: what a rung gains over
// the one below. The kernels are the x-ray's; where memory bounds them the rival is a copy of as
// many bytes. Types: the first of bf16 and f32 that the rung takes.
#include <algorithm>
#include <string_view>

#include "bench/gpu/memory_case.h"

namespace strata::bench {

namespace {

struct LadderShape {
  std::string_view prefix;  // of subjects
  const char* shape;
  bool copy;  // bound by memory
};
// The first that matches counts.
constexpr LadderShape shapes[] = {
    {"gemm/skinny", "8x12288x4096", true},
    {"gemm/split_k", "256x256x32768", false},
    {"gemm/stream_k", "256x256x32768", false},
    {"gemm/18_", "256x256x32768", false},
    {"gemm/19_", "16x12288x4096", true},
    {"gemm/20_", "4095x4097x4093", false},
    {"gemm/", "4096x4096x4096", false},
    {"conv/depthwise", "128x56x56x128x128x3", true},
    {"conv/stem", "32x224x224x3x64x7", true},
    {"conv/", "128x28x28x128x128x3", false},
    {"attention/", "8x2048x16x128", false},
    {"softmax/", "65536x2048", true},
    {"norm/channels", "401408x256", true},
    {"norm/", "65536x2048", true},
    {"loss/registers", "16384x8192", true},  // as long as rows may be there
    {"loss/", "4096x50304", true},
    {"reduce/", "65536x2048", true},
    {"elementwise/", "32768x4096", true},
    {"random/permutation", "65536", true},
    {"random/", "134217728", true},
    {"recurrent/", "256x1024", true},
    {"optim/", "148x840811", true},
    {"index/04", "65536x2048", true},
    {"index/05", "1x16777216", true},
    {"index/06", "65536x1000", true},
    {"index/07", "65536x1024", true},
    {"index/0", "65536x50257x768", true},
    {"pool/", "128x112x112x64", true},
    {"embedding/", "10000", false},
};

// Sets of operands: enough to go round past the cache at any of these shapes, few enough for the
// memory.
constexpr double bytes_of_set = 64e6;

Case ladder_case(const xray::Subject& subject, const LadderShape& at) {
  auto takes = [&](DType dtype) { return std::ranges::count(subject.dtypes, dtype) > 0; };
  const DType dtype = takes(DType::bf16)  ? DType::bf16
                      : takes(DType::f32) ? DType::f32
                                          : subject.dtypes.front();
  const auto prepare = [&subject, at, dtype](int copies) {
    Prepared prepared;
    prepared.workload = subject.make(xray::parse_shape(at.shape), dtype, copies);
    const std::string& name = subject.name;
    prepared.kernel = name.substr(name.find('/') + 1);
    if (at.copy) prepared.rivals = copy_rivals(prepared.workload.bytes, copies);
    return prepared;
  };
  return {"ladder",     subject.name.substr(0, subject.name.find('/')),
          subject.name, at.shape,
          dtype,        bytes_of_set,
          prepare};
}

}  // namespace

std::vector<Case> ladder_cases() {
  std::vector<Case> cases;
  for (const xray::Subject& subject : xray::catalogue()) {
    const auto* at = std::ranges::find_if(
        shapes, [&](const LadderShape& shape) { return subject.name.starts_with(shape.prefix); });
    if (at != std::end(shapes)) cases.push_back(ladder_case(subject, *at));
  }
  return cases;
}

}  // namespace strata::bench
