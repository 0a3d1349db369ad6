// Recurrent layers compute what PyTorch's do, forward and backward, with padded sequences and first
// states; their parts fit together; what they show can be replaced.
#include "engine/nn/recurrent.h"

#include "engine/autograd/autograd.h"
#include "engine/io/npy.h"
#include "engine/ops.h"
#include "tests/support/expect.h"

namespace strata::test {
namespace {

Tensor random(const Dims& shape, uint64_t seed = 1) {
  Generator generator(seed);
  return randn(shape, 0, 1, DType::f64, &generator);
}

std::unique_ptr<Recurrent> make(const std::string& kind, const RecurrentOptions& options) {
  if (kind == "RNN") return std::make_unique<RNN>(4, 3, options);
  if (kind == "LSTM") return std::make_unique<LSTM>(4, 3, options);
  return std::make_unique<GRU>(4, 3, options);
}

class RecurrentLayers : public testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Recurrent> f64(const RecurrentOptions& options) const {
    manual_seed(1);
    auto layer = make(GetParam(), options);
    layer->to(DType::f64);
    return layer;
  }
};
INSTANTIATE_TEST_SUITE_P(All, RecurrentLayers, testing::Values("RNN", "LSTM", "GRU"),
                         [](const auto& info) { return info.param; });

// make_recurrent_fixtures.py: two layers, both directions, lengths 5, 2, 3, first states.
TEST_P(RecurrentLayers, AreThoseOfPyTorch) {
  StateDict all = io::load_npz(std::string(STRATA_SOURCE_DIR) + "/tests/nn/fixtures/recurrent.npz");
  auto of = [&](const std::string& name) {
    auto found = all.find(GetParam() + "/" + name);
    return found == all.end() ? Tensor() : found->second;
  };
  auto layer = f64({.layers = 2, .bidirectional = true});
  for (auto& [name, parameter] : layer->named_parameters()) {
    NoGrad off;
    ASSERT_EQ(parameter.shape(), of("weights/" + name).shape()) << name;
    copy_(parameter, of("weights/" + name));
  }
  Tensor x = of("x").clone().set_requires_grad();
  RecurrentResult result = (*layer)(x, {of("hidden"), of("cell")}, all.at("lengths"));
  expect_near(values(result.output), values(of("output")));
  expect_near(values(result.final.hidden), values(of("final_hidden")));
  EXPECT_EQ(result.final.cell.defined(), GetParam() == "LSTM");
  if (GetParam() == "LSTM") expect_near(values(result.final.cell), values(of("final_cell")));
  (sum(result.output * of("output_weight")) + sum(result.final.hidden * of("final_weight")))
      .backward();
  expect_near(values(x.grad()), values(of("gradient_x")), 1e-11);
  for (auto& [name, parameter] : layer->named_parameters()) {
    SCOPED_TRACE(name);
    expect_near(values(parameter.grad()), values(of("gradients/" + name)), 1e-11);
  }
}

// In pieces, each from the state that the one before left.
TEST_P(RecurrentLayers, GoOnFromTheirStates) {
  auto layer = f64({.layers = 2});
  Tensor x = random({2, 7, 4});
  RecurrentResult whole = (*layer)(x, RecurrentState{});
  EXPECT_EQ(values(whole.output), values((*layer)(x)));
  RecurrentResult first = (*layer)(x.slice(1, 0, 3), RecurrentState{});
  RecurrentResult second = (*layer)(x.slice(1, 3, 7), first.final);
  expect_near(values(concatenate({first.output, second.output}, 1)), values(whole.output));
  expect_near(values(second.final.hidden), values(whole.final.hidden));
}

// A padded sequence gives what it gives alone, in both directions, whatever the padding holds.
TEST_P(RecurrentLayers, DoNotSeePadding) {
  auto layer = f64({.layers = 2, .bidirectional = true});
  Tensor x = random({2, 6, 4}), other = random({2, 6, 4}, 2);
  Tensor lengths = from_vector(std::vector<int64_t>{4, 6}, {2});
  RecurrentResult padded = (*layer)(x, RecurrentState{}, lengths);
  RecurrentResult alone = (*layer)(x.slice(0, 0, 1).slice(1, 0, 4), RecurrentState{});
  expect_near(values(padded.output.slice(0, 0, 1).slice(1, 0, 4)), values(alone.output));
  expect_near(values(padded.final.hidden.slice(1, 0, 1)), values(alone.final.hidden));
  for (double v : values(padded.output.select(0, 0).slice(0, 4, 6))) EXPECT_EQ(v, 0);
  Tensor changed = x.clone();
  {
    NoGrad off;
    copy_(changed.slice(0, 0, 1).slice(1, 4, 6), other.slice(0, 0, 1).slice(1, 4, 6));
  }
  EXPECT_EQ(values((*layer)(changed, RecurrentState{}, lengths).output), values(padded.output));
}

// The reverse direction is the forward one on the turned sequence.
TEST_P(RecurrentLayers, ReverseIsForwardOnTheTurnedSequence) {
  auto both = f64({.bidirectional = true});
  auto one = f64({});
  for (const char* name : {"weight_ih", "weight_hh", "bias_ih", "bias_hh"}) {
    NoGrad off;
    StateDict to = one->state_dict(), from = both->state_dict();
    copy_(to.at(std::string("layer0.") + name), from.at(std::string("layer0_reverse.") + name));
  }
  Tensor x = random({2, 5, 4});
  EXPECT_EQ(values((*both)(x).slice(2, 3, 6)), values(flip((*one)(flip(x, {1})), {1})));
}

// First states that depend on what the gates depend on: the path of plain ops must not count their
// common part twice.
TEST_P(RecurrentLayers, HaveOneGradientOnBothPaths) {
  auto layer = f64({.layers = 2});
  Tensor x = random({2, 4, 4}).set_requires_grad(), weights = random({2, 4, 3}, 3);
  const auto loss = [&] {
    Tensor first = tanh(stack({x.slice(2, 0, 3).select(1, 0), x.slice(2, 1, 4).select(1, 1)}));
    return sum(square((*layer)(x, {.hidden = first, .cell = {}}).output) * weights);
  };
  const std::vector<double> fused = values(grad(loss(), x));
  expect_near(values(grad(loss(), x, {.create_graph = true})), fused);
  PlainOps plain;
  expect_near(values(grad(loss(), x)), fused);
}

TEST_P(RecurrentLayers, ShowTheirStatesByName) {
  auto layer = f64({.layers = 2, .bidirectional = true, .dropout = 0.5});
  layer->eval();
  Tensor x = random({2, 5, 4});
  EXPECT_EQ(named_activations(*layer, x),
            (std::vector<std::string>{"layer0", "layer0_reverse", "dropout", "layer1",
                                      "layer1_reverse"}));
  const std::vector<double> before = values((*layer)(x));
  Tensor cells;
  {
    ActivationObserver observer(
        [&](const std::string& name, const Tensor& value) {
          if (name == "layer1_reverse.cell") cells = value;
          return name == "layer0" ? value * 0.0 : Tensor();
        },
        {"layer0", "layer1_reverse.cell"});
    EXPECT_NE(values((*layer)(x)), before) << "the next layer reads what was put in place";
  }
  EXPECT_EQ(cells.defined(), GetParam() == "LSTM");
  if (cells.defined()) {
    EXPECT_EQ(cells.shape(), (Dims{2, 5, 3}));
  }
}

TEST_P(RecurrentLayers, DropsBetweenLayersInTrainingOnly) {
  auto layer = f64({.layers = 2, .dropout = 0.5});
  Tensor x = random({2, 5, 4});
  auto states_of_first = [&] {
    Tensor first;
    ActivationObserver observer([&](const std::string&, const Tensor& v) { return first = v; },
                                {"layer0"});
    Tensor out = (*layer)(x);
    return std::pair(values(first), values(out));
  };
  auto a = states_of_first(), b = states_of_first();
  EXPECT_EQ(a.first, b.first);
  EXPECT_NE(a.second, b.second);
  layer->eval();
  EXPECT_EQ(states_of_first().second, states_of_first().second);
}

TEST_P(RecurrentLayers, HaveThePublishedParameters) {
  const int64_t gates = GetParam() == "RNN" ? 1 : GetParam() == "GRU" ? 3 : 4;
  // PyTorch: G H (inputs + H + 2) a layer and direction.
  EXPECT_EQ(make(GetParam(), {})->parameter_count(), gates * 3 * (4 + 3 + 2));
  EXPECT_EQ(make(GetParam(), {.layers = 2, .bidirectional = true})->parameter_count(),
            2 * gates * 3 * (4 + 3 + 2) + 2 * gates * 3 * (6 + 3 + 2));
  EXPECT_EQ(make(GetParam(), {.bias = false})->parameter_count(), gates * 3 * (4 + 3));
}

TEST_P(RecurrentLayers, SayWhatIsWrong) {
  auto layer = make(GetParam(), {.layers = 2});
  EXPECT_EQ(layer->kind(), GetParam() + "(4 -> 3, 2 layers)");
  Tensor x = zeros({2, 5, 4});
  EXPECT_FAILS((*layer)(zeros({2, 5, 3})), R"(takes \[N, T, 4\].*got f32\[2,5,3\])");
  EXPECT_FAILS((*layer)(zeros({2, 0, 4})), "at least one step");
  EXPECT_FAILS((*layer)(x, {.hidden = zeros({1, 2, 3}), .cell = {}}), R"(expected \[2,2,3\])");
  auto lengths = [](std::vector<int64_t> l) {
    return from_vector(l, {static_cast<int64_t>(l.size())});
  };
  EXPECT_FAILS((*layer)(x, RecurrentState{}, lengths({1})), R"(lengths i64\[1\].*expected \[2\])");
  EXPECT_FAILS((*layer)(x, RecurrentState{}, lengths({0, 5})), "a length is 0.*1 to 5 steps");
  EXPECT_FAILS((*layer)(x, RecurrentState{}, lengths({5, 6})), "a length is 6");
  if (GetParam() != "LSTM") {
    EXPECT_FAILS((*layer)(x, {.hidden = {}, .cell = zeros({2, 2, 3})}), "no cell state");
  }
  EXPECT_FAILS(make(GetParam(), {.layers = 0}), "layers 0 must be positive");
}

}  // namespace
}  // namespace strata::test
