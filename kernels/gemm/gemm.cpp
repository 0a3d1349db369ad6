// Picks the code for a product: nothing to do, tiny loops, few rows or one column (sgemm), a oneDNN
// primitive, or our own blocked loops.
#include "kernels/gemm/gemm.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "kernels/dnnl/packed_weight.h"
#include "kernels/gemm/epilogue_loops.h"
#include "kernels/gemm/loops.h"

namespace strata::cpu {
namespace {

bool has_relu(const GemmArguments& g) { return g.epilogue.activation == Activation::relu; }

template <class T>
void finish(const GemmArguments& g, T* c, int64_t rows) {
  const T* bias = static_cast<const T*>(g.epilogue.bias);
  if (!bias && !has_relu(g)) return;
  for (int64_t i = 0; i < rows; ++i, c += g.N) {
    if (bias) {
      for (int64_t j = 0; j < g.N; ++j) c[j] += bias[j];
    }
    if (has_relu(g)) {
      for (int64_t j = 0; j < g.N; ++j) c[j] = std::max(c[j], T(0));
    }
  }
}

// Calls body(batch index, offset in a, offset in b) for batches begin..end.
template <class Body>
void for_each_batch(const GemmArguments& g, int64_t begin, int64_t end, Body&& body) {
  for (int64_t index = begin; index < end; ++index) {
    int64_t rest = index, a = 0, b = 0;
    for (int i = g.batch_rank - 1; i >= 0; --i) {
      int64_t place = rest % g.batch[i];
      rest /= g.batch[i];
      a += place * g.a_batch[i];
      b += place * g.b_batch[i];
    }
    body(index, a, b);
  }
}

// T computes as Element: unsigned types for the integers, whose overflow is defined.
template <class T>
void gemm_loops(const GemmArguments& g) {
  int64_t batches = batch_count(g), size = g.M * g.N;
  auto one = [&](int64_t index, int64_t a_offset, int64_t b_offset, bool parallel) {
    loops::Strided<T> a{static_cast<const T*>(g.a) + a_offset, g.a_row, g.a_column};
    loops::Strided<T> b{static_cast<const T*>(g.b) + b_offset, g.b_row, g.b_column};
    T* c = static_cast<T*>(g.c) + index * size;
    if (parallel) {
      loops::multiply_parallel(g.M, g.N, g.K, a, b, c, g.N);
    } else {
      loops::multiply_any(g.M, g.N, g.K, a, b, c, g.N, false);
    }
  };
  if (batches < 2 * thread_count()) {
    for_each_batch(g, 0, batches, [&](int64_t i, int64_t a, int64_t b) { one(i, a, b, true); });
  } else {
    int64_t grain = (1 << 18) / std::max<int64_t>(1, size * g.K) + 1;
    parallel_for(batches, grain, [&](int64_t begin, int64_t end) {
      for_each_batch(g, begin, end, [&](int64_t i, int64_t a, int64_t b) { one(i, a, b, false); });
    });
  }
  finish(g, static_cast<T*>(g.c), batches * g.M);
}

// oneDNN reads a matrix whose rows or whose columns are dense and do not overlap.
bool dense(int64_t row, int64_t column, int64_t rows, int64_t columns) {
  return (column == 1 && row >= columns) || (row == 1 && column >= rows);
}

// A few rows, or one column: bound by the reading of the other matrix, which oneDNN's sgemm does up
// to three times as fast as its matmul primitive (up to 8 rows, measured at 512 and 1024 squared;
// up to 3 where that may pack b, which it rounds up to 64 columns; measured at 64 x 64 to 768 x
// 8192).
bool skinny_product(const GemmArguments& g) {
  constexpr int64_t worth_it = 1 << 14, narrow = 128;
  const int64_t few_rows = g.packed_b && g.N >= narrow ? 3 : 8;
  if (g.batch_rank > 0 || (g.M > few_rows && g.N > 1) || g.K * g.N * g.M < worth_it) return false;
  if (!dense(g.a_row, g.a_column, g.M, g.K) || !dense(g.b_row, g.b_column, g.K, g.N)) return false;
  bool a_transposed = g.a_column != 1, b_transposed = g.b_column != 1;
  int64_t a_stride = a_transposed ? g.a_column : g.a_row;
  int64_t b_stride = b_transposed ? g.b_column : g.b_row;
  auto status = dnnl_sgemm(a_transposed ? 'T' : 'N', b_transposed ? 'T' : 'N', g.M, g.N, g.K, 1.0f,
                           static_cast<const float*>(g.a), a_stride, static_cast<const float*>(g.b),
                           b_stride, 0.0f, static_cast<float*>(g.c), g.N);
  if (status != dnnl_success) return false;
  finish(g, static_cast<float*>(g.c), g.M);
  return true;
}

struct Product {
  onednn::Prepared primitive;  // empty: oneDNN has nothing better than our loops
  bool has_bias = false;
  onednn::Prepared pack;  // of b; empty: none needed
  onednn::Layout packed;

