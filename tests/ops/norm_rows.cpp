// Rows of engine/ops/norm.h. One oracle serves all four: rows of values that share statistics.
#include <map>
#include <numeric>

#include "tests/support/op_table.h"

namespace strata::test {
namespace {

using GroupOf = std::function<Dims(const Dims& index)>;  // what shares statistics

// z = (x - mean) / sqrt(var + epsilon) (or x / sqrt(mean square + epsilon)), by group.
Array normalised(const Array& x, const GroupOf& group_of, double epsilon, bool centred = true) {
  std::map<std::vector<int64_t>, std::vector<double>> groups;
  auto key = [&](const Dims& index) {
    Dims group = group_of(index);
    return std::vector<int64_t>(group.begin(), group.end());
  };
  for_each_index(x.shape, [&](const Dims& index) { groups[key(index)].push_back(x[index]); });
  std::map<std::vector<int64_t>, std::pair<double, double>> statistics;  // mean, deviation
  for (auto& [group, values] : groups) {
    auto count = static_cast<double>(values.size());
    double mean = centred ? std::accumulate(values.begin(), values.end(), 0.0) / count : 0;
    double squares = 0;
    for (double v : values) squares += (v - mean) * (v - mean);
    statistics[group] = {mean, std::sqrt(squares / count + epsilon)};
  }
  Array out = array(x.shape);
  for_each_index(x.shape, [&](const Dims& index) {
    auto [mean, deviation] = statistics[key(index)];
    out[index] = (x[index] - mean) / deviation;
  });
  return out;
}

Array affine(const Array& z, const Array& scale, const Array& shift) {
  Array out = z;
  if (!scale.undefined) out = zip(out, scale, [](double a, double b) { return a * b; });
  if (!shift.undefined) out = zip(out, shift, [](double a, double b) { return a + b; });
  return out;
}

Dims all_but_last(const Dims& index) {
  Dims group = index;
  group.erase(index.rank() - 1);
  return group;
}
Dims last(const Dims& index) { return {index.back()}; }

// The number of f32 sums and divisions behind a value; finite differences see the same.
void relax(Row& row) {
  row.tolerance = 20;
  row.gradient_tolerance = 10;
}

}  // namespace

OP_ROW(layer_norm) {
  Random random(31);
  auto add = [&](const char* label, Array x, Array scale, Array shift, double epsilon = 1e-5) {
    row.add(
        label, {std::move(x), std::move(scale), std::move(shift)},
        [=](const Tensors& in) { return layer_norm(in[0], in[1], in[2], epsilon); },
        [=](const Arrays& in) {
          return affine(normalised(in[0], all_but_last, epsilon), in[1], in[2]);
        });
  };
  add("typical", random.uniform({3, 5}), random.uniform({5}), random.uniform({5}));
  add("rank 1", random.uniform({6}), random.uniform({6}), random.uniform({6}));
  add("no scale", random.uniform({2, 2, 4}), none(), random.uniform({4}));
  add("no shift", random.uniform({2, 4}), random.uniform({4}), none());
  add("plain, large epsilon", random.uniform({2, 4}), none(), none(), 0.5);
  add("no rows", array({0, 4}), random.uniform({4}), random.uniform({4}));
  add("no channels", array({3, 0}), array({0}), array({0}));
  add("large", random.uniform({150, 130}), random.uniform({130}), random.uniform({130}));
  row.no_scalar = "a scalar has no channels";
  relax(row);
  Tensor x = empty({2, 3}), wrong = empty({2});
  row.errors = {
      {"scalar", [=] { layer_norm(scalar(1), {}, {}); }, "rank 0", ""},
      {"integer", [=] { layer_norm(x.to(DType::i64), {}, {}); }, "floating", ""},
      {"undefined", [=] { layer_norm({}, {}, {}); }, "undefined", ""},
      {"scale", [=] { layer_norm(x, wrong, {}); }, R"(scale of shape \[3\].*f32\[2\])", ""},
      {"shift", [=] { layer_norm(x, {}, wrong); }, R"(shift of shape \[3\].*f32\[2\])", ""}};
}

OP_ROW(rms_norm) {
  Random random(32);
  auto add = [&](const char* label, Array x, Array scale, double epsilon = 1e-6) {
    row.add(
        label, {std::move(x), std::move(scale)},
        [=](const Tensors& in) { return rms_norm(in[0], in[1], epsilon); },
        [=](const Arrays& in) {
          return affine(normalised(in[0], all_but_last, epsilon, false), in[1], none());
        });
  };
  add("typical", random.uniform({3, 5}), random.uniform({5}));
  add("no scale, large epsilon", random.uniform({2, 2, 4}), none(), 0.5);
  add("no rows", array({0, 4}), random.uniform({4}));
  add("large", random.uniform({150, 130}), random.uniform({130}));
  row.no_scalar = "a scalar has no channels";
  relax(row);
  Tensor x = empty({2, 3}), wrong = empty({2});
  row.errors = {{"scalar", [=] { rms_norm(scalar(1), {}); }, "rank 0", ""},
                {"scale", [=] { rms_norm(x, wrong); }, R"(scale of shape \[3\].*f32\[2\])", ""}};
}

OP_ROW(group_norm) {
  Random random(33);
  auto add = [&](const char* label, Array x, int64_t groups, Array scale, Array shift) {
    row.add(
        label, {std::move(x), std::move(scale), std::move(shift)},
        [=](const Tensors& in) { return group_norm(in[0], groups, in[1], in[2]); },
        [=](const Arrays& in) {
          int64_t width = std::max<int64_t>(in[0].shape.back() / groups, 1);
          auto group_of = [=](const Dims& index) { return Dims{index[0], index.back() / width}; };
          return affine(normalised(in[0], group_of, 1e-5), in[1], in[2]);
        });
  };
  add("two groups", random.uniform({2, 3, 4}), 2, random.uniform({4}), random.uniform({4}));
  add("one group", random.uniform({2, 2, 2, 3}), 1, random.uniform({3}), none());
  add("a channel each", random.uniform({2, 5, 3}), 3, none(), random.uniform({3}));
  add("no positions", random.uniform({3, 6}), 2, random.uniform({6}), random.uniform({6}));
  add("no samples", array({0, 3, 4}), 2, random.uniform({4}), random.uniform({4}));
  add("large", random.uniform({2, 9, 80}), 4, random.uniform({80}), random.uniform({80}));
  row.no_scalar = "a scalar has no channels";
  relax(row);
  Tensor x = empty({2, 3, 4});
  row.errors = {{"rank", [=] { group_norm(empty({4}), 2, {}, {}); }, "rank 1", ""},
                {"groups", [=] { group_norm(x, 3, {}, {}); }, "4 channels.*3 groups", ""},
                {"no groups", [=] { group_norm(x, 0, {}, {}); }, "0 groups", ""},
                {"scale", [=] { group_norm(x, 2, empty({2}), {}); }, "scale of shape", ""}};
}

namespace {

struct BatchCase {
  const char* label;
  Dims shape;
  bool training = true, relu = false, residual = false, parameters = true;
};

void add_batch_norm(Row& row, const BatchCase& c) {
  Random random(34);
  Dims channels{c.shape.back()};
  Array scale = c.parameters ? random.uniform_away(channels, -2, 2, {0}, 0.3) : none();
  Array shift = c.parameters ? random.uniform(channels) : none();
  Array mean = constant(random.uniform(channels, -0.5, 0.5));
  Array var = constant(random.uniform(channels, 0.5, 2));
  Array residual = c.residual ? random.uniform(c.shape) : none();
  BatchNormOptions options;
  options.training = c.training;
  options.relu = c.relu;
  auto without_relu = [=](const Arrays& in) {
    Array z;
    if (c.training) {
      z = normalised(in[0], last, options.epsilon);
    } else {
      z = zip(zip(in[0], in[3], std::minus<>()), in[4],
              [=](double d, double v) { return d / std::sqrt(v + options.epsilon); });
    }
    Array out = affine(z, in[1], in[2]);
    return in[5].undefined ? out : zip(out, in[5], std::plus<>());
  };
  Arrays inputs{random.uniform(c.shape), scale, shift, mean, var, residual};
  // Finite differences need every value away from the kink of the ReLU.
  auto near_kink = [&](const Arrays& in) {
    Array out = without_relu(in);
    return std::any_of(out.values.begin(), out.values.end(),
                       [](double v) { return std::abs(v) < 0.03; });
  };
  while (c.relu && inputs[0].numel() < 200 && near_kink(inputs)) {
    inputs[0] = random.uniform(c.shape);
  }
  row.add(
      c.label, inputs,
      [=](const Tensors& in) {
        // Statistics are updated in place, so each call gets its own; 16-bit types have none.
        DType type = in[0].dtype() == DType::f64 ? DType::f64 : DType::f32;
        Tensor running_mean = in[3].detach().to(type).clone();
        Tensor running_var = in[4].detach().to(type).clone();
        return batch_norm(in[0], in[1], in[2], running_mean, running_var, options, in[5]);
      },
      [=](const Arrays& in) {
        Array out = without_relu(in);
        return c.relu ? map(out, [](double v) { return std::max(v, 0.0); }) : out;
      });
}

}  // namespace

OP_ROW(batch_norm) {
  for (const BatchCase& c : std::initializer_list<BatchCase>{
           {.label = "training", .shape = {6, 4}},
           {.label = "images", .shape = {2, 3, 2, 3}},
           {.label = "no parameters", .shape = {5, 3}, .parameters = false},
           {.label = "relu", .shape = {7, 3}, .relu = true},
           {.label = "residual", .shape = {7, 3}, .residual = true},
           {.label = "residual and relu", .shape = {7, 3}, .relu = true, .residual = true},
           {.label = "inference", .shape = {5, 3}, .training = false},
           {.label = "inference, relu", .shape = {5, 3}, .training = false, .relu = true},
           {.label = "inference, residual and relu",
           .shape = {5, 3},
           .training = false,
           .relu = true,
           .residual = true},
           {.label = "inference of nothing", .shape = {0, 3}, .training = false},
           {.label = "no channels", .shape = {3, 0}},
           {.label = "large", .shape = {700, 3}},
           {.label = "wide", .shape = {8, 300}}}) {
    add_batch_norm(row, c);
  }
  row.no_scalar = "a scalar has no channels";
  relax(row);
  Tensor x = empty({2, 3}), c = zeros({3});
  BatchNormOptions inference{.training = false};
  row.errors = {
      {"rank", [=] { batch_norm(empty({3}), {}, {}, {}, {}); }, "rank 1", ""},
      {"one value",
       [] {
         batch_norm(empty({1, 3}), {}, {}, {}, {});
       },
       "has 1 value", ""},
      {"scale", [=] { batch_norm(x, empty({2}), {}, {}, {}); }, "scale of shape", ""},
      {"running", [=] { batch_norm(x, {}, {}, empty({2}), {}); }, "running_mean of shape", ""},
      {"no running", [=] { batch_norm(x, {}, {}, {}, {}, inference); }, "inference needs", ""},
      {"narrow running", [=] { batch_norm(x, {}, {}, c.to(DType::f16), {}); }, "dense f32 or f64",
       ""},
      {"residual",
       [=] {
         batch_norm(x, {}, {}, {}, {}, {}, empty({3, 3}));
       },
       R"(residual f32\[3,3\])", ""}};
}

}  // namespace strata::test
