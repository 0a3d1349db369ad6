// Tensor: a handle to an n-dimensional array. It holds a shape, strides, an element type, shared
// storage, and, when a gradient is wanted, a place in the autograd graph; there is no arithmetic in
// it (that is engine/ops). Copying a Tensor copies the handle.
//
// Views (reshape, permute, slice, expand, ...) share storage; strides may be 0 (a broadcast axis)
// or negative (a flip). A scalar has rank 0; a size of 0 makes an empty tensor, which is allowed
// everywhere.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/error.h"
#include "engine/tensor/device.h"
#include "engine/tensor/dims.h"
#include "engine/tensor/ref.h"
#include "kernels/common/numeric.h"

namespace strata {

struct Node;  // engine/autograd/autograd.h
void retain(Node* node);
void release(Node* node);
class Tensor;

// A block of memory, the count of writes to it (autograd refuses to use a saved value that was
// overwritten since) and who wrote last.
struct Storage : Counted {
  void* data = nullptr;
  size_t bytes = 0;
  Device device = Device::cpu;
  bool parameter = false;  // it holds a leaf, or what a module keeps in its place
  uint32_t version = 0;
  const char* last_writer = "";
  Caller last_write;

  Storage(size_t bytes, Device device);
  ~Storage();
  static void destroy(Storage* storage) { delete storage; }
};

struct TensorData : Counted {
  Ref<Storage> storage;
  Dims shape, strides;  // in elements
  int64_t offset = 0;   // in elements
  int64_t numel = 0;
  DType dtype = DType::f32;
  bool contiguous = true;
  Ref<Node> node;  // null: no gradient flows here

  static void destroy(TensorData* data) { delete data; }
};

class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(Ref<TensorData> data) : data_(std::move(data)) {}

  bool defined() const { return static_cast<bool>(data_); }
  const Dims& shape() const { return data_->shape; }
  const Dims& strides() const { return data_->strides; }
  int rank() const { return data_->shape.rank(); }
  // Size of an axis; negative axes count from the right.
  int64_t size(int axis) const;
  int64_t numel() const { return data_->numel; }
  int64_t offset() const { return data_->offset; }
  DType dtype() const { return data_->dtype; }
  Device device() const { return data_->storage->device; }
  bool is_contiguous() const { return data_->contiguous; }
  const Ref<Storage>& storage() const { return data_->storage; }
  TensorData* get() const { return data_.get(); }

  // First element, as bytes (device memory on the gpu) or as T, which must be the element type of a
  // tensor on the cpu.
  void* raw() const {
    return static_cast<char*>(data_->storage->data) + data_->offset * size_of(data_->dtype);
  }
  template <class T>
  T* data(Caller at = Caller::here()) const {
    if (dtype_of<T>() != dtype() || device() != Device::cpu) {
      wrong_pointer("data", dtype_of<T>(), at);
    }
    return static_cast<T*>(raw());
  }

  // The only element, converted to double.
  double item(Caller at = Caller::here()) const;
  // All elements in row-major order, converted to T.
  template <class T>
  std::vector<T> to_vector() const;

  // Gradients (engine/autograd/autograd.h).
  bool requires_grad() const { return static_cast<bool>(data_->node); }
  bool is_leaf() const;
  Tensor& set_requires_grad(bool wanted = true, Caller at = Caller::here());
  // Keeps the gradient of an inner tensor after a backward pass, as leaves do.
  Tensor& retain_grad(Caller at = Caller::here());
  Tensor grad() const;  // undefined until a backward pass reached this tensor
  void set_grad(const Tensor& grad);
  void zero_grad();
  // The same values, outside the graph.
  Tensor detach() const;
  void backward(Caller at = Caller::here()) const;
  const Ref<Node>& node() const { return data_->node; }

  // Views and copies; see engine/ops/view.h for what each does. They are recorded like any op.
  Tensor reshape(const Dims& shape, Caller at = Caller::here()) const;
  Tensor permute(const Dims& axes, Caller at = Caller::here()) const;
  Tensor transpose(int a, int b, Caller at = Caller::here()) const;
  Tensor slice(int axis, int64_t start, int64_t stop, int64_t step = 1,
               Caller at = Caller::here()) const;
  Tensor select(int axis, int64_t index, Caller at = Caller::here()) const;
  Tensor expand(const Dims& shape, Caller at = Caller::here()) const;
  Tensor unsqueeze(int axis, Caller at = Caller::here()) const;
  Tensor squeeze(int axis, Caller at = Caller::here()) const;
  Tensor flatten(int first = 0, int last = -1, Caller at = Caller::here()) const;
  Tensor contiguous(Caller at = Caller::here()) const;
  Tensor clone(Caller at = Caller::here()) const;
  Tensor to(DType dtype, Caller at = Caller::here()) const;
  Tensor to(Device device, Caller at = Caller::here()) const;

 private:
  [[noreturn]] void wrong_pointer(const char* op, DType asked, Caller at) const;
  Ref<TensorData> data_;
};

// "f32[32,784]", as errors show operands.
std::string describe(const Tensor& tensor);

// Uninitialised memory; what ops write their results into.
Tensor empty(const Dims& shape, DType dtype = DType::f32, Device device = Device::cpu);
Tensor empty_like(const Tensor& tensor);
// A view of the storage of `base` (not recorded; engine/ops/view.h has the recorded ones).
Tensor make_view(const Tensor& base, const Dims& shape, const Dims& strides, int64_t offset);
// Copies values given in row-major order into a new tensor.
template <class T>
Tensor from_vector(const std::vector<T>& values, const Dims& shape, Caller at = Caller::here());
Tensor from_values(std::initializer_list<float> values);

// Promotion of element types (as NumPy and PyTorch, without NumPy's value-based cases):
//   bool < u8 < i32 < i64 < f16, bf16 < f32 < f64; f16 with bf16 gives f32.
DType promote(DType a, DType b);

// Notes a write in place: saved values of this storage are stale from now on.
void note_write(const Tensor& tensor, const char* op, Caller at);

}  // namespace strata
