// The tape as an object: very long ones, drawn ones, weighed ones.
#include <gtest/gtest.h>
#include <pthread.h>

#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "engine/tensor/allocator.h"
#include "tests/support/expect.h"

namespace strata {
namespace {

using test::expect_near;
using test::leaf;
using test::values;

constexpr int deep = 100000;

// Runs f on a thread with a stack of 64 KiB: recursion over a deep graph would end it.
template <class F>
void on_a_small_stack(F f) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, 256 << 10), 0);
  pthread_t thread;
  auto run = [](void* argument) -> void* {
    (*static_cast<F*>(argument))();
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, &attributes, run, &f), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

void walk_a_deep_graph() {
  Tensor x = leaf({1});
  {
    Tensor y = x;
    for (int i = 0; i < deep; ++i) y = y * 1.00001;
    backward(y);
    EXPECT_NEAR(x.grad().item(), std::pow(1.00001, deep), 1e-9);
    x.zero_grad();
    y = x;
    for (int i = 0; i < deep; ++i) y = y + x;  // every node reaches the leaf too
    EXPECT_EQ(grad(y, x, {.create_graph = true}).item(), deep + 1);
  }
  Tensor y = x;
  for (int i = 0; i < deep; ++i) y = y * x;  // destroyed without a pass, saved values and all
  EXPECT_EQ(saved_bytes(y).size(), 1u);
  EXPECT_GT(to_dot(y).size(), size_t{deep});
}

TEST(Tape, AHundredThousandNodesDeep) { walk_a_deep_graph(); }
TEST(Tape, AHundredThousandNodesDeepOnASmallStack) { on_a_small_stack(walk_a_deep_graph); }

// The graph of a gradient is as deep, and each of its nodes keeps a saved result.
TEST(Tape, DeepSecondDerivatives) {
  on_a_small_stack([] {
    Tensor x = leaf({0.5});
    Tensor y = x;
    for (int i = 0; i < 10000; ++i) y = y * x * 2.0;  // x^10001 2^10000
    Tensor g = grad(y, x, {.create_graph = true});
    EXPECT_NEAR(g.item(), 10001, 1e-6);
    EXPECT_NEAR(grad(g, x).item(), 2.0 * 10001 * 10000, 1e-2);
  });
}

TEST(Tape, AWideGraphIsCheapToRelease) {
  size_t before = memory::stats().active;
  {
    Tensor x = leaf({1});
    Tensor y = x * 2.0;
    std::vector<Tensor> branches;
    for (int i = 0; i < 10000; ++i) branches.push_back(y * x);
    Tensor total = concatenate(branches);
    backward(sum(total));
    EXPECT_EQ(x.grad().item(), 40000);
  }
  EXPECT_EQ(memory::stats().active, before);
}

// A model kept in static storage dies after the thread's own variables.
TEST(Tape, StaticTensorsMayOutliveTheThreadLocals) {
  static Tensor kept;
  Tensor x = leaf({1});
  kept = x * x * x;
  EXPECT_TRUE(kept.requires_grad());
}

TEST(Tape, DrawsItselfInDot) {
  Tensor x = leaf({1, 2, 3}), w = leaf({1, 1, 1});
  Tensor loss = sum(exp(x * w));
  std::string dot = to_dot(loss, {{"input \"x\"", x}, {"weight", w}});
  EXPECT_EQ(dot.rfind("digraph tape {", 0), 0u);
  EXPECT_EQ(dot.substr(dot.size() - 2), "}\n");
  // Each line is a setting, a node or an edge between declared nodes.
  std::regex node(R"re(  (n\d+) \[label="((?:[^"\\]|\\.)*)", shape=(box|ellipse)\];)re"),
      edge(R"(  (n\d+) -> (n\d+);)");
  std::map<std::string, std::string> labels;
  std::set<std::pair<std::string, std::string>> edges;
  std::istringstream lines(dot);
  std::smatch m;
  for (std::string line; std::getline(lines, line);) {
    if (std::regex_match(line, m, node)) {
      labels[m[1]] = m[2];
      EXPECT_EQ(m[3] == "box",
                std::string(m[2]).find("input") == 0 || std::string(m[2]).find("weight") == 0)
          << line;
    } else if (std::regex_match(line, m, edge)) {
      edges.insert({m[1], m[2]});
    } else {
      EXPECT_TRUE(line == "}" || line == "digraph tape {" || line == "  rankdir=BT;" ||
                  line.rfind("  node [", 0) == 0)
          << line;
    }
  }
  EXPECT_EQ(labels.size(), 5u);  // sum, exp, mul, x, weight
  EXPECT_EQ(edges.size(), 4u);
  for (auto& [from, to] : edges) EXPECT_TRUE(labels.count(from) && labels.count(to));
  bool drawn = false;
  for (auto& [id, label] : labels) drawn |= label.find(R"(exp\nf64[3]\nsaves 24 B)") == 0;
  EXPECT_TRUE(drawn) << dot;
}

TEST(Tape, WeighsWhatItSaved) {
  Tensor x = full({100}, 1, DType::f64).set_requires_grad();
  Tensor y = exp(x);
  auto bytes = saved_bytes(y * y);
  std::map<std::string, size_t> bill(bytes.begin(), bytes.end());
  size_t total = 0;
  for (auto& [op, b] : bill) total += b;
  EXPECT_EQ(total, 800u) << "exp saves its result and mul the same storage: counted once";
  EXPECT_TRUE(saved_bytes(full({3}, 1)).empty());
}

}  // namespace
}  // namespace strata
