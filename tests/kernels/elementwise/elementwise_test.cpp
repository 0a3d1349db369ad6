// The elementwise kernels against their CPU twins: every function, type and layout.
#include "kernels/elementwise/elementwise.h"

#include "tests/kernels/elementwise/both.h"

namespace strata {
namespace {

using test::Both;
using test::spread;

constexpr Unary last_unary = Unary::hard_swish, last_any_unary = Unary::clamp;
constexpr Binary last_binary = Binary::gelu_tanh_gradient, last_any_binary = Binary::add_scaled;

void check_unary(Unary op, Both& both, double ulps = 8) {
  both.expect_equal([&](auto& args) { cpu::unary(op, args); },
                    [&](auto& args) { gpu::unary(op, args); }, ulps,
                    "unary " + std::to_string(static_cast<int>(op)));
}
void check_binary(Binary op, Both& both, double ulps = 8) {
  both.expect_equal([&](auto& args) { cpu::binary(op, args); },
                    [&](auto& args) { gpu::binary(op, args); }, ulps,
                    "binary " + std::to_string(static_cast<int>(op)));
}
void check_copy(Both& both, const std::string& what) {
  both.expect_equal([](auto& args) { cpu::copy(args); }, [](auto& args) { gpu::copy(args); }, 0,
                    what);
}

// The kernels launched by `work`, by name.
std::vector<std::string> launched;
std::string kernels_of(const std::function<void()>& work) {
  launched.clear();
  gpu::observe_launches(
      [](std::string_view name, const gpu::LaunchConfig&) { launched.emplace_back(name); });
  work();
  gpu::observe_launches(nullptr);
  gpu::synchronize(nullptr);
  std::string names;
  for (const std::string& name : launched) names += name.substr(0, name.find('<')) + " ";
  return names;
}

TEST(Elementwise, UnaryFunctionsOfFloats) {
  for (int op = 0; op <= static_cast<int>(last_unary); ++op) {
    for (DType type : {DType::f32, DType::f64}) {
      // 1003: vectors, and a rest.
      Both both({1003}, type);
      both.add(type, spread(1)).add(type, spread(2)).parameters(-0.5, 1.25);
      check_unary(static_cast<Unary>(op), both);
    }
    for (DType type : {DType::bf16, DType::f16}) {
      Both both({200}, DType::f32);
      both.add(type, spread(1)).add(type, spread(3)).parameters(-0.5, 1.25);
      check_unary(static_cast<Unary>(op), both, 1.01);
    }
  }
}

TEST(Elementwise, FunctionsAreThoseOfFloat64) {
  const std::vector<float> x = test::random_values<float>(256, 5, -4, 4);
  std::vector<double> wide(x.begin(), x.end()), expected(256);
  test::DeviceBuffer<float> in(x), out(256);
  for (int op = 0; op <= static_cast<int>(last_unary); ++op) {
    cpu::ElementwiseArgs args{};
    args.rank = 1;
    args.operands = 2;
    args.sizes[0] = 256;
    args.strides[0][0] = args.strides[1][0] = 1;
    args.parameter[0] = -0.5;
    args.parameter[1] = 1.25;
    auto call = [&](DType type, void* to, void* from, auto&& function) {
      args.compute = args.dtype[0] = args.dtype[1] = type;
      args.data[0] = to;
      args.data[1] = from;
      function(static_cast<Unary>(op), args);
    };
    call(DType::f64, expected.data(), wide.data(), cpu::unary);
    call(DType::f32, out.data(), in.data(), gpu::unary);
    const std::string what = "unary " + std::to_string(op);
    test::expect_within(
        out.host(), expected,
        [&](size_t i) { return 8 * 0x1p-23 * std::max(1.0, std::abs(expected[i])); }, what.c_str());
  }
}

TEST(Elementwise, SineOfAnyArgument) {
  for (Unary op : {Unary::sin, Unary::cos}) {
    Both both({513}, DType::f32);
    both.add(DType::f32, spread(1)).add(DType::f32, spread(4, 1e9));
    both.expect_equal([&](auto& args) { cpu::unary(op, args); },
                      [&](auto& args) { gpu::unary(op, args); }, 1e4, "sine");
  }
}

TEST(Elementwise, UnaryFunctionsOfIntegers) {
  for (int op = 0; op <= static_cast<int>(last_any_unary); ++op) {
    for (DType type : {DType::i64, DType::i32, DType::u8, DType::boolean}) {
      Both both({131}, type);
      auto extremes = [=](int64_t i) {
        return i == 7 ? -0x1p63 : i == 9 ? -0x1p31 : i == 10 ? 255 : spread(5, 200, false)(i);
      };
      both.add(type, extremes).add(type, extremes).parameters(-3, 300);
      check_unary(static_cast<Unary>(op), both, 0);
    }
  }
}

TEST(Elementwise, BinaryFunctionsOfFloats) {
  for (int op = 0; op <= static_cast<int>(last_binary); ++op) {
    for (DType type : {DType::f32, DType::f64}) {
      const DType second = static_cast<Binary>(op) == Binary::masked_scale ? DType::boolean : type;
      Both both({517}, type);
      // NaN as bool is true: the CPU and the GPU agree on that too.
      both.add(type, spread(1)).add(type, spread(2)).add(second, spread(6)).parameters(0.375);
      check_binary(static_cast<Binary>(op), both, 16);
    }
  }
}

TEST(Elementwise, BinaryFunctionsOfIntegers) {
  for (int op = 0; op <= static_cast<int>(last_any_binary); ++op) {
    for (DType type : {DType::i64, DType::i32, DType::u8, DType::boolean}) {
      Both both({133}, type);
      both.add(type, spread(1))
          .add(type, spread(7, 90, false))
          .add(type, spread(8, 9, false))
          .parameters(-3);
      check_binary(static_cast<Binary>(op), both, 0);
    }
  }
}

TEST(Elementwise, IntegersTakeWiderOperandsInPlace) {
  // What add_() of the engine does: the sum stays of the first operand's type.
  for (DType type : {DType::i32, DType::u8, DType::boolean}) {
    for (DType source : {DType::i64, DType::f32}) {
      Both both({70}, type);
      both.add(type, spread(1)).add(type, spread(2, 50, false)).add(source, spread(3, 1000));
      check_binary(Binary::add, both, 0);
      check_binary(Binary::maximum, both, 0);
    }
  }
}

TEST(Elementwise, Comparisons) {
  for (int op = 0; op <= static_cast<int>(Compare::is_nan); ++op) {
    for (DType type : test::all_types) {
      Both both({139}, type == DType::bf16 || type == DType::f16 ? DType::f32 : type);
      both.add(DType::boolean, spread(1)).add(type, spread(2, 2));
      if (op < static_cast<int>(Compare::logical_not)) both.add(type, spread(2, 2, false));
      both.expect_equal([&](auto& args) { cpu::compare(static_cast<Compare>(op), args); },
                        [&](auto& args) { gpu::compare(static_cast<Compare>(op), args); }, 0,
                        "compare " + std::to_string(op));
    }
  }
}

TEST(Elementwise, WhereMovesBits) {
  auto check = [](Both& both) {
    both.expect_equal([](auto& args) { cpu::where(args); }, [](auto& args) { gpu::where(args); }, 0,
                      "where");
  };
  auto coin = [](int64_t i) { return static_cast<double>(i * 7 % 3 == 0); };
  for (DType type : test::all_types) {
    Both both({6, 21}, type);
    both.add(type, spread(1))
        .add(DType::boolean, coin)
        .add(type, spread(2))
        .add(type, spread(3), {1, 0});
    check(both);
    Both even({4, 32}, type);
    even.add(type, spread(1))
        .add(DType::boolean, coin)
        .add(type, spread(2))
        .add(type, spread(3), {0, 1});
    check(even);
  }
  Both mixed({40}, DType::f32);
  mixed.add(DType::f32, spread(1))
      .add(DType::boolean, coin)
      .add(DType::bf16, spread(2))
      .add(DType::i32, spread(3, 9, false));
  check(mixed);
}

TEST(Elementwise, CopiesBetweenAllTypes) {
  auto values = [](int64_t i) {
    return i == 3 ? 1e30 : i == 4 ? -1e30 : i == 6 ? 65519.0 : i == 8 ? 1e-40 : spread(9, 300)(i);
  };
  for (DType from : test::all_types) {
    for (DType to : test::all_types) {
      Both both({67}, to);
      both.add(to, spread(1)).add(from, values);
      check_copy(both, std::string(name_of(from)) + " to " + name_of(to));
    }
  }
}

TEST(Elementwise, Fills) {
  for (DType type : test::all_types) {
    for (double value : {0.0, -1.0, 2.5, 1e30}) {
      Both both({5, 33}, type);
      both.add(type, spread(1), {40, 1}).parameters(value);
      both.expect_equal([](auto& args) { cpu::fill(args); }, [](auto& args) { gpu::fill(args); }, 0,
                        "fill");
    }
  }
}

TEST(Elementwise, NumbersAreKernelArguments) {
  for (DType type : {DType::f32, DType::f64, DType::i32, DType::bf16}) {
    const DType compute = type == DType::bf16 ? DType::f32 : type;
    Both both({131}, compute);
    both.add(type, spread(1)).add(type, spread(2)).add_number(compute, 3);
    check_binary(Binary::mul, both, 0);
  }
  Both first({9, 7}, DType::f32);
  first.add(DType::f32, spread(1)).add_number(DType::f32, 0.1).add(DType::f32, spread(2), {1, 9});
  check_binary(Binary::sub, first, 0);
}

TEST(Elementwise, AnyStrides) {
  std::mt19937_64 generator(11);
  auto draw = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(generator);
  };
  for (int round = 0; round < 60; ++round) {
    const int rank = static_cast<int>(draw(0, 5));
    std::vector<int64_t> sizes;
    for (int axis = 0; axis < rank; ++axis) sizes.push_back(draw(1, 6));
    if (rank > 0 && draw(0, 1)) sizes.back() *= 4;
    // Strides of an array with its axes permuted, some flipped, some broadcast, and gaps between.
    auto strides = [&](bool output) {
      std::vector<size_t> order(sizes.size());
      for (size_t i = 0; i < order.size(); ++i) order[i] = i;
      if (draw(0, 2) == 0) std::shuffle(order.begin(), order.end(), generator);
      std::vector<int64_t> result(sizes.size());
      int64_t step = draw(0, 3) == 0 ? 2 : 1;
      for (size_t i = order.size(); i-- > 0;) {
        result[order[i]] = draw(0, 5) == 0 ? -step : step;
        step *= sizes[order[i]];
        if (draw(0, 3) == 0) step += 4;
        if (!output && draw(0, 3) == 0) result[order[i]] = 0;
      }
      return result;
    };
    const DType types[] = {DType::f32, DType::bf16, DType::f64, DType::i32, DType::u8};
    const DType type = types[draw(0, 4)], compute = type == DType::bf16 ? DType::f32 : type;
    Both both(sizes, compute);
    both.add(type, spread(1), strides(true), static_cast<size_t>(draw(0, 1)))
        .add(type, spread(2), strides(false), static_cast<size_t>(draw(0, 1)))
        .add(type, spread(3), strides(false));
    check_binary(Binary::sub, both, 0);
    Both copied(sizes, compute);
    copied.add(type, spread(1), strides(true)).add(type, spread(2), strides(false));
    check_copy(copied, "copy, round " + std::to_string(round));
  }
}

TEST(Elementwise, EmptyAndScalar) {
  for (std::vector<int64_t> sizes : {std::vector<int64_t>{}, {0}, {3, 0, 2}, {1, 1}}) {
    Both both(sizes, DType::f32);
    both.add(DType::f32, spread(1)).add(DType::f32, spread(2)).add(DType::f32, spread(3));
    check_binary(Binary::add, both, 0);
  }
}

// The kernel that turns two planes; rows of the input lie `pitch` apart.
std::string turned(DType type, int64_t rows, int64_t columns, int64_t pitch, size_t misalign = 0) {
  Both both({2, rows, columns}, type);
  both.add(type, spread(1), {rows * columns, columns, 1}, misalign == 1)
      .add(type, spread(2), {pitch * columns, 1, pitch}, misalign == 2);
  const std::string names = kernels_of([&] { check_copy(both, "transpose"); });
  return names.substr(names.rfind(':') + 1);
}

TEST(Elementwise, TransposesThroughSharedMemory) {
  for (DType type : {DType::u8, DType::f16, DType::f32, DType::f64}) {
    for (auto [rows, columns] : {std::pair<int64_t, int64_t>{8, 9}, {33, 70}, {64, 33}}) {
      test::for_each_schedule(
          [&, rows = rows, columns = columns] {
            EXPECT_EQ(turned(type, rows, columns, rows), "transpose_kernel ");
          },
          rows == 33 ? 8 : 0);
    }
  }
}

TEST(Elementwise, TransposesSquaresInRegisters) {
  for (DType type : {DType::u8, DType::f16, DType::f32, DType::f64}) {
    SCOPED_TRACE(name_of(type));
    const int64_t W = 16 / static_cast<int64_t>(size_of(type)), rows = 4 * W, columns = 5 * W;
    const std::string squares = "transpose_blocks_kernel ", tiles = "transpose_kernel ";
    EXPECT_EQ(turned(type, rows, columns, rows), squares);
    // Across the edge of a warp, and of a block.
    EXPECT_EQ(turned(type, 9 * W, columns, 9 * W), squares);
    EXPECT_EQ(turned(type, rows, 33 * W, rows), squares);
    // One thing at a time that is no whole number of vectors.
    EXPECT_EQ(turned(type, rows, columns, rows + W), squares);
    EXPECT_EQ(turned(type, rows, columns, rows + 1), tiles);
    EXPECT_EQ(turned(type, rows + 1, columns, rows + W), tiles);
    EXPECT_EQ(turned(type, rows, columns + 1, rows), tiles);
    EXPECT_EQ(turned(type, rows, columns, rows, 1), tiles);
    EXPECT_EQ(turned(type, rows, columns, rows, 2), tiles);
  }
}

TEST(Elementwise, PicksVectorsWhereTheyFit) {
  auto kernels = [](std::vector<int64_t> sizes, std::vector<int64_t> bias, size_t misalign) {
    Both both(sizes, DType::f32);
    both.add(DType::f32, spread(1))
        .add(DType::f32, spread(2))
        .add(DType::f32, spread(3), bias, misalign);
    return kernels_of([&] { check_binary(Binary::add, both, 0); });
  };
  auto has = [](const std::string& names, const char* name) {
    return names.find(name) != std::string::npos;
  };
  EXPECT_TRUE(has(kernels({8, 12}, {0, 1}, 0), "vector_kernel"));
  EXPECT_TRUE(has(kernels({8, 12}, {1, 0}, 0), "vector_kernel"));
  EXPECT_TRUE(has(kernels({8, 13}, {0, 1}, 0), "strided_kernel"));
  EXPECT_TRUE(has(kernels({8, 12}, {0, 1}, 1), "strided_kernel"));
  const std::string both = kernels({99}, {1}, 0);
  EXPECT_TRUE(has(both, "vector_kernel") && has(both, "strided_kernel")) << both;
}

TEST(Elementwise, Chains) {
  // y = gelu(x * scale + shift) * mask, and 1 / (1 + x).
  Chain fused, inverse;
  then(then(then(then(fused, Binary::mul, 2), Binary::add, 3), Unary::gelu), Binary::mul, 1);
  then(then(then(inverse, Unary::clamp, -0.5, 3), Binary::add_scaled, 2, true, 2.0),
       Unary::reciprocal);
  const DType types[][3] = {{DType::f32, DType::f32, DType::f32},
                            {DType::bf16, DType::bf16, DType::bf16},
                            {DType::f32, DType::bf16, DType::i32},
                            {DType::f64, DType::f64, DType::f32}};
  for (const auto& type : types) {
    for (const Chain* chain : {&fused, &inverse}) {
      for (int64_t columns : {16, 13}) {
        Both both({9, columns}, type[0] == DType::f64 ? DType::f64 : DType::f32);
        both.add(type[0], spread(1))
            .add(type[0], spread(2))
            .add(type[1], spread(3), {0, 1})
            .add(type[2], spread(4, 3, false), {1, 0});
        both.expect_equal([&](auto& args) { cpu::chain(*chain, args); },
                          [&](auto& args) { gpu::chain(*chain, args); }, 64, "chain");
      }
    }
  }
  Both integers({4}, DType::i32);
  integers.add(DType::i32, spread(1)).add(DType::i32, spread(2, 9, false));
  EXPECT_THROW(
      integers.expect_equal([](auto&) {}, [&](auto& args) { gpu::chain(fused, args); }, 0, ""),
      gpu::Error);
}

TEST(Elementwise, ChainOnTheCpuIsItsStepsInTurn) {
  const std::vector<double> x = test::random_values<double>(700, 1),
                            y = test::random_values<double>(700, 2);
  Chain chain;
  then(then(chain, Unary::tanh), Binary::sub, 2, true);
  std::vector<double> out(700);
  cpu::ElementwiseArgs args{};
  args.rank = 1;
  args.sizes[0] = 700;
  args.operands = 3;
  args.compute = DType::f64;
  void* data[] = {out.data(), const_cast<double*>(x.data()), const_cast<double*>(y.data())};
  for (int k = 0; k < 3; ++k) {
    args.data[k] = data[k];
    args.dtype[k] = DType::f64;
    args.strides[k][0] = 1;
  }
  cpu::chain(chain, args);
  for (size_t i = 0; i < 700; ++i) ASSERT_NEAR(out[i], y[i] - std::tanh(x[i]), 1e-15);
}

// The tail of the normal distribution has its own digits: 1 + erf(x / sqrt(2)) would have none of
// them at -5. On a GPU 2^x is the hardware's.
TEST(Elementwise, GeluKeepsItsTail) {
  std::vector<float> x;
  for (float value = -5.5f; value < 5.5f; value += 0.0137f) x.push_back(value);
  test::DeviceBuffer<float> dx(x), dy(x.size());
  cpu::ElementwiseArgs args{};
  args.rank = 1;
  args.operands = 2;
  args.sizes[0] = static_cast<int64_t>(x.size());
  args.strides[0][0] = args.strides[1][0] = 1;
  args.data[0] = dy.data();
  args.data[1] = dx.data();
  args.dtype[0] = args.dtype[1] = args.compute = DType::f32;
  gpu::unary(Unary::gelu, args);
  const std::vector<float> y = dy.host();
  for (size_t i = 0; i < x.size(); ++i) {
    const double exact = x[i] * 0.5 * std::erfc(-x[i] * std::sqrt(0.5));
    ASSERT_LE(std::abs(y[i] - exact), (12 + 2.0 * x[i] * x[i]) * 0x1p-24 * std::abs(exact) + 1e-30)
        << x[i];
  }
}

}  // namespace
}  // namespace strata
