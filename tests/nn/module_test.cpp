// Modules: names, state, types; and layers: hooks, named activations, errors with a path.
#include "engine/autograd/autograd.h"
#include "engine/nn.h"
#include "engine/ops/create.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/reduce.h"
#include "tests/support/expect.h"

namespace strata::test {
namespace {

using Names = std::vector<std::string>;

struct Block : Layer {
  Linear& fc = add<Linear>("fc", 3, 3);
  ReLU& relu = add<ReLU>("relu");
  Tensor forward(const Tensor& x) override { return named("sum", x + relu(fc(x))); }
};

struct Net : Layer {
  Tensor scale = add_parameter("scale", ones({1}));
  Sequential& layer3 = add<Sequential>("layer3");
  BatchNorm& norm = add<BatchNorm>("norm", 3);
  Linear& head = add<Linear>("head", 3, 2, false);
  Net() {
    layer3.push<Block>();
    layer3.push<Block>("last");
  }
  Tensor forward(const Tensor& x) override { return head(norm(layer3(x * scale))); }
};

Names names_of(const std::vector<NamedTensor>& tensors) {
  Names names;
  for (auto& [name, tensor] : tensors) names.push_back(name);
  return names;
}

Tensor input() { return from_vector(std::vector<float>{1, -2, 3, 0.5f, 1, -1}, {2, 3}); }

TEST(Module, NamesAreDottedFromTheRootInOrderOfDeclaration) {
  Net net;
  EXPECT_EQ(names_of(net.named_parameters()),
            (Names{"scale", "layer3.0.fc.weight", "layer3.0.fc.bias", "layer3.last.fc.weight",
                   "layer3.last.fc.bias", "norm.weight", "norm.bias", "head.weight"}));
  EXPECT_EQ(names_of(net.named_buffers()), (Names{"norm.running_mean", "norm.running_var"}));
  EXPECT_EQ(net.parameter_count(), 1 + 2 * 12 + 6 + 6);
  EXPECT_EQ(net.layer3[1].path(), "layer3.last");
  EXPECT_EQ(net.find("layer3.0.fc").path(), "layer3.0.fc");
  EXPECT_EQ(net.find("layer3.0.fc").kind(), "Linear(3 -> 3)");
  EXPECT_FAILS(net.find("layer4"), "no module 'layer4' below Layer; there are layer3, layer3.0");
  EXPECT_NE(to_string(net).find("      fc: Linear(3 -> 3), 12 parameters"), std::string::npos)
      << to_string(net);
}

TEST(Module, NamesAreUsedOnce) {
  struct Twice : Module {
    Twice() {
      add<Linear>("a", 1, 1);
      add_parameter("a", ones({1}));
    }
  };
  struct Dotted : Module {
    Dotted() { add_buffer("a.b", ones({1})); }
  };
  EXPECT_FAILS(Twice(), "'a' cannot be a name");
  EXPECT_FAILS(Dotted(), "'a.b' cannot be a name");
}

TEST(Module, ATiedParameterIsListedOnce) {
  struct Tied : Module {
    Linear& first = add<Linear>("first", 2, 2, false);
    Tensor second = add_parameter("second", first.weight);
  } tied;
  EXPECT_EQ(tied.parameter_count(), 4);
  EXPECT_EQ(names_of(tied.named_parameters()), (Names{"second"}));
}

TEST(Module, StateGoesRound) {
  Net a, b;
  EXPECT_NE(values(a.head.weight), values(b.head.weight));
  LoadReport report = b.load_state_dict(a.state_dict());
  EXPECT_TRUE(report.missing.empty() && report.unexpected.empty());
  a.eval(), b.eval();
  EXPECT_EQ(values(a(input())), values(b(input())));
  EXPECT_EQ(b.state_dict().size(), 10u);
}

TEST(Module, AStateThatDoesNotFitIsRefusedWhole) {
  Net a, b;
  StateDict state = a.state_dict();
  state.erase("scale");
  state["extra"] = ones({2});
  auto before = values(b.head.weight);
  EXPECT_FAILS(b.load_state_dict(state),
               "'scale' \\(f32\\[1\\]\\) is missing, 'extra' \\(f32\\[2\\]\\) is unknown here");
  EXPECT_EQ(values(b.head.weight), before);
  LoadReport report = b.load_state_dict(state, false);
  EXPECT_EQ(report.missing, Names{"scale"});
  EXPECT_EQ(report.unexpected, Names{"extra"});
  EXPECT_EQ(values(b.head.weight), values(a.head.weight));
  state["head.weight"] = ones({3, 3});
  EXPECT_FAILS(b.load_state_dict(state, false), "'head.weight' is f32\\[3,3\\], here f32\\[2,3\\]");
}

TEST(Module, ConvertsEveryHandleInPlace) {
  Net net;
  Tensor weight = net.head.weight;
  auto before = values(weight);
  sum(net(input())).backward();
  net.to(DType::f64);
  EXPECT_EQ(weight.dtype(), DType::f64);
  EXPECT_EQ(values(weight), before);
  EXPECT_TRUE(weight.requires_grad() && weight.is_leaf());
  EXPECT_FALSE(weight.grad().defined());
  EXPECT_EQ(net.norm.running_mean.dtype(), DType::f32);
  EXPECT_EQ(net(input().to(DType::f64)).dtype(), DType::f64);
  EXPECT_FAILS(net.to(DType::i32), "cannot become i32");
}

TEST(Module, ModesAndGradientsReachTheWholeTree) {
  Net net;
  EXPECT_TRUE(net.layer3[0].training());
  net.eval();
  EXPECT_FALSE(net.norm.training());
  net.train();
  sum(net(input())).backward();
  EXPECT_TRUE(net.head.weight.grad().defined());
  net.zero_grad();
  EXPECT_FALSE(net.head.weight.grad().defined());
  net.set_trainable(false);
  EXPECT_FALSE(net(input()).requires_grad());
}

TEST(Layer, ActivationsAreShownWithTheirWholePath) {
  Net net;
  EXPECT_EQ(
      named_activations(net, input()),
      (Names{"layer3.0.fc", "layer3.0.relu", "layer3.0.sum", "layer3.0", "layer3.last.fc",
             "layer3.last.relu", "layer3.last.sum", "layer3.last", "layer3", "norm", "head"}));
}

TEST(Layer, ALayerUsedTwiceShowsTwice) {
  struct Again : Layer {
    ReLU& relu = add<ReLU>("relu");
    Tensor forward(const Tensor& x) override { return relu(relu(x) - 1.0); }
  } net;
  int count = 0;
  ActivationObserver observer([&](const std::string& name, const Tensor&) {
    count += name == "relu";
    return Tensor();
  });
  net(input());
  EXPECT_EQ(count, 2);
}

TEST(Layer, AnObserverMayPutAnotherActivationInPlace) {
  Net net;
  net.eval();
  Tensor patch = zeros({2, 3}).set_requires_grad();
  Tensor out;
  {
    ActivationObserver observer([&](const std::string& name, const Tensor&) {
      return name == "layer3.last" ? patch : Tensor();
    });
    out = net(input());
  }
  expect_near(values(out), values(net.head(net.norm(zeros({2, 3})))), 1e-6);
  sum(out).backward();
  EXPECT_TRUE(patch.grad().defined());
  EXPECT_FALSE(net.scale.grad().defined()) << "what is before the patch has no part in it";
}

TEST(Layer, HooksSeeAndReplace) {
  Net net;
  Names seen;
  int first =
      net.head.register_forward_hook([&](Layer& layer, const Tensor& in, const Tensor& out) {
        seen.push_back(layer.path() + " " + describe(in) + " " + describe(out));
        return Tensor();
      });
  int second = net.head.register_forward_hook(
      [](Layer&, const Tensor&, const Tensor& out) { return out * 0.0; });
  expect_near(values(net(input())), {0, 0, 0, 0});
  EXPECT_EQ(seen, Names{"head f32[2,3] f32[2,2]"});
  net.head.remove_forward_hook(first);
  net.head.remove_forward_hook(second);
  EXPECT_NE(values(net(input())), (std::vector<double>{0, 0, 0, 0}));
  EXPECT_EQ(seen.size(), 1u);
}

TEST(Layer, ErrorsSayWhichLayer) {
  Net net;
  EXPECT_FAILS(net(ones({2, 3}).slice(1, 0, 2).contiguous()),
               "^\\[linear\\].*, in Linear\\(3 -> 3\\) 'layer3.0.fc'$");
}

}  // namespace
}  // namespace strata::test
