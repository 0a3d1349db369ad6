#include "tools/introspect/edit.h"

#include "engine/ops.h"
#include "tools/introspect/capture.h"

namespace strata::introspect {
namespace {

// 1 at `places` of an axis of `size`, bool [size].
Tensor marks(const std::vector<int64_t>& places, int64_t size, const char* what) {
  std::vector<uint8_t> values(static_cast<size_t>(size), 0);
  for (int64_t place : places) {
    if (place < 0 || place >= size) {
      fail("edit", Caller{}, "{} {} is outside the activation's {} of them", what, place, size);
    }
    values[static_cast<size_t>(place)] = 1;
  }
  return from_vector(values, {size}).to(DType::boolean);
}

}  // namespace

Edit::Edit(std::string name, Change change, int use)
    : observer_(
          [this, change = std::move(change), use](const std::string&, const Tensor& value) {
            int index = seen_++;
            return use == every_use || use == index ? change(value) : Tensor();
          },
          {std::move(name)}) {}

Edit::Change set_to(Tensor value) {
  return [value = std::move(value)](const Tensor& x) {
    if (value.shape() == x.shape()) return value;
    Dims joint;
    if (!broadcast(value.shape(), x.shape(), &joint) || joint != x.shape()) {
      fail("edit", Caller{}, "the value {} does not fit the activation {}", describe(value),
           describe(x));
    }
    return value.expand(x.shape());
  };
}

Edit::Change ablate_units(std::vector<int64_t> units, double value) {
  return ablate_units(std::move(units), scalar(value, DType::f32));
}

Edit::Change ablate_units(std::vector<int64_t> units, Tensor value) {
  return [units = std::move(units), value = std::move(value)](const Tensor& x) {
    return where(marks(units, x.size(-1), "unit").to(x.device()), value.to(x.dtype()), x);
  };
}

Edit::Change ablate_head(int64_t head, int64_t heads) {
  return [=](const Tensor& x) {
    bool apart = x.rank() == 4 && x.size(2) == heads;
    if (!apart && (x.rank() != 3 || x.size(2) % heads != 0)) {
      fail("edit", Caller{}, "{} is not [N, T, C] or [N, T, {}, D], so it has no {} heads",
           describe(x), heads, heads);
    }
    Tensor keep = logical_not(marks({head}, heads, "head")).to(x.dtype()).to(x.device());
    if (apart) return x * keep.reshape({heads, 1});
    Tensor split = x.reshape({x.size(0), x.size(1), heads, x.size(2) / heads});
    return (split * keep.reshape({heads, 1})).flatten(2);
  };
}

Edit::Change patch_from(Tensor source, std::vector<int64_t> positions) {
  return [source = std::move(source), positions = std::move(positions)](const Tensor& x) {
    if (source.shape() != x.shape()) {
      fail("edit", Caller{}, "the source {} of a patch must have the shape of the activation {}",
           describe(source), describe(x));
    }
    if (positions.empty()) return source;
    Dims column;
    for (int axis = 1; axis < x.rank(); ++axis) column.push_back(1);
    column[0] = x.size(1);
    Tensor at = marks(positions, x.size(1), "position").reshape(column).to(x.device());
    return where(at, source, x);
  };
}

Edit::Change steer(Tensor direction, double amount) {
  return [direction = std::move(direction), amount](const Tensor& x) {
    return x + direction.to(x.dtype()) * amount;
  };
}

Scores from_layer(Scores model, Tensor x, std::string layer) {
  return [=](const Tensor& activation) {
    Tensor input = x;
    int64_t times = x.size(0) > 0 ? activation.size(0) / x.size(0) : 1;
    if (times > 1) {
      Dims repeated = x.shape();
      repeated[0] *= times;
      Dims stacked = x.shape();
      stacked.insert(0, times);
      input = x.unsqueeze(0).expand(stacked).reshape(repeated);
    }
    Edit edit(layer, set_to(activation));
    Tensor scores = model(input);
    if (edit.seen() == 0) {
      Capture all;
      model(x);
      all[layer];  // throws, and lists the names there are
    }
    return scores;
  };
}

}  // namespace strata::introspect
