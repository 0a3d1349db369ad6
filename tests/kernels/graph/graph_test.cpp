// Neighbour aggregation: the CPU twin against float64 loops, the kernels against the CPU twin.
#include "kernels/graph/graph.h"

#include "tests/kernels/support/gpu_test.h"

namespace strata {
namespace {

using test::DeviceBuffer;

// A random graph; rows 2, 7, .. have no edges, row 3 has many.
struct RandomGraph {
  std::vector<int64_t> offsets{0}, from;
  int64_t rows, columns;

  RandomGraph(int64_t rows, int64_t columns, uint64_t seed) : rows(rows), columns(columns) {
    std::mt19937_64 generator(seed);
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t degree = columns == 0 || row % 5 == 2 ? 0
                             : row == 3                   ? 40
                                                          : static_cast<int64_t>(generator() % 6);
      for (int64_t k = 0; k < degree; ++k)
        from.push_back(static_cast<int64_t>(generator() % static_cast<uint64_t>(columns)));
      offsets.push_back(static_cast<int64_t>(from.size()));
    }
  }
  CsrGraph csr() const {
    return {rows, columns, static_cast<int64_t>(from.size()), offsets.data(), from.data()};
  }
};

// Everything about one aggregation, on both devices.
template <class T>
struct Case {
  RandomGraph graph;
  int64_t C;
  std::vector<T> x, weight, g;
  std::vector<int64_t> t_offsets, t_to, t_edge;
  DeviceBuffer<int64_t> d_offsets, d_from, d_t_offsets, d_t_to, d_t_edge;
  DeviceBuffer<T> d_x, d_weight, d_g;

  Case(int64_t rows, int64_t columns, int64_t C, uint64_t seed)
      : graph(rows, columns, seed),
        C(C),
        x(test::random_values<T>(static_cast<size_t>(columns * C), seed + 1)),
        weight(test::random_values<T>(graph.from.size(), seed + 2)),
        g(test::random_values<T>(static_cast<size_t>(rows * C), seed + 3)),
        t_offsets(static_cast<size_t>(columns + 1)),
        t_to(graph.from.size()),
        t_edge(graph.from.size()),
        d_offsets(graph.offsets),
        d_from(graph.from),
        d_t_offsets(t_offsets.size()),
        d_t_to(t_to.size()),
        d_t_edge(t_edge.size()),
        d_x(x),
        d_weight(weight),
        d_g(g) {}

  AggregateArgs args(Aggregate op, bool weighted, T* out, int64_t* chosen) const {
    return {graph.csr(), op,    dtype_of<T>(), C, x.data(), weighted ? weight.data() : nullptr,
            out,         chosen};
  }
  AggregateArgs device_args(Aggregate op, bool weighted, T* out, int64_t* chosen) {
    AggregateArgs a = args(op, weighted, out, chosen);
    a.graph.offsets = d_offsets.data();
    a.graph.from = d_from.data();
    a.x = d_x.data();
    if (weighted) a.weight = d_weight.data();
    return a;
  }

  void check_transpose() {
    cpu::transpose(graph.csr(), {t_offsets.data(), t_to.data(), t_edge.data()});
    gpu::transpose(device_args(Aggregate::sum, false, nullptr, nullptr).graph,
                   {d_t_offsets.data(), d_t_to.data(), d_t_edge.data()});
    EXPECT_EQ(d_t_offsets.host(), t_offsets);
    EXPECT_EQ(d_t_to.host(), t_to);
    EXPECT_EQ(d_t_edge.host(), t_edge);
  }

  // Sums of at most 40 products below 1, in the same order: only fused multiplications differ,
  // which may take a 16-bit result to its neighbour.
  static void expect_close(const std::vector<T>& actual, const std::vector<T>& expected,
                           const char* what) {
    const double u = std::is_same_v<T, double> ? 0x1p-53 : 0x1p-24;
    test::expect_within(
        actual, std::vector<double>(expected.begin(), expected.end()),
        [&](size_t i) {
          return 64 * u +
                 2.02 * test::unit_roundoff<T>() * std::abs(static_cast<double>(expected[i]));
        },
        what);
  }

