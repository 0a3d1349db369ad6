// The two hooks everything observable goes through.
#include "engine/event.h"

#include <gtest/gtest.h>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tests/support/expect.h"

namespace strata {
namespace {

using test::expect_near;
using test::leaf;
using test::values;
using test::vector_of;

TEST(OpObserver, SeesOpsInOrderWithTheirLines) {
  std::vector<std::string> seen;
  Tensor x = leaf({1, 2});
  exp(x);
  {
    OpObserver observer([&](const OpEvent& e) {
      seen.push_back(fmt::format("{} {} {}", e.op, describe(e.out), to_string(e.at)));
    });
    EXPECT_TRUE(OpObserver::active());
    exp(x * x);
    NoGrad off;
    sum(x);
  }
  exp(x);
  EXPECT_FALSE(OpObserver::active());
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[0].rfind("mul f64[2] event_test.cpp:", 0), 0u) << seen[0];
  EXPECT_EQ(seen[1].rfind("exp f64[2] event_test.cpp:", 0), 0u) << seen[1];
  EXPECT_EQ(seen[2].rfind("sum f64[] event_test.cpp:", 0), 0u) << seen[2];
}

TEST(OpObserver, NestsNewestFirst) {
  std::string order;
  Tensor x = vector_of({1});
  OpObserver outer([&](const OpEvent&) { order += "o"; });
  {
    OpObserver inner([&](const OpEvent&) { order += "i"; });
    exp(x);
  }
  exp(x);
  EXPECT_EQ(order, "ioo");
}

TEST(OpObserver, MayUseOpsItself) {
  int calls = 0;
  double total = 0;
  Tensor x = vector_of({1, 2});
  OpObserver observer([&](const OpEvent& e) {
    ++calls;
    total = sum(e.out * 1.0).item();
  });
  x + x;
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(total, 6);
  x + x;
  EXPECT_EQ(calls, 2);
}

TEST(OpObserver, AnErrorInACallbackLeavesItWorking) {
  int calls = 0;
  Tensor x = vector_of({1});
  OpObserver observer([&](const OpEvent&) {
    if (++calls == 1) throw Error("stop here");
  });
  EXPECT_FAILS(x + x, "stop here");
  x + x;
  EXPECT_EQ(calls, 2);
}

// A network of two named activations, as modules emit them.
Tensor network(const Tensor& x) {
  Tensor h = x * 2.0;
  if (ActivationObserver::active()) h = ActivationObserver::emit("hidden", h);
  Tensor y = h * h;
  if (ActivationObserver::active()) y = ActivationObserver::emit("out", y);
  return y;
}

TEST(ActivationObserver, CapturesByName) {
  std::vector<std::string> names;
  Tensor captured;
  ActivationObserver observer([&](const std::string& name, const Tensor& value) {
    names.push_back(name);
    if (name == "hidden") captured = value;
    return Tensor();
  });
  Tensor x = leaf({1, 3});
  Tensor y = network(x);
  EXPECT_EQ(names, (std::vector<std::string>{"hidden", "out"}));
  expect_near(values(captured), {2, 6});
  // Gradients of the output with respect to what was captured, as Grad-CAM needs.
  expect_near(values(grad(sum(y), captured)), {4, 12});
}

TEST(ActivationObserver, ReplacesWithGradients) {
  Tensor x = leaf({1, 3}), patch = leaf({5, 7});
  {
    ActivationObserver edit([&](const std::string& name, const Tensor& value) {
      return name == "hidden" ? value * 10.0 : Tensor();
    });
    Tensor y = network(x);
    expect_near(values(y), {400, 3600});
    expect_near(values(grad(sum(y), x)), {800, 2400});  // 2 h dh/dx = 2 (20 x) 20
  }
  ActivationObserver ablate(
      [&](const std::string& name, const Tensor&) { return name == "hidden" ? patch : Tensor(); });
  Tensor y = network(x);
  expect_near(values(grad(sum(y), patch)), {10, 14});
  EXPECT_FALSE(grad({sum(network(x))}, {x, patch}, {}, {.allow_unused = true})[0].defined());
}

TEST(ActivationObserver, OlderOnesSeeTheReplacement) {
  std::vector<double> seen;
  ActivationObserver capture([&](const std::string& name, const Tensor& value) {
    if (name == "hidden") seen = values(value);
    return Tensor();
  });
  ActivationObserver edit([](const std::string& name, const Tensor& value) {
    return name == "hidden" ? value + 1.0 : Tensor();
  });
  network(vector_of({1}));
  EXPECT_EQ(seen, std::vector<double>{3});
}

TEST(ActivationObserver, MayRunTheNetworkItself) {
  int calls = 0;
  ActivationObserver observer([&](const std::string&, const Tensor&) {
    ++calls;
    network(vector_of({2}));  // would never end if it were observed
    return Tensor();
  });
  network(vector_of({1}));
  EXPECT_EQ(calls, 2);
}

TEST(OpObserver, SeesOperandsAndTheGraph) {
  Tensor x = leaf({1, 2}), y = vector_of({3, 4});
  std::vector<Tensor> inputs;
  Ref<Node> node;
  {
    OpObserver observer([&](const OpEvent& e) {
      inputs = e.inputs;
      node = e.out.node();
    });
    Tensor z = x * y;
    EXPECT_EQ(node.get(), z.node().get());
  }
  ASSERT_EQ(inputs.size(), 2u);
  EXPECT_EQ(inputs[0].get(), x.get());
  EXPECT_EQ(inputs[1].get(), y.get());
}

TEST(ActivationObserver, ThatListsNamesSeesOnlyThose) {
  std::vector<std::string> all, some;
  ActivationObserver everything([&](const std::string& name, const Tensor&) {
    all.push_back(name);
    return Tensor();
  });
  EXPECT_FALSE(ActivationObserver::asked("out"));
  ActivationObserver one(
      [&](const std::string& name, const Tensor&) {
        some.push_back(name);
        return Tensor();
      },
      {"out"});
  network(vector_of({1}));
  EXPECT_EQ(all, (std::vector<std::string>{"hidden", "out"}));
  EXPECT_EQ(some, std::vector<std::string>{"out"});
  EXPECT_TRUE(ActivationObserver::asked("out"));
  EXPECT_FALSE(ActivationObserver::asked("hidden"));
}

}  // namespace
}  // namespace strata
