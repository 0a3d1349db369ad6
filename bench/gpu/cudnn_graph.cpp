#include "bench/gpu/cudnn_graph.h"

#include <cuda_runtime.h>
#include <fmt/format.h>

#include <stdexcept>

#include "bench/gpu/library.h"
#include "bench/gpu/rivals.h"
#include "kernels/gpu/runtime.h"

namespace strata::bench {

namespace {

const Library& library() {
  static const Library cudnn{"libcudnn.so.9"};
  return cudnn;
}

void check(cudnnStatus_t status, const char* call) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  static auto* words = library().function<decltype(cudnnGetErrorString)>("cudnnGetErrorString");
  throw std::runtime_error(fmt::format("{}: {}", call, words(status)));
}

cudnnHandle_t handle() {
  static const cudnnHandle_t shared = [] {
    cudnnHandle_t made;
    check(library().function<decltype(cudnnCreate)>("cudnnCreate")(&made), "cudnnCreate");
    return made;
  }();
  check(library().function<decltype(cudnnSetStream)>("cudnnSetStream")(
            shared, reinterpret_cast<cudaStream_t>(gpu::current_stream())),
        "cudnnSetStream");
  return shared;
}

std::vector<int64_t> dense(const std::vector<int64_t>& sizes) {
  std::vector<int64_t> strides(sizes.size(), 1);
  for (size_t i = sizes.size() - 1; i > 0; --i) strides[i - 1] = strides[i] * sizes[i];
  return strides;
}

int64_t read_size(const CudnnDescriptor& descriptor, cudnnBackendAttributeName_t name) {
  int64_t value = 0, count = 0;
  check(library().function<decltype(cudnnBackendGetAttribute)>("cudnnBackendGetAttribute")(
            descriptor.get(), name, CUDNN_TYPE_INT64, 1, &count, &value),
        "cudnnBackendGetAttribute");
  return value;
}

// Engine configurations, the likeliest first.
std::vector<CudnnDescriptor> proposals(const CudnnDescriptor& graph) {
  constexpr int64_t most = 6;
  const cudnnBackendHeurMode_t mode = CUDNN_HEUR_MODE_A;
  CudnnDescriptor heuristic(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristic.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, std::vector{graph})
      .set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode)
      .finalize();
  std::vector<CudnnDescriptor> found;
  std::vector<cudnnBackendDescriptor_t> pointers;
  for (int64_t i = 0; i < most; ++i) {
    found.emplace_back(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    pointers.push_back(found.back().get());
  }
  int64_t count = 0;
  check(library().function<decltype(cudnnBackendGetAttribute)>("cudnnBackendGetAttribute")(
            heuristic.get(), CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, most,
            &count, pointers.data()),
        "cudnn heuristic");
  found.erase(found.begin() + std::min(count, most), found.end());
  return found;
}

CudnnDescriptor variant_pack(const CudnnGraph::Bindings& bindings, void* workspace) {
  std::vector<int64_t> numbers;
  std::vector<void*> pointers;
  for (const auto& [number, pointer] : bindings) {
    numbers.push_back(number);
    pointers.push_back(pointer);
  }
  CudnnDescriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, numbers)
      .set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR,
           static_cast<int64_t>(pointers.size()), pointers.data())
      .set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace);
  return pack.finalize();
}

// Runs an engine on each set of operands.
std::function<void(int)> way_of(const CudnnDescriptor& graph, const CudnnDescriptor& engine,
                                const std::vector<CudnnGraph::Bindings>& sets) {
  const cudnnHandle_t cudnn = handle();
  CudnnDescriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &cudnn)
      .set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, std::vector{engine})
      .finalize();
  const std::shared_ptr<void> workspace(
      gpu::allocate(static_cast<size_t>(read_size(plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE))),
      [](void* p) { gpu::release(p); });
  std::vector<CudnnDescriptor> packs;
  for (const auto& bindings : sets) packs.push_back(variant_pack(bindings, workspace.get()));
  auto* execute = library().function<decltype(cudnnBackendExecute)>("cudnnBackendExecute");
  // The graph and the workspace live as long as the plan.
  return [=](int copy) {
    (void)graph, (void)workspace;
    check(execute(cudnn, plan.get(), packs[static_cast<size_t>(copy)].get()),
          "cudnnBackendExecute");
  };
}

}  // namespace

