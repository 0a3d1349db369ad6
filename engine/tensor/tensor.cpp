#include "engine/tensor/tensor.h"

#include <algorithm>

#include "engine/autograd/autograd.h"
#include "engine/tensor/allocator.h"

namespace strata {

Storage::Storage(size_t bytes, Device device)
    : data(memory::allocate(bytes, device)), bytes(bytes), device(device) {}
Storage::~Storage() { memory::release(data, bytes, device); }

int64_t Tensor::size(int axis) const {
  return shape()[normalize_axis("size", axis, rank(), Caller{})];
}

void Tensor::wrong_pointer(const char* op, DType asked, Caller at) const {
  if (device() != Device::cpu) {
    fail(op, at, "{} is on the gpu, where the host cannot read it; move it with to(Device::cpu)",
         describe(*this));
  }
  fail(op, at, "{} does not hold {}; convert it with to(DType::{})", describe(*this),
       name_of(asked), name_of(asked));
}

namespace {

// Calls visit_offset(element offset) for each element in row-major order.
template <class F>
void for_each_offset(const Dims& shape, const Dims& strides, F&& visit_offset) {
  if (shape.product() == 0) return;
  Dims index = Dims::filled(shape.rank(), 0);
  int64_t offset = 0;
  while (true) {
    visit_offset(offset);
    int axis = shape.rank() - 1;
    for (; axis >= 0; --axis) {
      offset += strides[axis];
      if (++index[axis] < shape[axis]) break;
      offset -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
    if (axis < 0) return;
  }
}

// The smallest and the largest offset of an element from the first one.
std::pair<int64_t, int64_t> reach(const Dims& shape, const Dims& strides) {
  int64_t low = 0, high = 0;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    int64_t last = (shape[axis] - 1) * strides[axis];
    (last < 0 ? low : high) += last;
  }
  return {low, high};
}

}  // namespace

double Tensor::item(Caller at) const {
  if (!defined()) fail("item", at, "the tensor is undefined");
  if (numel() != 1) {
    fail("item", at, "{} has {} elements; item() needs exactly one", describe(*this), numel());
  }
  return to_vector<double>()[0];
}

template <class T>
std::vector<T> Tensor::to_vector() const {
  std::vector<T> values;
  if (numel() == 0) return values;
  values.reserve(static_cast<size_t>(numel()));
  std::vector<char> copied;
  const char* first = static_cast<const char*>(raw());
  if (device() != Device::cpu) {
    auto [low, high] = reach(shape(), strides());
    const auto size = static_cast<int64_t>(size_of(dtype()));
    copied.resize(static_cast<size_t>((high - low + 1) * size));
    copy_bytes(copied.data(), Device::cpu, first + low * size, device(), copied.size());
    first = copied.data() - low * size;
  }
  visit(dtype(), [&]<class S>(Type<S>) {
    const S* data = reinterpret_cast<const S*>(first);
    for_each_offset(shape(), strides(), [&](int64_t offset) {
      values.push_back(static_cast<T>(static_cast<Compute<S>>(data[offset])));
    });
  });
  return values;
}
template std::vector<double> Tensor::to_vector<double>() const;
template std::vector<float> Tensor::to_vector<float>() const;
template std::vector<int64_t> Tensor::to_vector<int64_t>() const;
template std::vector<int32_t> Tensor::to_vector<int32_t>() const;
template std::vector<uint8_t> Tensor::to_vector<uint8_t>() const;
template std::vector<bool> Tensor::to_vector<bool>() const;

bool Tensor::is_leaf() const { return !data_->node || data_->node->is_leaf(); }

Tensor& Tensor::set_requires_grad(bool wanted, Caller at) {
  if (!is_leaf()) {
    fail("set_requires_grad", at, "{} is a result of '{}'; call detach() first", describe(*this),
         data_->node->name);
  }
  if (wanted && !is_float(dtype())) {
    fail("set_requires_grad", at, "{} cannot have a gradient: only floating types can",
         describe(*this));
  }
  if (wanted && !data_->node) data_->node = make_leaf(*this);
  if (!wanted) data_->node = nullptr;
  return *this;
}

Tensor& Tensor::retain_grad(Caller at) {
  if (!data_->node) {
    fail("retain_grad", at, "{} does not require a gradient", describe(*this));
  }
  data_->node->retains_grad = true;
  return *this;
}

Tensor Tensor::grad() const { return data_->node ? data_->node->grad : Tensor(); }
void Tensor::set_grad(const Tensor& grad) {
  if (!data_->node) fail("set_grad", Caller{}, "{} does not require a gradient", describe(*this));
  data_->node->grad = grad;
}
void Tensor::zero_grad() {
  if (data_->node) data_->node->grad = Tensor();
}

Tensor Tensor::detach() const { return make_view(*this, shape(), strides(), offset()); }

void Tensor::backward(Caller at) const { strata::backward(*this, {}, {}, at); }

std::string describe(const Tensor& tensor) {
  if (!tensor.defined()) return "undefined";
  return fmt::format("{}{}", name_of(tensor.dtype()), to_string(tensor.shape()));
}

Tensor empty(const Dims& shape, DType dtype, Device device) {
  int64_t numel = 1;
  for (int64_t size : shape) {
    if (size < 0)
      throw Error(fmt::format("[empty] shape {} has a negative size", to_string(shape)));
    if (size != 0 && numel > (int64_t{1} << 46) / size) {
      throw OutOfMemory(fmt::format("[empty] shape {} asks for more memory than any machine has",
                                    to_string(shape)));
    }
    numel *= size;
  }
  if (!is_available(device)) {
    fail("empty", Caller{}, "device gpu is not there: CUDA finds none on this machine; use cpu");
  }
  auto data = make_ref<TensorData>();
  data->storage = make_ref<Storage>(static_cast<size_t>(numel) * size_of(dtype), device);
  data->shape = shape;
  data->strides = contiguous_strides(shape);
  data->numel = numel;
  data->dtype = dtype;
  return Tensor(std::move(data));
}

Tensor empty_like(const Tensor& tensor) {
  return empty(tensor.shape(), tensor.dtype(), tensor.device());
}

Tensor make_view(const Tensor& base, const Dims& shape, const Dims& strides, int64_t offset) {
  auto data = make_ref<TensorData>();
  data->storage = base.storage();
  data->shape = shape;
  data->strides = strides;
  data->offset = offset;
  data->numel = shape.product();
  data->dtype = base.dtype();
  data->contiguous = is_contiguous(shape, strides);
  return Tensor(std::move(data));
}

template <class T>
Tensor from_vector(const std::vector<T>& values, const Dims& shape, Caller at) {
  if (static_cast<int64_t>(values.size()) != shape.product()) {
    fail("from_vector", at, "{} values do not fill shape {}", values.size(), to_string(shape));
  }
  Tensor out = empty(shape, dtype_of<T>());
  std::copy(values.begin(), values.end(), out.data<T>());
  return out;
}
template Tensor from_vector<double>(const std::vector<double>&, const Dims&, Caller);
template Tensor from_vector<float>(const std::vector<float>&, const Dims&, Caller);
template Tensor from_vector<int64_t>(const std::vector<int64_t>&, const Dims&, Caller);
template Tensor from_vector<int32_t>(const std::vector<int32_t>&, const Dims&, Caller);
template Tensor from_vector<uint8_t>(const std::vector<uint8_t>&, const Dims&, Caller);
template Tensor from_vector<bool>(const std::vector<bool>&, const Dims&, Caller);

Tensor from_values(std::initializer_list<float> values) {
  return from_vector(std::vector<float>(values), {static_cast<int64_t>(values.size())});
}

DType promote(DType a, DType b) {
  if (a == b) return a;
  constexpr int rank[] = {7, 6, 5, 5, 4, 3, 2, 1};  // by DType; bf16 and f16 share a rank
  int x = rank[static_cast<int>(a)], y = rank[static_cast<int>(b)];
  if (x == y) return DType::f32;
  return x > y ? a : b;
}

void note_write(const Tensor& tensor, const char* op, Caller at) {
  Storage& storage = *tensor.storage();
  ++storage.version;
  storage.last_writer = op;
  storage.last_write = at;
}

}  // namespace strata
