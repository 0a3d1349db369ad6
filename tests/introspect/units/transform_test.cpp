// Bilinear sampling against hand values, and random transforms.
#include "tools/introspect/units/transform.h"

#include <gtest/gtest.h>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tests/introspect/networks.h"
#include "tests/support/expect.h"

namespace strata::introspect {
namespace {

using namespace test;
using strata::test::expect_near;
using strata::test::values;

Tensor places_of(const std::vector<double>& places) {
  return from_vector(places, {1, static_cast<int64_t>(places.size()) / 2, 2});
}

TEST(SampleBilinear, HandValues) {
  Tensor image = from_vector(std::vector<double>{0, 1, 2, 10, 11, 12}, {1, 2, 3, 1});
  Tensor seen = sample_bilinear(image, places_of({0, 0,      // a pixel's centre
                                                  1, 2,      // another
                                                  0.5, 0,    // half-way down: (0 + 10) / 2
                                                  0, 1.25,   // a quarter of the way from 1 to 2
                                                  0.5, 1.5,  // between four: (1 + 2 + 11 + 12) / 4
                                                  -3, 0.5,   // above the image: its first row
                                                  9, 9}));   // beyond the last pixel
  expect_near(values(seen), {0, 12, 5, 1.25, 6.5, 0.5, 12});
}

TEST(SampleBilinear, GradientIsItsTranspose) {
  // <S x, y> = <x, S' y> for the linear map S, and S' y is the gradient of the left side.
  Tensor x = random({2, 5, 4, 3}, 1), y = random({2, 3, 3, 3}, 2);
  Generator generator(3);
  Tensor places = rand({3, 3, 2}, -1, 5, DType::f64, &generator);
  x.set_requires_grad();
  Tensor product = sum(sample_bilinear(x, places) * y);
  EXPECT_NEAR(sum(grad(product, x) * x).item(), product.item(), 1e-12);
  // And the transpose has a gradient too: of <S' y, x> with respect to y, S x.
  y.set_requires_grad();
  Tensor turned = grad(sum(sample_bilinear(x, places) * y), x, {.create_graph = true});
  Tensor read = grad(sum(turned * x.detach()), y);
  EXPECT_LT(largest_difference(read, sample_bilinear(x.detach(), places)), 1e-12);
}

TEST(Transformed, NothingToDoIsTheImage) {
  Tensor x = random({1, 6, 6, 2}, 4);
  Generator generator(1);
  EXPECT_EQ(largest_difference(transformed(x, {}, generator), x), 0);
}

TEST(Transformed, TurnsAndScalesAboutTheCentre) {
  // The centre pixel stays where it is under any turn and scale, and a plane a + b r + c s, which
  // bilinear sampling reads exactly, turns into a plane: its mean over the interior stays.
  std::vector<double> ramp;
  for (int r = 0; r < 9; ++r) {
    for (int s = 0; s < 9; ++s) ramp.push_back(2 + 0.3 * r - 0.1 * s);
  }
  Tensor image = from_vector(ramp, {1, 9, 9, 1});
  for (uint64_t seed = 0; seed < 5; ++seed) {
    Generator generator(seed);
    Tensor seen = transformed(image, {.scale = 0.2, .rotation = 20}, generator);
    EXPECT_GT(largest_difference(seen, image), 0.01);
    EXPECT_NEAR(seen.select(1, 4).select(1, 4).item(), image.select(1, 4).select(1, 4).item(),
                1e-12);
    Tensor middle = seen.slice(1, 3, 6).slice(2, 3, 6);
    EXPECT_NEAR(mean(middle).item(), 2 + 0.3 * 4 - 0.1 * 4, 1e-12);
  }
}

TEST(Transformed, IsDeterminedByTheSeed) {
  Tensor x = random({1, 8, 8, 3}, 5);
  Transform change{.jitter = 3, .scale = 0.1, .rotation = 10};
  auto draw = [&](uint64_t seed) {
    Generator generator(seed);
    return transformed(x, change, generator);
  };
  EXPECT_EQ(largest_difference(draw(7), draw(7)), 0);
  EXPECT_GT(largest_difference(draw(7), draw(8)), 0.1);
}

TEST(SampleBilinear, RefusesWhatIsNoPlace) {
  EXPECT_FAILS(sample_bilinear(random({1, 4, 4, 1}, 1), random({4, 4, 3}, 1)),
               R"(places f64\[4,4,3\] must be .*\[H', W', 2\])");
}

}  // namespace
}  // namespace strata::introspect
