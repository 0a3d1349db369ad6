// Rows: registration, example cases, and the way between Arrays and tensors.
#include "tests/support/op_table.h"

#include <cstdlib>
#include <limits>
#include <map>
#include <regex>
#include <set>

namespace strata::test {
namespace {

std::map<std::string, void (*)(Row&)>& registry() {
  static std::map<std::string, void (*)(Row&)> rows;
  return rows;
}

template <class S>
S stored(double value) {
  if constexpr (std::is_same_v<S, bool>) {
    return value != 0;
  } else {
    return static_cast<S>(static_cast<Compute<S>>(value));
  }
}

// What the type holds for a value: nearest for floats, whole numbers for integers.
double round_to(double value, DType dtype) {
  if (is_float(dtype)) {
    return visit(dtype, [&]<class S>(Type<S>) {
      return static_cast<double>(static_cast<Compute<S>>(stored<S>(value)));
    });
  }
  if (dtype == DType::boolean) return value != 0 ? 1 : 0;
  double whole = std::nearbyint(value);
  return dtype == DType::u8 ? std::min(std::abs(whole), 255.0) : whole;
}

// What a sliced tensor has between its elements: reading it must show.
double garbage(DType dtype) {
  if (is_float(dtype)) return std::numeric_limits<double>::quiet_NaN();
  return dtype == DType::boolean ? 1 : dtype == DType::u8 ? 201 : -1000003;
}

}  // namespace

Array rounded(const Array& array, DType dtype) {
  Array out = array;
  for (double& v : out.values) v = round_to(v, array.fixed.value_or(dtype));
  return out;
}

Device device_under_test() {
  static const Device device = [] {
    const char* name = std::getenv("STRATA_TEST_DEVICE");
    return device_from(name ? name : "cpu");
  }();
  return device;
}

Tensor to_tensor(const Array& array, DType dtype, Layout layout) {
  if (array.undefined) return Tensor();
  dtype = array.fixed.value_or(dtype);
  const Dims& shape = array.shape;
  int64_t step = layout == Layout::sliced ? 2 : 1, offset = layout == Layout::sliced ? 1 : 0;
  Dims strides = contiguous_strides(shape);
  int64_t cells = step * array.numel() + offset;
  if (layout == Layout::transposed) {
    int64_t run = 1;
    for (int i = 0; i < shape.rank(); ++i) {
      strides[i] = run;
      run *= std::max<int64_t>(shape[i], 1);
    }
  } else if (layout == Layout::sliced) {
    for (int i = 0; i < shape.rank(); ++i) strides[i] *= step;
  } else if (layout == Layout::flipped) {
    for (int i = 0; i < shape.rank(); ++i) {
      if (shape[i] > 0) offset += strides[i] * (shape[i] - 1);
      strides[i] = -strides[i];
    }
  }
  if (layout == Layout::contiguous) cells = array.numel();
  Tensor memory = empty({cells}, dtype);
  visit(dtype, [&]<class S>(Type<S>) {
    S* data = memory.data<S>();
    if (layout == Layout::sliced) std::fill_n(data, cells, stored<S>(garbage(dtype)));
    int64_t i = 0;
    for_each_index(shape, [&](const Dims& index) {
      int64_t at = offset;
      for (int axis = 0; axis < shape.rank(); ++axis) at += index[axis] * strides[axis];
      data[at] = stored<S>(round_to(array.values[static_cast<size_t>(i++)], dtype));
    });
  });
  return make_view(memory.to(device_under_test()), shape, strides, offset);
}

Array to_array(const Tensor& tensor) {
  if (!tensor.defined()) return none();
  return array(tensor.shape(), tensor.to_vector<double>());
}

std::vector<Case> unary_cases(std::function<Tensor(const Tensor&)> op,
                              std::function<double(double)> oracle, double low, double high,
                              const std::vector<double>& kinks) {
  Random random(11);
  std::vector<Case> cases;
  auto add = [&](const char* label, const Dims& shape) {
    cases.push_back({label,
                     {random.uniform_away(shape, low, high, kinks)},
                     [op](const Tensors& in) { return op(in[0]); },
                     [oracle](const Arrays& in) { return map(in[0], oracle); }});
  };
  add("typical", {3, 5});
  add("rank 3", {2, 3, 4});
  add("scalar", {});
  add("empty", {0, 3});
  add("large", {37, 1021});
  return cases;
}

std::vector<Case> binary_cases(std::function<Tensor(const Tensor&, const Tensor&)> op,
                               std::function<double(double, double)> oracle, double low,
                               double high, const std::vector<double>& kinks) {
  Random random(13);
  std::vector<Case> cases;
  auto add = [&](const char* label, const Dims& a, const Dims& b) {
    // Operands stay apart, so that maximum, minimum and comparisons have no ties.
    Arrays in = {random.uniform_away(a, low, high, kinks),
                 random.uniform_away(b, low, high, kinks)};
    cases.push_back({label, in, [op](const Tensors& t) { return op(t[0], t[1]); },
                     [oracle](const Arrays& t) { return zip(t[0], t[1], oracle); }});
  };
  add("typical", {3, 5}, {3, 5});
  add("row", {3, 5}, {5});
  add("column", {3, 1}, {3, 5});
  add("both stretch", {2, 1, 3}, {4, 1});
  add("scalar right", {2, 3}, {});
  add("scalar left", {}, {2, 3});
  add("scalars", {}, {});
  add("empty", {0, 3}, {3});
  add("empty and one", {2, 0}, {1, 1});
  add("large", {37, 1021}, {37, 1021});
  add("large row", {40, 1000}, {1000});
  add("large channels", {8, 6, 6, 64}, {8, 1, 1, 64});
  return cases;
}

std::vector<std::string> declared_ops(const std::string& header) {
  std::string text = std::regex_replace(header, std::regex("//[^\n]*"), "");
  std::set<std::string> types = {"Tensor", "std::vector<Tensor>"};
  std::regex structure(R"(struct (\w+) \{([^}]*)\})");
  for (std::sregex_iterator it(text.begin(), text.end(), structure), end; it != end; ++it) {
    if (std::regex_search((*it)[2].str(), std::regex(R"((^|\n)\s*Tensor \w+)"))) {
      types.insert((*it)[1]);
    }
  }
  std::set<std::string> names;
  std::regex function(R"((?:^|\n)([\w:<>]+)\s+(\w+)\()");
  for (std::sregex_iterator it(text.begin(), text.end(), function), end; it != end; ++it) {
    std::string type = (*it)[1], name = (*it)[2];
    if (types.count(type) || (type == "void" && name.back() == '_')) names.insert(name);
  }
  return {names.begin(), names.end()};
}

Registrar::Registrar(const char* name, void (*fill)(Row&)) {
  if (!registry().emplace(name, fill).second) {
    throw std::logic_error(std::string("two op rows are called ") + name);
  }
}

std::vector<std::string> registered_rows() {
  std::vector<std::string> names;
  for (auto& [name, fill] : registry()) names.push_back(name);
  return names;
}

Row find_row(const std::string& name) {
  Row row;
  row.name = name;
  registry().at(name)(row);
  return row;
}

}  // namespace strata::test
