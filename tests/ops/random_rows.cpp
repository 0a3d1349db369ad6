// Rows of engine/ops/random.h. The oracle is Philox written once more, block by block, with f64
// arithmetic after it. Distributions are tested in random_test.cpp.
#include "engine/autograd/autograd.h"
#include "tests/support/op_table.h"

namespace strata::test {
namespace {

// Word i of the stream of a seed.
uint32_t word(uint64_t seed, uint64_t i) {
  uint64_t block = i / 4;
  uint32_t c[4] = {static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), 0, 0};
  uint32_t k[2] = {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
  for (int round = 0; round < 10; ++round) {
    uint64_t p = 0xd2511f53ull * c[0], q = 0xcd9e8d57ull * c[2];
    uint32_t next[4] = {static_cast<uint32_t>(q >> 32) ^ c[1] ^ k[0], static_cast<uint32_t>(q),
                        static_cast<uint32_t>(p >> 32) ^ c[3] ^ k[1], static_cast<uint32_t>(p)};
    std::copy(next, next + 4, c);
    k[0] += 0x9e3779b9u;
    k[1] += 0xbb67ae85u;
  }
  return c[i % 4];
}
uint64_t word64(uint64_t seed, uint64_t i) {
  return word(seed, 2 * i) | static_cast<uint64_t>(word(seed, 2 * i + 1)) << 32;
}

constexpr uint64_t seed = 0x123456789abcdefull;

// A draw of a shape by make(shape, generator), against value(i) for its elements.
template <class F, class G>
void drawn(Row& row, std::vector<DType> dtypes, F make, G value) {
  row.no_gradient = "it has no input";
  row.dtypes = std::move(dtypes);
  for (const Dims& shape : {Dims{3, 5}, Dims{}, Dims{0, 2}, Dims{300, 211}}) {
    Array want = array(shape);
    for (size_t i = 0; i < want.values.size(); ++i) want.values[i] = value(i);
    row.add(
        "drawn " + to_string(shape), {},
        [=](const Tensors&, DType dtype) {
          Generator generator(seed);
          return make(shape, dtype, &generator);
        },
        [want](const Arrays&) { return want; });
  }
}

}  // namespace

OP_ROW(rand) {
  drawn(
      row, {DType::f32, DType::bf16, DType::f16},
      [](const Dims& s, DType d, Generator* g) { return rand(s, -1, 3, d, g); },
      [](size_t i) { return -1 + 4 * (static_cast<double>(word(seed, i) >> 8) * 0x1p-24); });
  row.errors = {{"order", [] { rand({2}, 1, 1); }, "low must be below high", ""},
                {"type", [] { rand({2}, 0, 1, DType::i64); }, "no fractions", ""}};
}

OP_ROW(randn) {
  drawn(
      row, {DType::f32, DType::bf16, DType::f16},
      [](const Dims& s, DType d, Generator* g) { return randn(s, 0.5, 2, d, g); },
      [](size_t i) {
        double u = (word(seed, i & ~size_t{1}) + 0.5) * 0x1p-32;
        uint32_t turn = word(seed, i | 1);
        double angle = M_PI / 2 * ((turn >> 30) + static_cast<int32_t>(turn << 2) * 0x1p-32);
        double radius = std::sqrt(-2 * std::log(u));
        return 0.5 + 2 * radius * (i % 2 ? std::sin(angle) : std::cos(angle));
      });
  row.tolerance = 4;
  row.errors = {{"deviation", [] { randn({2}, 0, -1); }, "must not be negative", ""},
                {"type", [] { randn({2}, 0, 1, DType::u8); }, "no fractions", ""}};
}

OP_ROW(randint) {
  drawn(
      row, {DType::i64, DType::i32},
      [](const Dims& s, DType d, Generator* g) { return randint(-5, 6, s, d, g); },
      [](size_t i) {
        __extension__ using Wide = unsigned __int128;
        return -5.0 + static_cast<double>(static_cast<uint64_t>(Wide{11} * word64(seed, i) >> 64));
      });
  row.errors = {{"order", [] { randint(3, 3, {2}); }, "low below high", ""},
                {"type", [] { randint(0, 3, {2}, DType::f32); }, "not an integer type", ""},
                {"range", [] { randint(0, 257, {2}, DType::u8); }, R"(within \[0, 255\])", ""}};
}

OP_ROW(randperm) {
  row.no_gradient = "it has no input";
  row.dtypes = {DType::i64};
  for (size_t n : {0u, 1u, 9u, 1000u}) {
    Array want = array({static_cast<int64_t>(n)});
    for (size_t i = 0; i < n; ++i) want.values[i] = static_cast<double>(i);
    for (size_t i = n; i-- > 1;) {
      __extension__ using Wide = unsigned __int128;
      std::swap(want.values[i],
                want.values[static_cast<size_t>(Wide{i + 1} * word64(seed, i) >> 64)]);
    }
    row.add(
        fmt::format("of {}", n), {},
        [n](const Tensors&) {
          Generator generator(seed);
          return randperm(static_cast<int64_t>(n), &generator);
        },
        [want](const Arrays&) { return want; });
  }
  row.errors = {{"negative", [] { randperm(-1); }, "n is -1", ""}};
}

OP_ROW(bernoulli) {
  drawn(
      row, {DType::boolean},
      [](const Dims& s, DType, Generator* g) { return bernoulli(s, 0.3, g); },
      [](size_t i) { return word(seed, i) < 0.3 * 0x1p32 ? 1.0 : 0.0; });
  row.errors = {{"p", [] { bernoulli({2}, 1.5); }, R"(p is 1.5.*\[0, 1\])", ""}};
}

OP_ROW(dropout) {
  Random random(9);
  auto add = [&](const char* label, const Dims& shape, double p, bool training) {
    row.add(
        label, {random.uniform(shape)},
        [=](const Tensors& in) {
          Generator generator(seed);
          return dropout(in[0], p, training, &generator);
        },
        [=](const Arrays& in) {
          Array out = in[0];
          for (size_t i = 0; i < out.values.size() && training; ++i) {
            bool kept = word(seed, i) < std::floor((1 - p) * 0x1p32);
            out.values[i] = kept ? out.values[i] / (1 - p) : 0;
          }
          return out;
        });
  };
  add("typical", {7, 5}, 0.25, true);
  add("scalar", {}, 0.25, true);
  add("empty", {0, 3}, 0.25, true);
  add("all", {7, 5}, 1, true);
  add("none", {7, 5}, 0, true);
  add("inference", {7, 5}, 0.25, false);
  add("large", {37, 1021}, 0.6, true);
  Tensor x = empty({2}), whole = empty({2}, DType::i64);
  row.errors = {{"p", [=] { dropout(x, -0.5); }, R"(p is -0.5.*\[0, 1\])", ""},
                {"type", [=] { dropout(whole, 0.5); }, "not of a floating type", ""}};
}

OP_ROW(multinomial) {
  row.no_gradient = "its result is an index";
  row.result_dtype = [](DType) { return DType::i64; };
  Random random(10);
  for (const Dims& shape : {Dims{4, 6}, Dims{5}, Dims{0, 3}, Dims{9000, 7}}) {
    Array weights = random.uniform(shape, 0.1, 1);
    for (size_t i = 0; i < weights.values.size(); i += 3) weights.values[i] = 0;
    row.add(
        "rows " + to_string(shape), {weights},
        [](const Tensors& in) {
          Generator generator(seed);
          return multinomial(in[0], &generator);
        },
        [](const Arrays& in) {
          size_t columns = static_cast<size_t>(in[0].shape[-1]);
          Dims rows = in[0].shape;
          rows.erase(rows.rank() - 1);
          Array out = array(rows);
          for (size_t r = 0; r < out.values.size(); ++r) {
            const double* w = in[0].values.data() + r * columns;
            double total = 0, reached = 0;
            for (size_t c = 0; c < columns; ++c) total += w[c];
            double target = static_cast<double>(word64(seed, r) >> 11) * 0x1p-53 * total;
            size_t c = 0;
            while ((reached += w[c]) <= target) ++c;
            out.values[r] = static_cast<double>(c);
          }
          return out;
        });
  }
  row.no_scalar = "it needs an axis of classes";
  Tensor zero = zeros({2, 3}), scalar = empty({}), negative = full({3}, -1);
  row.errors = {{"rank", [=] { multinomial(scalar); }, "at least one class", ""},
                {"zero", [=] { multinomial(zero); }, "row 0.*finite positive sum", ""},
                {"negative", [=] { multinomial(negative); }, "negative or NaN", ""}};
}

}  // namespace strata::test
