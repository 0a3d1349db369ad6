// cuDNN's graphs (its backend API, "cuDNN Graph API" in NVIDIA's documentation): tensors,
// operations on them, and the engines that can run the whole as one. The library is loaded at run
// time.
#pragma once

#include <cudnn.h>

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "kernels/common/numeric.h"

namespace strata::bench {

// A descriptor: attributes are set, then it is finalised. Throws std::runtime_error with cuDNN's
// words.
class CudnnDescriptor {
 public:
  explicit CudnnDescriptor(cudnnBackendDescriptorType_t type);
  CudnnDescriptor& set(cudnnBackendAttributeName_t name, int64_t value);
  CudnnDescriptor& set(cudnnBackendAttributeName_t name, bool value);
  CudnnDescriptor& set(cudnnBackendAttributeName_t name, cudnnDataType_t value);
  CudnnDescriptor& set(cudnnBackendAttributeName_t name, const std::vector<int64_t>& values);
  CudnnDescriptor& set(cudnnBackendAttributeName_t name,
                       const std::vector<CudnnDescriptor>& values);
  // Enumerations, pointers.
  CudnnDescriptor& set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                       int64_t count, const void* values);
  CudnnDescriptor& finalize();
  cudnnBackendDescriptor_t get() const {
    return static_cast<cudnnBackendDescriptor_t>(state_.get());
  }

 private:
  std::shared_ptr<void> state_;
};

cudnnDataType_t cudnn_type(DType dtype);

class CudnnGraph {
 public:
  // A tensor in memory, bound by its number; or between two operations.
  CudnnDescriptor tensor(cudnnDataType_t type, const std::vector<int64_t>& sizes,
                         const std::vector<int64_t>& strides, int64_t number);
  CudnnDescriptor between(cudnnDataType_t type, const std::vector<int64_t>& sizes);
  // A number, bound as a pointer to a float of the host.
  CudnnDescriptor number(size_t rank, int64_t number);

  void add(CudnnDescriptor operation) { operations_.push_back(operation.finalize()); }
  // y = mode(x, b), with `t` the condition of a selection; `axis` of an index.
  struct Pointwise {
    cudnnPointwiseMode_t mode;
    cudnnDataType_t compute = CUDNN_DATA_FLOAT;
    int64_t axis = -1;
  };
  void pointwise(const Pointwise& what, const std::vector<CudnnDescriptor>& operands,
                 const CudnnDescriptor& y);
  void reduction(cudnnReduceTensorOp_t kind, const CudnnDescriptor& x, const CudnnDescriptor& y);
  void product(const CudnnDescriptor& a, const CudnnDescriptor& b, const CudnnDescriptor& c);

  // The fastest of the first few engines that the heuristic proposes. A set of operands binds
  // numbers of tensors to memory.
  using Bindings = std::map<int64_t, void*>;
  std::function<void(int copy)> plan(const std::vector<Bindings>& sets) const;

 private:
  std::vector<CudnnDescriptor> operations_;
  int64_t next_ = 1000;  // the number of the next tensor in between
};

bool cudnn_installed();

}  // namespace strata::bench
