// cuBLAS, as cublasGemmEx picks, and cuBLASLt, the fastest of what its heuristic proposes first. Of
// fp8 there is cuBLASLt alone, with and without its fast accumulation (sums that stay in the tensor
// cores, as ours do); the scales of its operands are ones.
//
// Both speak of column-major matrices, so they are asked for the transpose: C^T = B^T A^T.
#include <cublasLt.h>
#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

#include "bench/gpu/library.h"
#include "bench/gpu/rivals.h"
#include "kernels/gpu/runtime.h"

namespace strata::bench {

namespace {

constexpr size_t workspace_bytes = 64 << 20;

void check(cublasStatus_t status, const char* call) {
  if (status != CUBLAS_STATUS_SUCCESS)
    throw std::runtime_error(
        fmt::format("{} failed with status {}", call, static_cast<int>(status)));
}

cudaStream_t stream() { return reinterpret_cast<cudaStream_t>(gpu::current_stream()); }

cudaDataType_t type_of(DType dtype) {
  if (dtype == DType::bf16) return CUDA_R_16BF;
  if (dtype == DType::f16) return CUDA_R_16F;
  return CUDA_R_32F;
}
cublasComputeType_t compute_of(const GemmArguments& g) {
  return g.allow_tf32 && g.dtype == DType::f32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
}

// How the transposes of A and B lie as column-major matrices.
struct Layout {
  cublasOperation_t a, b;
  int64_t a_leading, b_leading;
};
Layout layout_of(const GemmArguments& g) {
  return {g.a_column == 1 ? CUBLAS_OP_N : CUBLAS_OP_T, g.b_column == 1 ? CUBLAS_OP_N : CUBLAS_OP_T,
          g.a_column == 1 ? g.a_row : g.a_column, g.b_column == 1 ? g.b_row : g.b_column};
}

std::shared_ptr<void> device_memory(size_t bytes) {
  return {gpu::allocate(bytes), [](void* p) { gpu::release(p); }};
}

Rival cublas_rival(const Library& library, const std::vector<GemmArguments>& sets) {
  cublasHandle_t handle;
  check(library.function<decltype(cublasCreate_v2)>("cublasCreate_v2")(&handle), "cublasCreate");
  auto* destroy = library.function<decltype(cublasDestroy_v2)>("cublasDestroy_v2");
  Rival rival{
      "cuBLAS", {}, {{handle, [destroy](void* h) { destroy(static_cast<cublasHandle_t>(h)); }}}};
  rival.memory.push_back(device_memory(workspace_bytes));
  auto* set_stream = library.function<decltype(cublasSetStream_v2)>("cublasSetStream_v2");
  auto* set_workspace = library.function<decltype(cublasSetWorkspace_v2)>("cublasSetWorkspace_v2");
  using GemmEx =
      cublasStatus_t(cublasHandle_t, cublasOperation_t, cublasOperation_t, int, int, int,
                     const void*, const void*, cudaDataType, int, const void*, cudaDataType, int,
                     const void*, void*, cudaDataType, int, cublasComputeType_t, cublasGemmAlgo_t);
  auto* multiply = library.function<GemmEx>("cublasGemmEx");  // its name is overloaded in C++
  check(set_stream(handle, stream()), "cublasSetStream");
  check(set_workspace(handle, rival.memory[1].get(), workspace_bytes), "cublasSetWorkspace");
  rival.run = [=](int copy) {
    const GemmArguments& g = sets[static_cast<size_t>(copy)];
    const Layout l = layout_of(g);
    const float one = 1, zero = 0;
    check(
        multiply(handle, l.b, l.a, static_cast<int>(g.N), static_cast<int>(g.M),
                 static_cast<int>(g.K), &one, g.b, type_of(g.dtype), static_cast<int>(l.b_leading),
                 g.a, type_of(g.dtype), static_cast<int>(l.a_leading), &zero, g.c, type_of(g.dtype),
                 static_cast<int>(g.N), compute_of(g), CUBLAS_GEMM_DEFAULT),
        "cublasGemmEx");
  };
  return rival;
}

// What cuBLASLt's operands are.
struct LtOperands {
  bool fp8 = false, fast_accumulation = false;
};

// What a product by cuBLASLt needs, alike for all copies.
struct LtProduct {
  const Library& library;
  cublasLtHandle_t handle = nullptr;
  cublasLtMatmulDesc_t operation = nullptr;
  cublasLtMatrixLayout_t a = nullptr, b = nullptr, c = nullptr;
  std::shared_ptr<void> workspace = device_memory(workspace_bytes), scale;
  decltype(cublasLtMatmul)* multiply = library.function<decltype(cublasLtMatmul)>("cublasLtMatmul");

