#include "engine/ops/packed_weights.h"

#include <memory>
#include <unordered_map>

#include "engine/autograd/autograd.h"
#include "engine/tensor/allocator.h"
#include "kernels/dnnl/packed_weight.h"

namespace strata {
namespace {

// A weight as an op reads it: a whole storage or a part, transposed or not.
struct View {
  int64_t offset;
  Dims shape, strides;
  std::unique_ptr<PackedWeight> packed;

  bool is(const Tensor& t) const {
    return offset == t.offset() && shape == t.shape() && strides == t.strides();
  }
};

// The storage is held, so that its address is not another's meanwhile.
struct Kept {
  Ref<Storage> storage;
  uint32_t version;
  std::vector<View> views;

  bool stale() const {
    return storage->version != version || storage->references.load(std::memory_order_relaxed) == 1;
  }
};

struct Store {
  int depth = 0;  // of scopes
  std::unordered_map<const Storage*, Kept> weights;
};
thread_local Store store;

PackedWeight::Memory allocate(size_t bytes) {
  memory::Holder holder("PackedWeights");
  return {memory::allocate(bytes), [bytes](void* data) { memory::release(data, bytes); }};
}

bool worth_keeping(const Tensor& operand) {
  return store.depth > 0 && !grad_enabled() && !detail::in_vjp && operand.storage()->parameter &&
         operand.device() == Device::cpu && operand.dtype() == DType::f32;
}

View& add_view(const Tensor& operand) {
  std::erase_if(store.weights, [](const auto& entry) { return entry.second.stale(); });
  const Ref<Storage>& storage = operand.storage();
  Kept& kept =
      store.weights.try_emplace(storage.get(), Kept{storage, storage->version, {}}).first->second;
  kept.views.push_back({operand.offset(), operand.shape(), operand.strides(),
                        std::make_unique<PackedWeight>(allocate)});
  return kept.views.back();
}

}  // namespace

PackedWeights::PackedWeights() { ++store.depth; }
PackedWeights::~PackedWeights() {
  if (--store.depth == 0) store.weights.clear();
}
bool PackedWeights::active() { return store.depth > 0; }

size_t PackedWeights::bytes() {
  size_t sum = 0;
  for (const auto& [storage, kept] : store.weights) {
    for (const View& view : kept.views) sum += view.packed->bytes();
  }
  return sum;
}

PackedWeight* detail::packed_weight(const Tensor& operand) {
  if (!worth_keeping(operand)) return nullptr;
  auto found = store.weights.find(operand.storage().get());
  if (found != store.weights.end() && !found->second.stale()) {
    for (View& view : found->second.views) {
      if (view.is(operand)) return view.packed.get();
    }
  }
  return add_view(operand).packed.get();
}

}  // namespace strata
