// Kernels over the rows of [rows, C]: softmax, norms, cross entropy, reductions. They are bound by
// memory: what counts is bytes moved against the least.
#include <fmt/format.h>

#include <functional>

#include "kernels/loss/rung.h"
#include "kernels/norm/rung.h"
#include "kernels/reduce/rung.h"
#include "kernels/softmax/rung.h"
#include "tools/xray/operands.h"

namespace strata::xray {

namespace {

const Shape small{64, 1024};
const std::vector<DType> types{DType::f32, DType::bf16, DType::f16};

DType statistics_type(DType dtype) { return dtype == DType::f64 ? DType::f64 : DType::f32; }

// A subject from what fills one set of arguments and the number of arrays of [rows, C] that must
// move.
template <class Args>
Subject rows_subject(const std::string& name, const char* idea, const Shape& shape, double arrays,
                     std::function<Args(Operands&, int64_t rows, int64_t columns, DType)> fill,
                     std::function<bool(const Args&)> takes, std::function<void(const Args&)> run) {
  auto make = [=](const Shape& s, DType dtype, int copies) {
    if (s.size() != 2) throw gpu::Error(fmt::format("{} takes rowsxC, not {}", name, to_string(s)));
    Workload workload;
    Operands operands(workload);
    std::vector<Args> sets;
    for (int i = 0; i < copies; ++i) sets.push_back(fill(operands, s[0], s[1], dtype));
    if (takes && !takes(sets[0]))
      throw gpu::Error(fmt::format("{} does not take {} of {} on the {}", name, to_string(s),
                                   name_of(dtype), gpu::device().name));
    workload.bytes = arrays * bytes_of(s[0] * s[1], dtype);
    workload.run = [sets, run](int copy) { run(sets[static_cast<size_t>(copy)]); };
    return workload;
  };
  return {name, idea, "rowsxC", shape, types, make};
}

SoftmaxArgs softmax_args(Operands& o, int64_t rows, int64_t columns, DType dtype) {
  return {o.random(rows * columns, dtype),
          o.empty(rows * columns, dtype),
          rows,
          columns,
          1,
          dtype,
          false};
}
SoftmaxGradientArgs softmax_gradient_args(Operands& o, int64_t rows, int64_t columns, DType dtype) {
  return {o.random(rows * columns, dtype),
          o.random(rows * columns, dtype),
          o.empty(rows * columns, dtype),
          rows,
          columns,
          1,
          dtype,
          false};
}

// Softmax down the columns: the rows are the axis, the columns lie inside it.
SoftmaxArgs softmax_columns_args(Operands& o, int64_t rows, int64_t columns, DType dtype) {
  SoftmaxArgs args = softmax_args(o, 1, rows * columns, dtype);
  args.size = rows, args.inner = columns;
  return args;
}
SoftmaxGradientArgs softmax_columns_gradient_args(Operands& o, int64_t rows, int64_t columns,
                                                  DType dtype) {
  SoftmaxGradientArgs args = softmax_gradient_args(o, 1, rows * columns, dtype);
  args.size = rows, args.inner = columns;
  return args;
}

RowNormArgs norm_args(Operands& o, int64_t rows, int64_t columns, DType dtype) {
  const DType statistics = statistics_type(dtype);
  RowNormArgs args;
  args.x = o.random(rows * columns, dtype);
  args.y = o.empty(rows * columns, dtype);
  args.scale = o.random(columns, statistics);
  args.shift = o.random(columns, statistics);
  args.mean = o.empty(rows, statistics);
  args.inverse = o.empty(rows, statistics);
  args.rows = rows, args.channels = columns, args.dtype = dtype;
  return args;
}
RowNormGradientArgs norm_gradient_args(Operands& o, int64_t rows, int64_t columns, DType dtype) {
  const DType statistics = statistics_type(dtype);
  RowNormGradientArgs args;
  args.x = o.random(rows * columns, dtype);
  args.dy = o.random(rows * columns, dtype);
  args.scale = o.random(columns, statistics);
  args.mean = o.random(rows, statistics);
  args.inverse = o.random(rows, statistics);
  args.dx = o.empty(rows * columns, dtype);
  args.dscale = o.empty(columns, statistics);
  args.dshift = o.empty(columns, statistics);
  args.rows = rows, args.channels = columns, args.dtype = dtype;
  return args;
}

CrossEntropyInPlaceArgs loss_args(Operands& o, int64_t rows, int64_t columns, DType dtype) {
  CrossEntropyInPlaceArgs args;
  args.logits = o.random(rows * columns, dtype);
  args.target = static_cast<const int64_t*>(o.indices(rows, columns));
  args.loss = o.empty(rows, statistics_type(dtype));
  args.gradient = static_cast<const double*>(o.random(1, DType::f64));
  args.rows = rows, args.classes = columns, args.dtype = dtype;
  return args;
}

// Sums along an axis; the sizes live beside the arguments that point at them.
struct RowSum {
  std::shared_ptr<Shape> shape, strides;
  cpu::ReduceArgs args;
};
RowSum sum_args(Operands& o, int64_t rows, int64_t columns, DType dtype, bool along_rows) {
  RowSum sum{std::make_shared<Shape>(Shape{rows, columns}),
             std::make_shared<Shape>(Shape{columns, 1}),
             {}};
  sum.args.x = o.random(rows * columns, dtype);
  sum.args.dtype = sum.args.out_dtype = dtype;
  sum.args.rank = 2;
  sum.args.shape = sum.shape->data();
  sum.args.strides = sum.strides->data();
  sum.args.reduced = along_rows ? 2u : 1u;
  sum.args.out = o.empty(along_rows ? rows : columns, dtype);
  return sum;
}

}  // namespace

std::vector<Subject> row_subjects() {
  std::vector<Subject> subjects;
  for (const gpu::SoftmaxRung& rung : gpu::softmax_rungs) {
    const bool columns = rung.run == gpu::softmax_columns;
    subjects.push_back(rows_subject<SoftmaxArgs>(
        fmt::format("softmax/{}", rung.name), columns ? "softmax of columns" : "softmax of rows",
        small, 2, columns ? softmax_columns_args : softmax_args, rung.takes, rung.run));
    subjects.push_back(rows_subject<SoftmaxGradientArgs>(
        fmt::format("softmax/{}/gradient", rung.name), "its gradient", small, 3,
        columns ? softmax_columns_gradient_args : softmax_gradient_args, nullptr, rung.gradient));
  }
  for (const gpu::RowNormRung& rung : gpu::row_norm_rungs) {
    subjects.push_back(rows_subject<RowNormArgs>(fmt::format("norm/{}", rung.name),
                                                 "layer norm of rows", small, 2, norm_args,
                                                 rung.takes, rung.run));
    subjects.push_back(rows_subject<RowNormGradientArgs>(
        fmt::format("norm/{}/gradient", rung.name), "its three gradients", small, 3,
        norm_gradient_args, rung.takes_gradient, rung.gradient));
  }
  for (const gpu::CrossEntropyRung& rung : gpu::cross_entropy_rungs)
    subjects.push_back(rows_subject<CrossEntropyInPlaceArgs>(
        fmt::format("loss/{}", rung.name), "cross entropy; logits become their gradients", small, 2,
        loss_args, rung.takes, rung.run));
  for (const gpu::ReduceRung& rung : gpu::reduce_rungs) {
    const bool along_rows = rung.run != gpu::reduce_columns;
    subjects.push_back(rows_subject<RowSum>(
        fmt::format("reduce/{}", rung.name), along_rows ? "sums of rows" : "sums of columns", small,
        1,
        [along_rows](Operands& o, int64_t rows, int64_t columns, DType dtype) {
          return sum_args(o, rows, columns, dtype, along_rows);
        },
        [takes = rung.takes](const RowSum& s) { return takes(cpu::ReduceKind::sum, s.args); },
        [run = rung.run](const RowSum& s) { run(cpu::ReduceKind::sum, s.args); }));
    if (rung.takes == gpu::reduce_is_row_sum) subjects.back().dtypes = {DType::f32};
  }
  for (const bool along_rows : {true, false}) {
    const int axis = along_rows ? 1 : 0;
    const char* which = along_rows ? "rows" : "columns";
    subjects.push_back(rows_subject<RowSum>(
        fmt::format("reduce/argmax/{}", which), "where the largest element is", small, 1,
        [along_rows](Operands& o, int64_t rows, int64_t columns, DType dtype) {
          RowSum lines = sum_args(o, rows, columns, dtype, along_rows);
          lines.args.out = o.empty(along_rows ? rows : columns, DType::i64);
          return lines;
        },
        nullptr, [axis](const RowSum& s) { gpu::arg_extreme(true, axis, s.args); }));
    subjects.push_back(rows_subject<RowSum>(
        fmt::format("reduce/cumulative_sum/{}", which), "running sums", small, 2,
        [along_rows](Operands& o, int64_t rows, int64_t columns, DType dtype) {
          RowSum lines = sum_args(o, rows, columns, dtype, along_rows);
          lines.args.out = o.empty(rows * columns, dtype);
          return lines;
        },
        nullptr, [axis](const RowSum& s) { gpu::cumulative_sum(axis, false, s.args); }));
  }
  return subjects;
}

}  // namespace strata::xray