  LtProduct(const Library& library, const GemmArguments& g, const LtOperands& operands)
      : library(library) {
    const auto layout =
        library.function<decltype(cublasLtMatrixLayoutCreate)>("cublasLtMatrixLayoutCreate");
    const auto set = library.function<decltype(cublasLtMatmulDescSetAttribute)>(
        "cublasLtMatmulDescSetAttribute");
    check(library.function<decltype(cublasLtCreate)>("cublasLtCreate")(&handle), "cublasLtCreate");
    check(library.function<decltype(cublasLtMatmulDescCreate)>("cublasLtMatmulDescCreate")(
              &operation, compute_of(g), CUDA_R_32F),
          "cublasLtMatmulDescCreate");
    const Layout l = layout_of(g);
    check(set(operation, CUBLASLT_MATMUL_DESC_TRANSA, &l.b, sizeof l.b), "TRANSA");
    check(set(operation, CUBLASLT_MATMUL_DESC_TRANSB, &l.a, sizeof l.a), "TRANSB");
    const auto M = static_cast<uint64_t>(g.M), N = static_cast<uint64_t>(g.N),
               K = static_cast<uint64_t>(g.K);
    const cudaDataType_t type = operands.fp8 ? CUDA_R_8F_E4M3 : type_of(g.dtype);
    if (operands.fp8) set_fp8(operands.fast_accumulation);
    check(layout(&b, type, l.b == CUBLAS_OP_N ? N : K, l.b == CUBLAS_OP_N ? K : N, l.b_leading),
          "layout of B");
    check(layout(&a, type, l.a == CUBLAS_OP_N ? K : M, l.a == CUBLAS_OP_N ? M : K, l.a_leading),
          "layout of A");
    check(layout(&c, type_of(g.dtype), N, M, g.N), "layout of C");
  }
  void set_fp8(bool fast_accumulation) {
    const auto set = library.function<decltype(cublasLtMatmulDescSetAttribute)>(
        "cublasLtMatmulDescSetAttribute");
    const float one = 1;
    scale = device_memory(sizeof one);
    gpu::copy_to_device(scale.get(), &one, sizeof one, gpu::current_stream());
    gpu::synchronize(gpu::current_stream());
    const void* pointer = scale.get();
    const int8_t fast = fast_accumulation ? 1 : 0;
    check(set(operation, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, &pointer, sizeof pointer),
          "A_SCALE_POINTER");
    check(set(operation, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, &pointer, sizeof pointer),
          "B_SCALE_POINTER");
    check(set(operation, CUBLASLT_MATMUL_DESC_FAST_ACCUM, &fast, sizeof fast), "FAST_ACCUM");
  }
  LtProduct(const LtProduct&) = delete;
  LtProduct& operator=(const LtProduct&) = delete;
  ~LtProduct() {
    const auto destroy =
        library.function<decltype(cublasLtMatrixLayoutDestroy)>("cublasLtMatrixLayoutDestroy");
    for (cublasLtMatrixLayout_t layout : {a, b, c}) destroy(layout);
    library.function<decltype(cublasLtMatmulDescDestroy)>("cublasLtMatmulDescDestroy")(operation);
    library.function<decltype(cublasLtDestroy)>("cublasLtDestroy")(handle);
  }

