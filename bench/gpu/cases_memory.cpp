// What memory bounds: norms, softmax, cross entropy, AdamW, batch norm, at sizes past every L2. The
// rival is the copy engine moving as many bytes: nothing that reads and writes is much faster.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "bench/gpu/case.h"
#include "kernels/gpu/launch.h"
#include "kernels/loss/cross_entropy.h"
#include "kernels/norm/channels.h"
#include "kernels/norm/rows.h"
#include "kernels/optim/optim.h"
#include "kernels/softmax/softmax.h"
#include "tools/xray/operands.h"

namespace strata::bench {

namespace {

using Runs = std::vector<std::function<void()>>;  // one a copy

// Names of the kernels that `run` launches, without their template arguments.
std::string kernels_of(const std::function<void()>& run) {
  static std::vector<std::string> names;
  names.clear();
  gpu::observe_launches([](std::string_view name, const gpu::LaunchConfig&) {
    const std::string plain(name.substr(0, name.find('<')));
    names.push_back(plain.substr(plain.rfind(':') + 1));  // npos + 1 is 0
  });
  run();
  gpu::observe_launches(nullptr);
  gpu::synchronize(gpu::current_stream());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return fmt::format("{}", fmt::join(names, " + "));
}

Rival copy_rival(double bytes, int copies) {
  xray::Workload memory;
  xray::Operands operands(memory);
  const auto half = static_cast<int64_t>(bytes / 2);
  std::vector<std::pair<void*, void*>> pairs;
  for (int i = 0; i < copies; ++i) {
    void* from = operands.random((half + 3) / 4, DType::f32);
    pairs.emplace_back(operands.empty((half + 3) / 4, DType::f32), from);
  }
  return {"copy",
          [pairs, half](int copy) {
            const auto [to, from] = pairs[static_cast<size_t>(copy)];
            gpu::copy_on_device(to, from, static_cast<size_t>(half), gpu::current_stream());
          },
          memory.memory};
}

Prepared prepared_of(xray::Workload workload, Runs runs, double bytes, int copies) {
  Prepared prepared;
  prepared.kernel = kernels_of(runs[0]);
  prepared.workload = std::move(workload);
  prepared.workload.bytes = bytes;
  prepared.workload.run = [runs = std::move(runs)](int copy) { runs[static_cast<size_t>(copy)](); };
  prepared.rivals.push_back(copy_rival(bytes, copies));
  return prepared;
}

// Arrays of rows x columns that a kind reads and writes.
int arrays_of(const std::string& kind) { return kind.ends_with("gradient") ? 3 : 2; }

std::function<void()> norm_run(const RowsCase& c, bool layer, xray::Operands& operands) {
  RowNormArgs args;
  args.x = operands.random(c.rows * c.columns, c.dtype);
  args.y = operands.empty(c.rows * c.columns, c.dtype);
  args.scale = operands.random(c.columns, DType::f32);
  args.shift = layer ? operands.random(c.columns, DType::f32) : nullptr;
  args.mean = layer ? operands.empty(c.rows, DType::f32) : nullptr;
  args.inverse = operands.empty(c.rows, DType::f32);
  args.rows = c.rows, args.channels = c.columns, args.dtype = c.dtype;
  return [args] { gpu::row_norm(args); };
}

std::function<void()> norm_gradient_run(const RowsCase& c, bool layer, xray::Operands& operands) {
  RowNormGradientArgs args;
  args.x = operands.random(c.rows * c.columns, c.dtype);
  args.dy = operands.random(c.rows * c.columns, c.dtype);
  args.dx = operands.empty(c.rows * c.columns, c.dtype);
  args.scale = operands.random(c.columns, DType::f32);
  args.mean = layer ? operands.random(c.rows, DType::f32) : nullptr;
  args.inverse = operands.random(c.rows, DType::f32);
  args.dscale = operands.empty(c.columns, DType::f32);
  args.dshift = layer ? operands.empty(c.columns, DType::f32) : nullptr;
  args.rows = c.rows, args.channels = c.columns, args.dtype = c.dtype;
  return [args] { gpu::row_norm_gradient(args); };
}

std::function<void()> softmax_run(const RowsCase& c, xray::Operands& operands) {
  SoftmaxArgs args;
  args.x = operands.random(c.rows * c.columns, c.dtype);
  args.y = operands.empty(c.rows * c.columns, c.dtype);
  args.outer = c.rows, args.size = c.columns, args.dtype = c.dtype;
  return [args] { gpu::softmax(args); };
}

std::function<void()> softmax_gradient_run(const RowsCase& c, xray::Operands& operands) {
  SoftmaxGradientArgs args;
  args.y = operands.random(c.rows * c.columns, c.dtype);
  args.dy = operands.random(c.rows * c.columns, c.dtype);
  args.dx = operands.empty(c.rows * c.columns, c.dtype);
  args.outer = c.rows, args.size = c.columns, args.dtype = c.dtype;
  return [args] { gpu::softmax_gradient(args); };
}

// The gradient takes the logits' place, so from the second run on the logits are gradients; the
// time does not depend on values.
std::function<void()> cross_entropy_run(const RowsCase& c, xray::Operands& operands) {
  CrossEntropyInPlaceArgs args;
  args.logits = operands.random(c.rows * c.columns, c.dtype);
  args.target = static_cast<const int64_t*>(operands.indices(c.rows, c.columns));
  args.loss = operands.empty(c.rows, DType::f32);
  args.gradient = static_cast<const double*>(operands.random(1, DType::f64));
  args.rows = c.rows, args.classes = c.columns, args.dtype = c.dtype;
  return [args] { gpu::cross_entropy_in_place(args); };
}

std::function<void()> run_of(const RowsCase& c, xray::Operands& operands) {
  if (c.kind == "layer norm" || c.kind == "rms norm")
    return norm_run(c, c.kind == "layer norm", operands);
  if (c.kind == "layer norm gradient" || c.kind == "rms norm gradient")
    return norm_gradient_run(c, c.kind == "layer norm gradient", operands);
  if (c.kind == "softmax") return softmax_run(c, operands);
  if (c.kind == "softmax gradient") return softmax_gradient_run(c, operands);
  return cross_entropy_run(c, operands);
}

// Parameters of GPT-2 124M (Radford et al. 2019), 148 tensors.
std::vector<int64_t> gpt2_sizes() {
  constexpr int64_t C = 768;
  std::vector<int64_t> sizes = {50257 * C, 1024 * C, C, C};
  for (int layer = 0; layer < 12; ++layer)
    for (int64_t size : {C, C, 3 * C * C, 3 * C, C * C, C, C, C, 4 * C * C, 4 * C, 4 * C * C, C})
      sizes.push_back(size);
  return sizes;
}

}  // namespace

Case rows_case(const RowsCase& c) {
  const double bytes = static_cast<double>(arrays_of(c.kind) * c.rows * c.columns) *
                       static_cast<double>(size_of(c.dtype));
  const std::string family = c.kind.find("norm") != c.kind.npos ? "norm"
                             : c.kind.find("softmax") == 0      ? "softmax"
                                                                : "loss";
  return {family,
          "rows",
          c.kind,
          fmt::format("{}x{}", c.rows, c.columns),
          c.dtype,
          bytes,
          [c, bytes](int copies) {
            xray::Workload workload;
            xray::Operands operands(workload);
            Runs runs;
            for (int i = 0; i < copies; ++i) runs.push_back(run_of(c, operands));
            return prepared_of(std::move(workload), std::move(runs), bytes, copies);
          }};
}

Case adamw_case(const std::string& set, const std::vector<int64_t>& sizes) {
  int64_t total = 0;
  for (int64_t size : sizes) total += size;
  const double bytes = 28.0 * static_cast<double>(total);
  return {"optimizer",
          set,
          "AdamW",
          fmt::format("{} in {} tensors", total, sizes.size()),
          DType::f32,
          bytes,
          [sizes, bytes](int copies) {
            xray::Workload workload;
            xray::Operands operands(workload);
            Runs runs;
            for (int i = 0; i < copies; ++i) {
              std::vector<cpu::OptimTensor> tensors;
              for (int64_t size : sizes) {
                void* arrays[4];
                for (void*& array : arrays) array = operands.random(size, DType::f32);
                gpu::fill_bytes(arrays[3], 0, static_cast<size_t>(size) * sizeof(float),
                                gpu::current_stream());  // v is not negative
                tensors.push_back(
                    {arrays[0], arrays[1], {arrays[2], arrays[3], nullptr}, size, DType::f32});
              }
              runs.push_back([tensors] {
                gpu::adam(tensors, {1e-3, 0.9, 0.999, 1e-8, 0.01, 0.1, 0.001, true});
              });
            }
            return prepared_of(std::move(workload), std::move(runs), bytes, copies);
          }};
}

Case batch_norm_case(int64_t rows, int64_t channels, DType dtype) {
  // The statistics read x, the normalisation reads it again and writes y.
  const double bytes =
      static_cast<double>(3 * rows * channels) * static_cast<double>(size_of(dtype));
  return {"norm",
          "ResNet-50",
          "batch norm, training",
          fmt::format("{}x{}", rows, channels),
          dtype,
          bytes,
          [=](int copies) {
            xray::Workload workload;
            xray::Operands operands(workload);
            Runs runs;
            for (int i = 0; i < copies; ++i) {
              ChannelMomentsArgs moments;
              moments.x = operands.random(rows * channels, dtype);
              moments.mean = static_cast<double*>(operands.empty(channels, DType::f64));
              moments.m2 = static_cast<double*>(operands.empty(channels, DType::f64));
              moments.rows = rows, moments.channels = channels, moments.dtype = dtype;
              ChannelAffineArgs affine;
              affine.x = moments.x;
              affine.y = operands.empty(rows * channels, dtype);
              affine.mean = moments.mean;
              affine.factor = static_cast<double*>(operands.random(channels, DType::f64));
              affine.offset = static_cast<double*>(operands.random(channels, DType::f64));
              affine.rows = rows, affine.channels = channels, affine.dtype = dtype;
              affine.relu = true;
              runs.push_back([moments, affine] {
                gpu::channel_moments(moments);
                gpu::channel_affine(affine);
              });
            }
            return prepared_of(std::move(workload), std::move(runs), bytes, copies);
          }};
}

std::vector<Case> memory_cases() {
  constexpr int64_t elements = int64_t{1} << 27;  // 256 MiB of bf16
  std::vector<Case> cases;
  for (const char* kind : {"layer norm", "rms norm", "layer norm gradient", "rms norm gradient",
                           "softmax", "softmax gradient"})
    for (int64_t columns : {768, 2048, 8192, 32768, 131072})
      cases.push_back(rows_case({kind, elements / columns, columns}));
  for (int64_t columns : {50257, 50304, 128256})
    cases.push_back(rows_case({"cross entropy, loss and gradient in place", 4096, columns}));
  for (int64_t side : {56, 28, 14})
    cases.push_back(batch_norm_case(128 * side * side, 256 * (56 / side)));
  cases.push_back(adamw_case("GPT-2 124M", gpt2_sizes()));
  cases.push_back(adamw_case("one tensor", {elements}));
  return cases;
}

std::vector<Case> plan() {
  std::vector<Case> cases;
  for (auto family : {gemm_cases, conv_cases, attention_cases, memory_cases})
    for (Case& c : family()) cases.push_back(std::move(c));
  return cases;
}

}  // namespace strata::bench
