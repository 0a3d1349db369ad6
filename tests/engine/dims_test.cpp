// The arithmetic of shapes.
#include "engine/tensor/dims.h"

#include <gtest/gtest.h>

#include "tests/support/expect.h"
#include "tests/support/oracle.h"

namespace strata {
namespace {

using test::for_each_index;
using test::Random;

// Addresses of the elements in row-major order.
std::vector<int64_t> addresses(const Dims& shape, const Dims& strides) {
  std::vector<int64_t> out;
  for_each_index(shape, [&](const Dims& index) {
    int64_t at = 0;
    for (int i = 0; i < shape.rank(); ++i) at += index[i] * strides[i];
    out.push_back(at);
  });
  return out;
}

// Whether any strides show these addresses as `target`: an axis's stride can only be the distance
// of its first two elements.
bool possible(const std::vector<int64_t>& wanted, const Dims& target) {
  Dims steps = contiguous_strides(target), strides = steps;
  for (int i = 0; i < target.rank(); ++i) {
    if (target[i] > 1) strides[i] = wanted[static_cast<size_t>(steps[i])] - wanted[0];
  }
  return addresses(target, strides) == wanted;
}

TEST(Dims, ConstructsIndexesAndPrints) {
  Dims d{2, 3, 4};
  EXPECT_EQ(d.rank(), 3);
  EXPECT_EQ(d[-1], 4);
  EXPECT_EQ(d.product(), 24);
  EXPECT_EQ(to_string(d), "[2,3,4]");
  EXPECT_EQ(to_string(Dims{}), "[]");
  EXPECT_EQ(Dims{}.product(), 1);
  d.insert(1, 7);
  EXPECT_EQ(d, (Dims{2, 7, 3, 4}));
  d.erase(0);
  EXPECT_EQ(d, (Dims{7, 3, 4}));
  d.resize(5);
  EXPECT_EQ(d, (Dims{7, 3, 4, 1, 1}));
  EXPECT_FALSE((Dims{1} == Dims{1, 1}));
}

TEST(Dims, RefusesNineAxes) {
  EXPECT_FAILS(Dims(std::vector<int64_t>(9, 1)), "at most 8 axes; 9 were given");
  Dims d = Dims::filled(8, 1);
  EXPECT_FAILS(d.push_back(1), "at most 8 axes");
}

TEST(Dims, ContiguousStrides) {
  EXPECT_EQ(contiguous_strides({2, 3, 4}), (Dims{12, 4, 1}));
  EXPECT_TRUE(is_contiguous({2, 3}, {3, 1}));
  EXPECT_FALSE(is_contiguous({2, 3}, {1, 2}));
  EXPECT_TRUE(is_contiguous({1, 3}, {77, 1})) << "the stride of a size of 1 does not matter";
  EXPECT_TRUE(is_contiguous({0, 3}, {9, 9})) << "nothing is contiguous";
  EXPECT_TRUE(is_contiguous({}, {}));
}

TEST(Dims, NormalizesAxes) {
  Caller at = Caller::here();
  EXPECT_EQ(normalize_axis("op", -1, 3, at), 2);
  EXPECT_EQ(normalize_axes("op", {-1, 0}, 3, at), (Dims{0, 2}));
  EXPECT_EQ(normalize_axes("op", {}, 2, at), (Dims{0, 1}));
  EXPECT_FAILS(normalize_axis("op", 3, 3, at),
               R"(\[op\] axis 3 .*rank 3 \(allowed: -3 to 2\).*dims_test)");
  EXPECT_FAILS(normalize_axis("op", -4, 3, at), "axis -4");
  EXPECT_FAILS(normalize_axes("op", {0, -2}, 2, at), "twice");
}

TEST(Dims, BroadcastsAsNumPy) {
  Dims out;
  struct {
    Dims a, b, want;
    bool fits;
  } cases[] = {{{3, 5}, {5}, {3, 5}, true},   {{3, 1}, {1, 4}, {3, 4}, true},
               {{}, {2, 2}, {2, 2}, true},    {{0, 3}, {1, 3}, {0, 3}, true},
               {{1}, {0}, {0}, true},         {{2, 3}, {4}, {}, false},
               {{2}, {0}, {}, false},         {{8, 1, 6, 1}, {7, 1, 5}, {8, 7, 6, 5}, true},
               {{2, 1}, {2, 1}, {2, 1}, true}};
  for (auto& c : cases) {
    EXPECT_EQ(broadcast(c.a, c.b, &out), c.fits) << to_string(c.a) << to_string(c.b);
    if (c.fits) {
      EXPECT_EQ(out, c.want);
    }
    EXPECT_EQ(broadcast(c.b, c.a, &out), c.fits);
    if (c.fits) {
      EXPECT_EQ(out, c.want);
    }
  }
  EXPECT_FAILS(broadcast_shapes("add", {2, 3}, {4}, Caller::here()),
               R"(\[add\] shapes \[2,3\] and \[4\] do not broadcast)");
  EXPECT_EQ(broadcast_strides({3, 1}, {1, 1}, {2, 3, 4}), (Dims{0, 1, 0}));
}

// Random views (permuted, sliced, expanded, reversed) against what is possible at all.
TEST(Dims, ReshapeStridesAgreesWithBruteForce) {
  Random random(1);
  int views = 0, copies = 0;
  for (int trial = 0; trial < 20000; ++trial) {
    Dims shape;
    for (int64_t i = random.integer(0, 5); i > 0; --i) shape.push_back(random.integer(1, 5));
    Dims strides = contiguous_strides(shape);
    for (int i = 0; i < shape.rank(); ++i) {
      switch (random.integer(0, 8)) {
        case 0:
          strides[i] *= 2;
          break;
        case 1:
          strides[i] = 0;
          break;
        case 2:
          strides[i] = -strides[i];
          break;
        case 3: {
          int64_t j = random.integer(0, shape.rank());
          std::swap(shape[i], shape[static_cast<int>(j)]);
          std::swap(strides[i], strides[static_cast<int>(j)]);
          break;
        }
      }
    }
    // A target of the same product: factors dealt out at random, with ones among them.
    Dims target = Dims::filled(static_cast<int>(random.integer(1, 6)), 1);
    int64_t rest = shape.product();
    for (int64_t factor : {2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3}) {
      if (rest % factor) continue;
      rest /= factor;
      target[static_cast<int>(random.integer(0, target.rank()))] *= factor;
    }
    Dims out;
    auto wanted = addresses(shape, strides);
    bool found = reshape_strides(shape, strides, target, &out);
    EXPECT_EQ(found, possible(wanted, target))
        << to_string(shape) << to_string(strides) << " as " << to_string(target);
    if (found) {
      EXPECT_EQ(addresses(target, out), wanted);
    }
    ++(found ? views : copies);
  }
  EXPECT_GT(views, 2000);
  EXPECT_GT(copies, 2000);
}

TEST(Dims, ReshapeOfScalarsAndNothing) {
  Dims out;
  EXPECT_TRUE(reshape_strides({}, {}, {1, 1}, &out));
  EXPECT_EQ(out.rank(), 2);
  EXPECT_TRUE(reshape_strides({1}, {5}, {}, &out));
  EXPECT_EQ(out.rank(), 0);
  EXPECT_TRUE(reshape_strides({2, 0}, {1, 9}, {0, 7}, &out));
}

}  // namespace
}  // namespace strata
