// A weight in the layouts that oneDNN's kernels read best, kept from call to call.
//
// A kernel that is handed one looks here for the layout it wants and writes it the first time; it
// must be the same weight in every call. Which layout that is depends on the other shapes of the
// call and on the thread count, so there may be several copies (most often one). The caller owns
// it, and throws it away when the weight changes: engine/ops/packed_weights.h.
#pragma once

#include <memory>

#include "kernels/dnnl/primitive.h"

namespace strata {

class PackedWeight {
 public:
  using Memory = std::shared_ptr<void>;
  // allocate(bytes): uninitialised memory, aligned to 64 bytes.
  explicit PackedWeight(Memory (*allocate)(size_t bytes)) : allocate_(allocate) {}

  // The weight in this layout; pack(to) writes it to `to`.
  template <class Pack>
  const void* in(const onednn::Layout& layout, Pack&& pack) {
    for (const Copy& copy : copies_) {
      if (copy.layout == layout) return copy.memory.get();
    }
    Memory memory = allocate_(layout.get_size());
    pack(memory.get());
    copies_.push_back({layout, memory});
    return memory.get();
  }

  size_t bytes() const {
    size_t sum = 0;
    for (const Copy& copy : copies_) sum += copy.layout.get_size();
    return sum;
  }

 private:
  struct Copy {
    onednn::Layout layout;
    Memory memory;
  };
  Memory (*allocate_)(size_t bytes);
  std::vector<Copy> copies_;
};

}  // namespace strata