bool cudnn_installed() { return static_cast<bool>(library()); }

cudnnDataType_t cudnn_type(DType dtype) {
  if (dtype == DType::bf16) return CUDNN_DATA_BFLOAT16;
  if (dtype == DType::f16) return CUDNN_DATA_HALF;
  return CUDNN_DATA_FLOAT;
}

CudnnDescriptor::CudnnDescriptor(cudnnBackendDescriptorType_t type) {
  cudnnBackendDescriptor_t made = nullptr;
  check(library().function<decltype(cudnnBackendCreateDescriptor)>("cudnnBackendCreateDescriptor")(
            type, &made),
        "cudnnBackendCreateDescriptor");
  auto* destroy =
      library().function<decltype(cudnnBackendDestroyDescriptor)>("cudnnBackendDestroyDescriptor");
  state_ = {made, [destroy](void* p) { destroy(static_cast<cudnnBackendDescriptor_t>(p)); }};
}

CudnnDescriptor& CudnnDescriptor::set(cudnnBackendAttributeName_t name,
                                      cudnnBackendAttributeType_t type, int64_t count,
                                      const void* values) {
  check(library().function<decltype(cudnnBackendSetAttribute)>("cudnnBackendSetAttribute")(
            get(), name, type, count, values),
        fmt::format("cudnn attribute {}", static_cast<int>(name)).c_str());
  return *this;
}
CudnnDescriptor& CudnnDescriptor::set(cudnnBackendAttributeName_t name, int64_t value) {
  return set(name, CUDNN_TYPE_INT64, 1, &value);
}
CudnnDescriptor& CudnnDescriptor::set(cudnnBackendAttributeName_t name, bool value) {
  return set(name, CUDNN_TYPE_BOOLEAN, 1, &value);
}
CudnnDescriptor& CudnnDescriptor::set(cudnnBackendAttributeName_t name, cudnnDataType_t value) {
  return set(name, CUDNN_TYPE_DATA_TYPE, 1, &value);
}
CudnnDescriptor& CudnnDescriptor::set(cudnnBackendAttributeName_t name,
                                      const std::vector<int64_t>& values) {
  return set(name, CUDNN_TYPE_INT64, static_cast<int64_t>(values.size()), values.data());
}
CudnnDescriptor& CudnnDescriptor::set(cudnnBackendAttributeName_t name,
                                      const std::vector<CudnnDescriptor>& values) {
  std::vector<cudnnBackendDescriptor_t> pointers;
  for (const CudnnDescriptor& value : values) pointers.push_back(value.get());
  return set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, static_cast<int64_t>(pointers.size()),
             pointers.data());
}
CudnnDescriptor& CudnnDescriptor::finalize() {
  check(library().function<decltype(cudnnBackendFinalize)>("cudnnBackendFinalize")(get()),
        "cudnnBackendFinalize");
  return *this;
}

CudnnDescriptor CudnnGraph::tensor(cudnnDataType_t type, const std::vector<int64_t>& sizes,
                                   const std::vector<int64_t>& strides, int64_t number) {
  CudnnDescriptor made(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  made.set(CUDNN_ATTR_TENSOR_DATA_TYPE, type)
      .set(CUDNN_ATTR_TENSOR_DIMENSIONS, sizes)
      .set(CUDNN_ATTR_TENSOR_STRIDES, strides)
      .set(CUDNN_ATTR_TENSOR_UNIQUE_ID, number)
      .set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, int64_t{16});
  return made.finalize();
}
CudnnDescriptor CudnnGraph::between(cudnnDataType_t type, const std::vector<int64_t>& sizes) {
  CudnnDescriptor made(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  made.set(CUDNN_ATTR_TENSOR_DATA_TYPE, type)
      .set(CUDNN_ATTR_TENSOR_DIMENSIONS, sizes)
      .set(CUDNN_ATTR_TENSOR_STRIDES, dense(sizes))
      .set(CUDNN_ATTR_TENSOR_UNIQUE_ID, next_++)
      .set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, int64_t{16})
      .set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, true);
  return made.finalize();
}
CudnnDescriptor CudnnGraph::number(size_t rank, int64_t number) {
  const std::vector<int64_t> ones(rank, 1);
  CudnnDescriptor made(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  made.set(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_DATA_FLOAT)
      .set(CUDNN_ATTR_TENSOR_DIMENSIONS, ones)
      .set(CUDNN_ATTR_TENSOR_STRIDES, ones)
      .set(CUDNN_ATTR_TENSOR_UNIQUE_ID, number)
      .set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, int64_t{16})
      .set(CUDNN_ATTR_TENSOR_IS_BY_VALUE, true);
  return made.finalize();
}

