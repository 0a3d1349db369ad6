// Products: strides are handed to the kernel as they are, so that a transposed view costs nothing.
#include "engine/ops/product.h"

#include "engine/autograd/autograd.h"
#include "engine/ops/detail/check.h"
#include "engine/ops/detail/kernel_inputs.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/packed_weights.h"
#include "engine/ops/reduce.h"
#include "engine/ops/view.h"
#include "engine/tensor/allocator.h"
#include "kernels/gemm/gemm.h"

namespace strata {
namespace {

using detail::raw_or_null;

void check_operand(const char* op, const char* name, const Tensor& x, Caller at) {
  if (!x.defined()) fail(op, at, "{} is undefined", name);
}

// What the kernel computes with: see product_type(); integers as they are.
DType kernel_type(const char* op, DType dtype, Device device, Caller at) {
  if (is_float(dtype)) return detail::product_type(dtype, device);
  if (dtype == DType::i32 || dtype == DType::i64) return dtype;
  fail(op, at,
       "there is no product of {}; convert an operand with to(DType::i32) or to(DType::f32)",
       name_of(dtype));
}

Tensor converted(const Tensor& x, DType dtype) {
  if (!x.defined() || x.dtype() == dtype) return x;
  NoGrad off;
  return to_dtype(x, dtype);
}

Tensor transposed(const Tensor& x, Caller at) { return transpose(x, -1, -2, at); }

// a [..., M, K] x b [..., K, N] (+ bias [N]) into a new tensor of `shape` [..., M, N].
Tensor multiply(const char* op, const Tensor& a, const Tensor& b, const Tensor& bias, Dims shape,
                DType dtype, Caller at) {
  detail::check_one_device(op, {&a, &b, &bias}, at);
  DType computed = kernel_type(op, dtype, a.device(), at);
  Tensor left = converted(a, computed), right = converted(b, computed);
  Tensor shift = detail::dense(bias, computed);
  memory::Holder holder(op);
  Tensor out = empty(shape, computed, a.device());
  GemmArguments g;
  g.dtype = computed;
  g.M = left.size(-2);
  g.K = left.size(-1);
  g.N = right.size(-1);
  g.a = left.raw();
  g.a_row = left.strides()[-2];
  g.a_column = left.strides()[-1];
  g.b = right.raw();
  g.b_row = right.strides()[-2];
  g.b_column = right.strides()[-1];
  g.packed_b = detail::packed_weight(right);
  g.epilogue.bias = raw_or_null(shift);
  g.c = out.raw();
  g.batch_rank = shape.rank() - 2;
  for (int i = 0; i < g.batch_rank; ++i) {
    g.batch[i] = shape[i];
    int in_a = i - (shape.rank() - left.rank()), in_b = i - (shape.rank() - right.rank());
    g.a_batch[i] = in_a >= 0 && left.shape()[in_a] != 1 ? left.strides()[in_a] : 0;
    g.b_batch[i] = in_b >= 0 && right.shape()[in_b] != 1 ? right.strides()[in_b] : 0;
  }
  on(a.device(), op, at, cpu::gemm, gpu::gemm, g);
  return converted(out, dtype);
}

Dims batch_of(const Tensor& x) {
  Dims batch = x.shape();
  batch.resize(x.rank() - 2);
  return batch;
}

// [..., N] seen as [rows, N].
Tensor as_rows(const Tensor& x, Caller at) {
  int64_t rows = 1;
  for (int i = 0; i + 1 < x.rank(); ++i) rows *= x.shape()[i];
  return reshape(x, {rows, x.size(-1)}, at);
}

// Both operands of rank 2 or more.
Tensor matmul_matrices(const Tensor& a, const Tensor& b, Caller at) {
  Dims shape;
  if (!broadcast(batch_of(a), batch_of(b), &shape)) {
    fail("matmul", at, "{} x {}: the batches {} and {} do not broadcast (sizes must be equal or 1)",
         describe(a), describe(b), to_string(batch_of(a)), to_string(batch_of(b)));
  }
  shape.push_back(a.size(-2));
  shape.push_back(b.size(-1));
  Tensor out = multiply("matmul", a, b, {}, shape, promote(a.dtype(), b.dtype()), at);
  return record(
      std::move(out), "matmul", at, {a, b}, {a, b}, [at](const Tensor& g, const Saved& saved) {
        Gradients gradients(2);
        if (saved.needs(0)) gradients[0] = matmul(g, transposed(saved[1], at), at);
        if (saved.needs(1)) {
          Tensor a = saved[0];
          // One weight for a batch: its gradient is one product, summed over the batch.
          bool shared = saved[1].rank() == 2 && a.rank() > 2;
          gradients[1] = shared ? matmul(transposed(as_rows(a, at), at), as_rows(g, at), at)
                                : matmul(transposed(a, at), g, at);
        }
        return gradients;
      });
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b, Caller at) {
  check_operand("matmul", "a", a, at);
  check_operand("matmul", "b", b, at);
  if (a.rank() == 0 || b.rank() == 0) {
    fail("matmul", at, "{} x {}: a scalar has no matrix product; use *", describe(a), describe(b));
  }
  int64_t inner = b.size(b.rank() == 1 ? 0 : -2);
  if (a.size(-1) != inner) {
    fail(
        "matmul", at,
        "{} x {}: the last axis of a has size {} and the {} of b has size {}; they are summed over "
        "and must be equal{}",
        describe(a), describe(b), a.size(-1), b.rank() == 1 ? "only axis" : "last but one", inner,
        b.rank() > 1 && a.size(-1) == b.size(-1) ? " (transpose b?)" : "");
  }
  if (a.rank() > 1 && b.rank() > 1) return matmul_matrices(a, b, at);
  Tensor left = a.rank() == 1 ? unsqueeze(a, 0, at) : a;
  Tensor right = b.rank() == 1 ? unsqueeze(b, 1, at) : b;
  Tensor out = matmul_matrices(left, right, at);
  if (b.rank() == 1) out = squeeze(out, -1, at);
  if (a.rank() == 1) out = squeeze(out, b.rank() == 1 ? -1 : -2, at);
  return out;
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias, Caller at) {
  detail::check_floating("linear", "x", x, at);
  detail::check_floating("linear", "weight", weight, at);
  if (x.rank() == 0 || weight.rank() != 2 || x.size(-1) != weight.size(-1)) {
    fail("linear", at, "x {} and weight {}: expected x [..., K] and weight [N, K] with the same K",
         describe(x), describe(weight));
  }
  int64_t outputs = weight.size(0);
  if (bias.defined() && (!is_float(bias.dtype()) || bias.shape() != Dims{outputs})) {
    fail("linear", at, "weight {} makes {} outputs and needs a floating bias of shape [{}], not {}",
         describe(weight), outputs, outputs, describe(bias));
  }
  DType dtype = promote(x.dtype(), weight.dtype());
  if (bias.defined()) dtype = promote(dtype, bias.dtype());
  Dims shape = x.shape();
  shape[-1] = outputs;
  Tensor matrix = x, flipped;
  {
    NoGrad views;
    if (x.rank() == 1) matrix = unsqueeze(x, 0, at);
    flipped = transposed(weight, at);
  }
  Dims result = shape;
  if (x.rank() == 1) result.insert(0, 1);
  Tensor out = multiply("linear", matrix, flipped, bias, result, dtype, at);
  if (x.rank() == 1) out = make_view(out, shape, {1}, 0);
  return record(std::move(out), "linear", at, {x, weight, bias}, {x, weight},
                [at](const Tensor& g, const Saved& saved) {
                  Gradients gradients(3);
                  if (saved.needs(0)) gradients[0] = matmul(g, saved[1], at);
                  if (!saved.needs(1) && !saved.needs(2)) return gradients;
                  Tensor rows = as_rows(g, at);
                  if (saved.needs(1)) {
                    gradients[1] = matmul(transposed(rows, at), as_rows(saved[0], at), at);
                  }
                  if (saved.needs(2)) gradients[2] = sum(rows, {0}, false, at);
                  return gradients;
                });
}

Tensor dot(const Tensor& a, const Tensor& b, Caller at) {
  check_operand("dot", "a", a, at);
  check_operand("dot", "b", b, at);
  if (a.rank() != 1 || a.shape() != b.shape()) {
    fail("dot", at, "{} . {}: expected two vectors of the same length", describe(a), describe(b));
  }
  return matmul(a, b, at);
}

Tensor outer(const Tensor& a, const Tensor& b, Caller at) {
  check_operand("outer", "a", a, at);
  check_operand("outer", "b", b, at);
  if (a.rank() != 1 || b.rank() != 1) {
    fail("outer", at, "{} x {}: expected two vectors", describe(a), describe(b));
  }
  return mul(unsqueeze(a, 1, at), unsqueeze(b, 0, at), at);
}

}  // namespace strata
