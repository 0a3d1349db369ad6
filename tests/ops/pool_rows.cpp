// Rows of engine/ops/pool.h. Oracles write each output as a list of the pixels it sees.
#include <limits>

#include "tests/support/op_table.h"

namespace strata::test {
namespace {

// The rows (or columns) that output i of an axis sees, padding left out.
using Window = std::function<std::vector<int64_t>(int64_t i)>;
struct Windows {
  int64_t height, width;  // of the output
  Window rows, columns;
};

int64_t pooled_size(int64_t in, int64_t pad, int64_t window, int64_t stride) {
  return (in + pad - window) / stride + 1;
}

Window sliding(int64_t in, int64_t window, int64_t stride, int64_t before) {
  return [=](int64_t i) {
    std::vector<int64_t> seen;
    for (int64_t r = 0; r < window; ++r) {
      int64_t h = i * stride - before + r;
      if (h >= 0 && h < in) seen.push_back(h);
    }
    return seen;
  };
}

Windows sliding_windows(const Dims& x, PoolOptions k) {
  if (k.stride.h == 0) k.stride.h = k.window.h;
  if (k.stride.w == 0) k.stride.w = k.window.w;
  return {pooled_size(x[1], k.padding.top + k.padding.bottom, k.window.h, k.stride.h),
          pooled_size(x[2], k.padding.left + k.padding.right, k.window.w, k.stride.w),
          sliding(x[1], k.window.h, k.stride.h, k.padding.top),
          sliding(x[2], k.window.w, k.stride.w, k.padding.left)};
}

Windows adaptive_windows(const Dims& x, int64_t height, int64_t width) {
  auto axis = [](int64_t in, int64_t out) -> Window {
    return [=](int64_t i) {
      std::vector<int64_t> seen;
      double scale = static_cast<double>(in) / static_cast<double>(out);
      for (int64_t h = 0; h < in; ++h) {
        bool inside = static_cast<double>(h + 1) > static_cast<double>(i) * scale + 1e-9 &&
                      static_cast<double>(h) < static_cast<double>(i + 1) * scale - 1e-9;
        if (inside) seen.push_back(h);
      }
      return seen;
    };
  };
  return {height, width, axis(x[1], height), axis(x[2], width)};
}

Array max_oracle(const Array& x, const Windows& windows, Array* switches = nullptr) {
  Array out = array({x.shape[0], windows.height, windows.width, x.shape[3]});
  if (switches) *switches = as(out, DType::i64);
  for_each_index(out.shape, [&](const Dims& i) {
    double best = -std::numeric_limits<double>::infinity();
    for (int64_t h : windows.rows(i[1])) {
      for (int64_t w : windows.columns(i[2])) {
        double value = x[Dims{i[0], h, w, i[3]}];
        if (value <= best) continue;
        best = value;
        if (switches) (*switches)[i] = static_cast<double>(h * x.shape[2] + w);
      }
    }
    out[i] = best;
  });
  return out;
}

// `count` is the divisor, or 0 for the number of pixels seen.
Array mean_oracle(const Array& x, const Windows& windows, int64_t count = 0) {
  Array out = array({x.shape[0], windows.height, windows.width, x.shape[3]});
  for_each_index(out.shape, [&](const Dims& i) {
    double total = 0, seen = 0;
    for (int64_t h : windows.rows(i[1])) {
      for (int64_t w : windows.columns(i[2])) {
        total += x[Dims{i[0], h, w, i[3]}];
        ++seen;
      }
    }
    out[i] = total / (count ? static_cast<double>(count) : seen);
  });
  return out;
}

Array as_image(Array a) {
  a.shape.insert(1, 1);
  return a;
}
Array as_sequence(Array a) {
  a.shape.erase(1);
  return a;
}

const char* no_scalar_reason = "an image has four axes, a sequence three";

struct SlidingCase {
  const char* label;
  Dims shape;
  PoolOptions options;
};
const std::vector<SlidingCase> sliding_cases = {
    {"2x2", {2, 4, 6, 3}, {}},
    {"overlapping, padded", {1, 5, 5, 2}, {3, 2, 1}},
    {"uneven", {1, 5, 4, 2}, {{2, 3}, {1, 2}, {1, 0, 0, 2}}},
    {"a rest at the edge", {1, 5, 5, 1}, {}},
    {"no images", {0, 4, 4, 2}, {}},
    {"no channels", {2, 4, 4, 0}, {}},
    {"large", {3, 12, 14, 37}, {3, 2, 1}},
    {"one image, many channels", {1, 4, 4, 150}, {}}};

std::vector<BadCall> sliding_errors(std::function<Tensor(const Tensor&, const PoolOptions&)> op) {
  Tensor x = empty({1, 4, 4, 2});
  return {{"rank",
           [=] {
             op(empty({4, 4, 2}), {});
           },
           R"(\[N, H, W, C\])", ""},
          {"too small", [=] { op(x, {5}); }, "height would be .*= 0", ""},
          {"padding",
           [=] {
             op(x, {2, 2, 2});
           },
           "less than the window 2", ""},
          {"no pixels",
           [=] {
             op(empty({1, 0, 4, 2}), {});
           },
           "no pixels", ""},
          {"integers", [=] { op(x.to(DType::i64), {}); }, "floating", ""},
          {"undefined", [=] { op(Tensor(), {}); }, "x is undefined", ""}};
}

}  // namespace

OP_ROW(max_pool2d) {
  Random random(71);
  for (const SlidingCase& c : sliding_cases) {
    PoolOptions options = c.options;
    row.add(
        c.label, {random.distinct(c.shape)},
        [=](const Tensors& in) { return max_pool2d(in[0], options); },
        [=](const Arrays& in) { return max_oracle(in[0], sliding_windows(in[0].shape, options)); });
  }
  PoolOptions wide;
  wide.window = 17;
  row.add(
      "window of more than 256", {random.distinct({1, 18, 17, 2}, 0.01)},
      [=](const Tensors& in) { return max_pool2d(in[0], wide); },
      [=](const Arrays& in) { return max_oracle(in[0], sliding_windows(in[0].shape, wide)); });
  row.no_scalar = no_scalar_reason;
  row.errors =
      sliding_errors([](const Tensor& x, const PoolOptions& o) { return max_pool2d(x, o); });
}

OP_ROW(max_pool2d_with_switches) {
  Random random(72);
  for (const SlidingCase& c : sliding_cases) {
    PoolOptions options = c.options;
    row.add(
        c.label, {random.distinct(c.shape)},
        [=](const Tensors& in) {
          PoolWithSwitches pooled = max_pool2d_with_switches(in[0], options);
          return Tensors{pooled.values, pooled.switches};
        },
        [=](const Arrays& in) {
          Array switches;
          Array values = max_oracle(in[0], sliding_windows(in[0].shape, options), &switches);
          return Arrays{values, switches};
        });
  }
  row.result_dtypes = [](DType dtype) { return std::vector<DType>{dtype, DType::i64}; };
  row.no_scalar = no_scalar_reason;
  row.errors = sliding_errors(
      [](const Tensor& x, const PoolOptions& o) { return max_pool2d_with_switches(x, o).values; });
}

OP_ROW(max_unpool2d) {
  Random random(73);
  auto add = [&](const char* label, const Dims& shape, int64_t height, int64_t width) {
    row.add(
        label, {random.uniform(shape), random.integers(shape, 0, height * width)},
        [=](const Tensors& in) { return max_unpool2d(in[0], in[1], height, width); },
        [=](const Arrays& in) {
          Array out = array({shape[0], height, width, shape[3]});
          for_each_index(shape, [&](const Dims& i) {
            auto place = static_cast<int64_t>(in[1][i]);
            out[Dims{i[0], place / width, place % width, i[3]}] += in[0][i];
          });
          return out;
        });
  };
  add("2x2", {2, 2, 3, 3}, 4, 6);
  add("values that meet", {1, 3, 3, 2}, 2, 2);
  add("empty", {0, 2, 2, 2}, 4, 4);
  add("large", {3, 6, 7, 20}, 12, 15);
  row.no_scalar = no_scalar_reason;
  Tensor x = empty({1, 2, 2, 1}), wrong = from_vector<int64_t>({0, 1, 2, 16}, {1, 2, 2, 1});
  row.errors = {
      {"outside", [=] { max_unpool2d(x, wrong, 4, 4); }, "switch 16 is outside.*16 pixels", ""},
      {"type", [=] { max_unpool2d(x, x, 4, 4); }, "i64 switches", ""},
      {"undefined", [=] { max_unpool2d(x, Tensor(), 4, 4); }, "undefined", ""}};
}

OP_ROW(avg_pool2d) {
  Random random(74);
  for (bool include : {true, false}) {
    for (const SlidingCase& c : sliding_cases) {
      PoolOptions options = c.options;
      int64_t count = include ? options.window.h * options.window.w : 0;
      row.add(
          std::string(c.label) + (include ? "" : ", without padding"), {random.uniform(c.shape)},
          [=](const Tensors& in) { return avg_pool2d(in[0], options, include); },
          [=](const Arrays& in) {
            return mean_oracle(in[0], sliding_windows(in[0].shape, options), count);
          });
    }
  }
  row.tolerance = row.gradient_tolerance = 4;
  row.no_scalar = no_scalar_reason;
  row.errors =
      sliding_errors([](const Tensor& x, const PoolOptions& o) { return avg_pool2d(x, o); });
}

struct AdaptiveCase {
  const char* label;
  Dims shape;
  int64_t height, width;
};
const std::vector<AdaptiveCase> adaptive_cases = {
    {"divides", {1, 4, 6, 2}, 2, 3},   {"uneven", {2, 5, 7, 2}, 3, 4},
    {"larger", {1, 2, 3, 1}, 5, 4},    {"one cell", {1, 3, 4, 2}, 1, 1},
    {"no images", {0, 4, 4, 2}, 2, 2}, {"large", {2, 13, 11, 20}, 4, 5}};

OP_ROW(adaptive_avg_pool2d) {
  Random random(75);
  for (const AdaptiveCase& c : adaptive_cases) {
    row.add(
        c.label, {random.uniform(c.shape)},
        [=](const Tensors& in) { return adaptive_avg_pool2d(in[0], c.height, c.width); },
        [=](const Arrays& in) {
          return mean_oracle(in[0], adaptive_windows(in[0].shape, c.height, c.width));
        });
  }
  row.tolerance = row.gradient_tolerance = 4;
  row.no_scalar = no_scalar_reason;
  Tensor x = empty({1, 4, 4, 2});
  row.errors = {{"size", [=] { adaptive_avg_pool2d(x, 0, 2); }, "0 x 2.*1 or more", ""},
                {"undefined", [=] { adaptive_avg_pool2d(Tensor(), 1, 1); }, "undefined", ""}};
}

OP_ROW(adaptive_max_pool2d) {
  Random random(76);
  for (const AdaptiveCase& c : adaptive_cases) {
    row.add(
        c.label, {random.distinct(c.shape)},
        [=](const Tensors& in) { return adaptive_max_pool2d(in[0], c.height, c.width); },
        [=](const Arrays& in) {
          return max_oracle(in[0], adaptive_windows(in[0].shape, c.height, c.width));
        });
  }
  row.no_scalar = no_scalar_reason;
  Tensor x = empty({1, 4, 4, 2});
  row.errors = {{"size", [=] { adaptive_max_pool2d(x, 2, -1); }, "2 x -1.*1 or more", ""}};
}

OP_ROW(global_avg_pool2d) {
  Random random(77);
  auto add = [&](const char* label, const Dims& shape) {
    row.add(
        label, {random.uniform(shape)}, [](const Tensors& in) { return global_avg_pool2d(in[0]); },
        [](const Arrays& in) {
          Array out = mean_oracle(in[0], adaptive_windows(in[0].shape, 1, 1));
          out.shape = {out.shape[0], out.shape[3]};
          return out;
        });
  };
  add("small", {2, 3, 4, 3});
  add("no images", {0, 3, 3, 2});
  add("large", {3, 9, 8, 70});
  row.tolerance = row.gradient_tolerance = 4;
  row.no_scalar = no_scalar_reason;
  row.errors = {{"rank",
                 [] {
                   global_avg_pool2d(empty({2, 3}));
                 },
                 R"(\[N, H, W, C\])", ""},
                {"no pixels",
                 [] {
                   global_avg_pool2d(empty({2, 3, 0, 4}));
                 },
                 "no pixels", ""}};
}

OP_ROW(max_pool1d) {
  Random random(78);
  auto add = [&](const char* label, const Dims& shape, int64_t window, int64_t stride,
                 int64_t padding) {
    row.add(
        label, {random.distinct(shape)},
        [=](const Tensors& in) { return max_pool1d(in[0], window, stride, padding); },
        [=](const Arrays& in) {
          Array x = as_image(in[0]);
          PoolOptions options{{1, window}, {1, stride}, {0, 0, padding, padding}};
          return as_sequence(max_oracle(x, sliding_windows(x.shape, options)));
        });
  };
  add("pairs", {2, 6, 3}, 2, 0, 0);
  add("overlapping", {1, 7, 2}, 3, 2, 1);
  add("empty", {0, 6, 3}, 2, 0, 0);
  add("large", {2, 40, 20}, 3, 2, 0);
  row.no_scalar = no_scalar_reason;
  Tensor x = empty({1, 3, 2});
  row.errors = {{"rank",
                 [] {
                   max_pool1d(empty({2, 3}), 2);
                 },
                 R"(\[N, T, C\])", ""},
                {"too small", [=] { max_pool1d(x, 4); }, "f32.1,3,2.*length would be .*= 0", ""}};
}

OP_ROW(avg_pool1d) {
  Random random(79);
  auto add = [&](const char* label, const Dims& shape, int64_t window, int64_t stride,
                 int64_t padding) {
    row.add(
        label, {random.uniform(shape)},
        [=](const Tensors& in) { return avg_pool1d(in[0], window, stride, padding); },
        [=](const Arrays& in) {
          Array x = as_image(in[0]);
          PoolOptions options{{1, window}, {1, stride}, {0, 0, padding, padding}};
          return as_sequence(mean_oracle(x, sliding_windows(x.shape, options), window));
        });
  };
  add("pairs", {2, 6, 3}, 2, 0, 0);
  add("overlapping", {1, 7, 2}, 3, 2, 1);
  add("empty", {0, 6, 3}, 2, 0, 0);
  add("large", {2, 40, 20}, 3, 2, 0);
  row.tolerance = row.gradient_tolerance = 4;
  row.no_scalar = no_scalar_reason;
  Tensor x = empty({1, 3, 2});
  row.errors = {{"stride", [=] { avg_pool1d(x, 2, -1); }, "stride -1", ""}};
}

OP_ROW(upsample_nearest2d) {
  Random random(80);
  for (const AdaptiveCase& c : adaptive_cases) {
    row.add(
        c.label, {random.uniform(c.shape)},
        [=](const Tensors& in) { return upsample_nearest2d(in[0], c.height, c.width); },
        [=](const Arrays& in) {
          Array out = array({c.shape[0], c.height, c.width, c.shape[3]});
          for_each_index(out.shape, [&](const Dims& i) {
            out[i] =
                in[0][Dims{i[0], i[1] * c.shape[1] / c.height, i[2] * c.shape[2] / c.width, i[3]}];
          });
          return out;
        });
  }
  row.tolerance = row.gradient_tolerance = 4;
  row.no_scalar = no_scalar_reason;
  Tensor x = empty({1, 4, 4, 2});
  row.errors = {{"size", [=] { upsample_nearest2d(x, 0, 2); }, "0 x 2.*1 or more", ""}};
}

OP_ROW(upsample_bilinear2d) {
  Random random(81);
  // Weight of input h for output i: a hat of width 1 around the place that i shows.
  auto hat = [](int64_t i, int64_t h, int64_t in, int64_t out, bool align_corners) {
    auto d = [](int64_t v) { return static_cast<double>(v); };
    double place = align_corners ? (out > 1 ? d(i) * d(in - 1) / d(out - 1) : 0)
                                 : (d(i) + 0.5) * d(in) / d(out) - 0.5;
    place = std::min(std::max(place, 0.0), d(in - 1));
    return std::max(0.0, 1 - std::abs(place - d(h)));
  };
  for (bool align_corners : {false, true}) {
    for (const AdaptiveCase& c : adaptive_cases) {
      row.add(
          std::string(c.label) + (align_corners ? ", corners" : ""), {random.uniform(c.shape)},
          [=](const Tensors& in) {
            return upsample_bilinear2d(in[0], c.height, c.width, align_corners);
          },
          [=](const Arrays& in) {
            Array out = array({c.shape[0], c.height, c.width, c.shape[3]});
            for_each_index(out.shape, [&](const Dims& i) {
              for (int64_t h = 0; h < c.shape[1]; ++h) {
                for (int64_t w = 0; w < c.shape[2]; ++w) {
                  out[i] += hat(i[1], h, c.shape[1], c.height, align_corners) *
                            hat(i[2], w, c.shape[2], c.width, align_corners) *
                            in[0][Dims{i[0], h, w, i[3]}];
                }
              }
            });
            return out;
          });
    }
  }
  row.tolerance = row.gradient_tolerance = 8;
  row.no_scalar = no_scalar_reason;
  Tensor x = empty({1, 4, 4, 2});
  row.errors = {{"rank",
                 [] {
                   upsample_bilinear2d(empty({4, 4, 2}), 8, 8);
                 },
                 R"(\[N, H, W, C\])", ""},
                {"size", [=] { upsample_bilinear2d(x, 8, 0); }, "8 x 0.*1 or more", ""}};
}

}  // namespace strata::test