  std::vector<cublasLtMatmulAlgo_t> proposals() const {
    constexpr int most = 8;
    cublasLtMatmulPreference_t preference;
    check(library.function<decltype(cublasLtMatmulPreferenceCreate)>(
              "cublasLtMatmulPreferenceCreate")(&preference),
          "cublasLtMatmulPreferenceCreate");
    check(library.function<decltype(cublasLtMatmulPreferenceSetAttribute)>(
              "cublasLtMatmulPreferenceSetAttribute")(preference,
                                                      CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                                      &workspace_bytes, sizeof workspace_bytes),
          "MAX_WORKSPACE_BYTES");
    cublasLtMatmulHeuristicResult_t results[most];
    int found = 0;
    const cublasStatus_t status = library.function<decltype(cublasLtMatmulAlgoGetHeuristic)>(
        "cublasLtMatmulAlgoGetHeuristic")(handle, operation, b, a, c, c, preference, most, results,
                                          &found);
    library.function<decltype(cublasLtMatmulPreferenceDestroy)>("cublasLtMatmulPreferenceDestroy")(
        preference);
    check(status, "cublasLtMatmulAlgoGetHeuristic");
    std::vector<cublasLtMatmulAlgo_t> algorithms;
    for (int i = 0; i < found; ++i)
      if (results[i].state == CUBLAS_STATUS_SUCCESS) algorithms.push_back(results[i].algo);
    return algorithms;
  }
  void run(const GemmArguments& g, const cublasLtMatmulAlgo_t& algorithm) const {
    const float one = 1, zero = 0;
    check(multiply(handle, operation, &one, g.b, b, g.a, a, &zero, g.c, c, g.c, c, &algorithm,
                   workspace.get(), workspace_bytes, stream()),
          "cublasLtMatmul");
  }
};

Rival cublaslt_rival(const Library& library, const std::vector<GemmArguments>& sets,
                     const char* name, const LtOperands& operands) {
  auto product = std::make_shared<LtProduct>(library, sets[0], operands);
  std::vector<std::function<void(int)>> choices;
  for (const cublasLtMatmulAlgo_t& algorithm : product->proposals())
    choices.push_back([product, algorithm, sets](int copy) {
      product->run(sets[static_cast<size_t>(copy)], algorithm);
    });
  return {name, fastest(choices, static_cast<int>(sets.size())), {product}};
}

const Library& cublaslt() {
  static const Library library{"libcublasLt.so.13", "libcublasLt.so.12"};
  return library;
}

// Adds what `make` makes, or a note of why there is none.
template <class Make>
void add(Rivals& rivals, const char* name, const Library& library, Make&& make) {
  if (!library) return rivals.notes.push_back(fmt::format("{} is not installed", name));
  try {
    rivals.found.push_back(make());
  } catch (const std::exception& error) {
    rivals.notes.push_back(fmt::format("{}: {}", name, error.what()));
  }
}

}  // namespace

Rivals gemm_rivals(const std::vector<GemmArguments>& sets) {
  static const Library cublas{"libcublas.so.13", "libcublas.so.12"};
  Rivals rivals;
  add(rivals, "cuBLAS", cublas, [&] { return cublas_rival(cublas, sets); });
  add(rivals, "cuBLASLt", cublaslt(),
      [&] { return cublaslt_rival(cublaslt(), sets, "cuBLASLt", {}); });
  return rivals;
}

Rivals fp8_rivals(const std::vector<GemmArguments>& sets) {
  Rivals rivals;
  for (const bool fast : {true, false}) {
    const char* name = fast ? "cuBLASLt (fast accumulation)" : "cuBLASLt";
    add(rivals, name, cublaslt(), [&] {
      return cublaslt_rival(cublaslt(), sets, name, {.fp8 = true, .fast_accumulation = fast});
    });
  }
  return rivals;
}

}  // namespace strata::bench