void CudnnGraph::pointwise(const Pointwise& what, const std::vector<CudnnDescriptor>& operands,
                           const CudnnDescriptor& y) {
  CudnnDescriptor function(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  function.set(CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &what.mode)
      .set(CUDNN_ATTR_POINTWISE_MATH_PREC, what.compute);
  if (what.axis >= 0) function.set(CUDNN_ATTR_POINTWISE_AXIS, what.axis);
  function.finalize();
  constexpr cudnnBackendAttributeName_t places[] = {CUDNN_ATTR_OPERATION_POINTWISE_XDESC,
                                                    CUDNN_ATTR_OPERATION_POINTWISE_BDESC,
                                                    CUDNN_ATTR_OPERATION_POINTWISE_TDESC};
  CudnnDescriptor operation(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  operation.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, std::vector{function})
      .set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, std::vector{y});
  for (size_t i = 0; i < operands.size(); ++i) operation.set(places[i], std::vector{operands[i]});
  add(operation);
}
void CudnnGraph::reduction(cudnnReduceTensorOp_t kind, const CudnnDescriptor& x,
                           const CudnnDescriptor& y) {
  CudnnDescriptor function(CUDNN_BACKEND_REDUCTION_DESCRIPTOR);
  function.set(CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE, 1, &kind)
      .set(CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_DATA_FLOAT)
      .finalize();
  CudnnDescriptor operation(CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR);
  operation.set(CUDNN_ATTR_OPERATION_REDUCTION_DESC, std::vector{function})
      .set(CUDNN_ATTR_OPERATION_REDUCTION_XDESC, std::vector{x})
      .set(CUDNN_ATTR_OPERATION_REDUCTION_YDESC, std::vector{y});
  add(operation);
}
void CudnnGraph::product(const CudnnDescriptor& a, const CudnnDescriptor& b,
                         const CudnnDescriptor& c) {
  CudnnDescriptor function(CUDNN_BACKEND_MATMUL_DESCRIPTOR);
  function.set(CUDNN_ATTR_MATMUL_COMP_TYPE, CUDNN_DATA_FLOAT).finalize();
  CudnnDescriptor operation(CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR);
  operation.set(CUDNN_ATTR_OPERATION_MATMUL_DESC, std::vector{function})
      .set(CUDNN_ATTR_OPERATION_MATMUL_ADESC, std::vector{a})
      .set(CUDNN_ATTR_OPERATION_MATMUL_BDESC, std::vector{b})
      .set(CUDNN_ATTR_OPERATION_MATMUL_CDESC, std::vector{c});
  add(operation);
}

std::function<void(int)> CudnnGraph::plan(const std::vector<Bindings>& sets) const {
  const cudnnHandle_t cudnn = handle();
  CudnnDescriptor graph(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  graph.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &cudnn)
      .set(CUDNN_ATTR_OPERATIONGRAPH_OPS, operations_)
      .finalize();
  std::vector<std::function<void(int)>> ways;
  std::string refusal;
  for (const CudnnDescriptor& engine : proposals(graph)) {
    try {
      ways.push_back(way_of(graph, engine, sets));
    } catch (const std::runtime_error& error) {
      refusal = error.what();
    }
  }
  if (ways.empty() && !refusal.empty()) throw std::runtime_error(refusal);
  return fastest(ways, static_cast<int>(sets.size()));
}

}  // namespace strata::bench