  const void* weight(const GemmArguments& g) {
    if (!pack) return g.b;
    return g.packed_b->in(packed, [&](void* to) { pack.run({g.b, to}); });
  }
};

// One matrix, whose layout oneDNN may choose.
bool packs(const GemmArguments& g) { return g.packed_b && g.batch_rank == 0; }

Product make_product(const GemmArguments& g) {
  onednn::Sizes a, b, c, bias, a_strides, b_strides;
  for (int i = 0; i < g.batch_rank; ++i) {
    a.push_back(g.a_batch[i] ? g.batch[i] : 1);
    b.push_back(g.b_batch[i] ? g.batch[i] : 1);
    c.push_back(g.batch[i]);
    bias.push_back(1);
    a_strides.push_back(g.a_batch[i] ? g.a_batch[i] : 1);
    b_strides.push_back(g.b_batch[i] ? g.b_batch[i] : 1);
  }
  auto append = [](onednn::Sizes& sizes, int64_t x, int64_t y) {
    sizes.push_back(x);
    sizes.push_back(y);
  };
  append(a, g.M, g.K);
  append(b, g.K, g.N);
  append(c, g.M, g.N);
  append(bias, 1, g.N);
  append(a_strides, g.a_row, g.a_column);
  append(b_strides, g.b_row, g.b_column);
  auto a_layout = onednn::layout(a, a_strides), b_layout = onednn::layout(b, b_strides);
  auto c_layout = onednn::row_major(c), bias_layout = onednn::row_major(bias);
  try {
    auto description = onednn::describe_matmul(
        a_layout, packs(g) ? onednn::any_layout(b) : b_layout,
        g.epilogue.bias ? &bias_layout : nullptr, c_layout, {.relu = has_relu(g)});
    if (onednn::is_reference(description)) return {};
    onednn::Layout wanted = description.weights_desc();
    std::vector<onednn::Prepared::Argument> arguments = {
        {DNNL_ARG_SRC, a_layout}, {DNNL_ARG_WEIGHTS, wanted}, {DNNL_ARG_DST, c_layout}};
    if (g.epilogue.bias) arguments.push_back({DNNL_ARG_BIAS, bias_layout});
    Product product{{dnnl::matmul(description), arguments}, g.epilogue.bias != nullptr, {}, wanted};
    if (packs(g) && wanted != b_layout) product.pack = onednn::prepare_reorder(b_layout, wanted);
    return product;
  } catch (const dnnl::error&) {
    return {};  // oneDNN refuses these strides: as above
  }
}

bool gemm_primitive(const GemmArguments& g) {
  if (!dense(g.a_row, g.a_column, g.M, g.K) || !dense(g.b_row, g.b_column, g.K, g.N)) return false;
  for (int i = 0; i < g.batch_rank; ++i) {
    if (g.a_batch[i] < 0 || g.b_batch[i] < 0) return false;
  }
  static thread_local onednn::Cache<Product> cache;
  onednn::Key key(0);
  key << g.M << g.N << g.K << g.a_row << g.a_column << g.b_row << g.b_column;
  key << packs(g) * 4 + (g.epilogue.bias != nullptr) * 2 + has_relu(g) << g.batch_rank;
  for (int i = 0; i < g.batch_rank; ++i) key << g.batch[i] << g.a_batch[i] << g.b_batch[i];
  Product& product = cache.find_or_make(key, [&] { return make_product(g); });
  if (!product.primitive) return false;
  const void* b = product.weight(g);
  if (product.has_bias) {
    product.primitive.run({g.a, b, g.c, g.epilogue.bias});
  } else {
    product.primitive.run({g.a, b, g.c});
  }
  return true;
}

void gemm_f32(const GemmArguments& g) {
  constexpr int64_t cheaper_than_primitive = 1024;  // multiply-adds
  if (g.batch_rank == 0 && g.M * g.N * g.K <= cheaper_than_primitive) return gemm_loops<float>(g);
  onednn::OneThread alone(batch_count(g) * g.M * g.N * g.K < onednn::worth_threads);
  if (skinny_product(g) || gemm_primitive(g)) return;
  gemm_loops<float>(g);
}

template <class T>
void fill_empty(const GemmArguments& g) {
  int64_t rows = batch_count(g) * g.M;
  T* c = static_cast<T*>(g.c);
  std::fill(c, c + rows * g.N, T(0));
  finish(g, c, rows);
}

void product(const GemmArguments& g) {
  switch (g.dtype) {
    case DType::f64:
      return g.K == 0 ? fill_empty<double>(g) : gemm_loops<double>(g);
    case DType::i64:
      return g.K == 0 ? fill_empty<uint64_t>(g) : gemm_loops<uint64_t>(g);
    case DType::i32:
      return g.K == 0 ? fill_empty<uint32_t>(g) : gemm_loops<uint32_t>(g);
    case DType::f32:
      return g.K == 0 ? fill_empty<float>(g) : gemm_f32(g);
    default:
      throw std::invalid_argument(std::string("cpu::gemm has no product of ") + name_of(g.dtype) +
                                  "; convert the operands to f32");
  }
}

}  // namespace

void gemm(const GemmArguments& arguments) {
  if (arguments.M == 0 || arguments.N == 0 || batch_count(arguments) == 0) return;
  GemmArguments g = simplify(arguments);
  if (finished_with_product(g.epilogue)) return product(g);
  finish_apart(g, product);
}

}  // namespace strata::cpu