  void check(Aggregate op, bool weighted) {
    SCOPED_TRACE("aggregate " + std::to_string(static_cast<int>(op)) + " of " +
                 name_of(dtype_of<T>()));
    std::vector<T> out(g.size()), dx(x.size()), dw(weight.size());
    std::vector<int64_t> chosen(g.size());
    DeviceBuffer<T> d_out(out.size()), d_dx(dx.size()), d_dw(dw.size());
    DeviceBuffer<int64_t> d_chosen(chosen.size());
    const bool max = op == Aggregate::max;
    cpu::aggregate(args(op, weighted, out.data(), max ? chosen.data() : nullptr));
    gpu::aggregate(device_args(op, weighted, d_out.data(), max ? d_chosen.data() : nullptr));
    if (max) {
      test::expect_same_bits(d_out.host(), out, "aggregate");
    } else {
      expect_close(d_out.host(), out, "aggregate");
    }
    if (max) {
      EXPECT_EQ(d_chosen.host(), chosen);
    }

    AggregateGradientArgs back{args(op, weighted, nullptr, max ? chosen.data() : nullptr),
                               {t_offsets.data(), t_to.data(), t_edge.data()},
                               g.data(),
                               dx.data(),
                               max ? nullptr : dw.data()};
    AggregateGradientArgs device{
        device_args(op, weighted, nullptr, max ? d_chosen.data() : nullptr),
        {d_t_offsets.data(), d_t_to.data(), d_t_edge.data()},
        d_g.data(),
        d_dx.data(),
        max ? nullptr : d_dw.data()};
    cpu::aggregate_gradient(back);
    gpu::aggregate_gradient(device);
    expect_close(d_dx.host(), dx, "gradient of x");
    if (max) return;
    test::expect_sum_of_products(d_dw.host(), std::vector<double>(dw.begin(), dw.end()),
                                 std::vector<double>(dw.size(), static_cast<double>(C)), C,
                                 "gradient of the weights");
  }
};

template <class T>
void check_type() {
  for (auto [rows, columns, C] : {std::array<int64_t, 3>{30, 20, 8},
                                  {17, 40, 5},
                                  {6, 3, 1},
                                  {9, 0, 4},
                                  {0, 5, 4},
                                  {8, 8, 0}}) {
    Case<T> c(rows, columns, C, 7);
    c.check_transpose();
    c.check(Aggregate::sum, false);
    c.check(Aggregate::sum, true);
    c.check(Aggregate::mean, false);
    c.check(Aggregate::mean, true);
    c.check(Aggregate::max, false);
  }
}

TEST(Graph, AggregatesAndTheirGradientsAreTheCpus) {
  check_type<float>();
  check_type<double>();
  check_type<bf16>();
  check_type<f16>();
}

TEST(Graph, TransposesUnderEverySchedule) {
  test::for_each_schedule([] { Case<float>(40, 12, 3, 5).check_transpose(); });
}

// The CPU twin against loops over a dense matrix, and its gradients against finite differences,
// which are exact for linear maps.
TEST(Graph, TheCpuTwinIsADenseProduct) {
  Case<double> c(12, 9, 4, 3);
  c.check_transpose();
  for (Aggregate op : {Aggregate::sum, Aggregate::mean}) {
    std::vector<double> out(12 * 4), dx(9 * 4), dw(c.weight.size());
    cpu::aggregate(c.args(op, true, out.data(), nullptr));
    std::vector<double> matrix(12 * 9);
    for (int64_t row = 0; row < 12; ++row)
      for (int64_t e = c.graph.offsets[row]; e < c.graph.offsets[row + 1]; ++e)
        matrix[row * 9 + c.graph.from[e]] +=
            c.weight[e] / (op == Aggregate::mean ? static_cast<double>(c.graph.offsets[row + 1] -
                                                                       c.graph.offsets[row])
                                                 : 1);
    cpu::aggregate_gradient({c.args(op, true, nullptr, nullptr),
                             {c.t_offsets.data(), c.t_to.data(), c.t_edge.data()},
                             c.g.data(),
                             dx.data(),
                             dw.data()});
    for (int64_t channel = 0; channel < 4; ++channel) {
      for (int64_t row = 0; row < 12; ++row) {
        double sum = 0;
        for (int64_t j = 0; j < 9; ++j) sum += matrix[row * 9 + j] * c.x[j * 4 + channel];
        ASSERT_NEAR(out[row * 4 + channel], sum, 1e-13);
      }
      for (int64_t j = 0; j < 9; ++j) {
        double sum = 0;
        for (int64_t row = 0; row < 12; ++row) sum += matrix[row * 9 + j] * c.g[row * 4 + channel];
        ASSERT_NEAR(dx[j * 4 + channel], sum, 1e-13);
      }
    }
    // d(out . g) / d w[e], by taking each weight one higher.
    for (size_t e = 0; e < dw.size(); ++e) {
      std::vector<double> moved(out.size());
      c.weight[e] += 1;
      cpu::aggregate(c.args(op, true, moved.data(), nullptr));
      c.weight[e] -= 1;
      double difference = 0;
      for (size_t i = 0; i < out.size(); ++i) difference += (moved[i] - out[i]) * c.g[i];
      ASSERT_NEAR(dw[e], difference, 1e-12);
    }
  }
}

TEST(Graph, TheMaximumTakesTheFirstOfEqualsAndNaN) {
  const std::vector<int64_t> offsets = {0, 3, 3, 5}, from = {0, 1, 2, 2, 3};
  const std::vector<float> x = {1, 5, 5, std::numeric_limits<float>::quiet_NaN()};
  DeviceBuffer<int64_t> d_offsets(offsets), d_from(from), chosen(3);
  DeviceBuffer<float> d_x(x), out(3);
  gpu::aggregate({{3, 4, 5, d_offsets.data(), d_from.data()},
                  Aggregate::max,
                  DType::f32,
                  1,
                  d_x.data(),
                  nullptr,
                  out.data(),
                  chosen.data()});
  EXPECT_EQ(chosen.host(), (std::vector<int64_t>{1, -1, 4}));
  EXPECT_EQ(out.host()[0], 5);
  EXPECT_EQ(out.host()[1], 0);
  EXPECT_TRUE(std::isnan(out.host()[2]));
}

}  // namespace
}  // namespace strata
