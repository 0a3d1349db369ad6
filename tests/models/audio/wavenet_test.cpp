// WaveNet: counts, causality, how far a step sees, one step at a time, gradients.
#include "models/audio/wavenet.h"

#include <gtest/gtest.h>

#include "models/audio/mu_law.h"
#include "tests/models/model_checks.h"

namespace strata::test {
namespace {

WaveNetOptions small(bool pooled = false) {
  return {.inputs = pooled ? 3 : 1,
          .classes = 5,
          .channels = 4,
          .skip = 6,
          .layers = 3,
          .repeats = 2,
          .pooled = pooled};
}

TEST(WaveNet, CountsItsParameters) {
  for (const WaveNetOptions& options :
       {small(), small(true), WaveNetOptions{.channels = 6, .skip = 7, .kernel = 3, .layers = 2}}) {
    EXPECT_EQ(WaveNet(options).parameter_count(), wavenet_parameter_count(options));
  }
  EXPECT_EQ(wavenet_parameter_count({}), 331'776);
}

// The gradient of the last step's logits reaches exactly the steps of the table.
TEST(WaveNet, SeesAsFarAsTheTableSays) {
  EXPECT_EQ(wavenet_receptive_field({.layers = 10, .repeats = 1}), 1025);
  EXPECT_EQ(wavenet_receptive_field({.layers = 10, .repeats = 3}), 3071);
  EXPECT_EQ(wavenet_receptive_field({.layers = 6, .repeats = 3}), 191);
  for (WaveNetOptions options :
       {small(),
        WaveNetOptions{.channels = 4, .skip = 4, .kernel = 3, .layers = 4, .repeats = 1}}) {
    options.classes = 5;
    manual_seed(3);
    WaveNet model(options);
    model.to(DType::f64);
    const int64_t field = wavenet_receptive_field(options), time = field + 6;
    Tensor x = random({1, time}, 4).set_requires_grad();
    sum(square(model(x).select(1, time - 1))).backward();
    auto gradient = values(x.grad());
    for (int64_t t = 0; t < time; ++t)
      EXPECT_EQ(gradient[static_cast<size_t>(t)] != 0, t >= time - field) << t << " of " << time;
  }
}

TEST(WaveNet, NothingFlowsBackInTime) {
  manual_seed(1);
  WaveNet model(small());
  Tensor x = random({2, 20}, 2).to(DType::f32), y = x.clone();
  y.data<float>()[12] += 1;
  Tensor a = model(x), b = model(y);
  EXPECT_EQ(values(a.slice(1, 0, 12)), values(b.slice(1, 0, 12)));
  EXPECT_NE(values(a.select(1, 12).select(0, 0)), values(b.select(1, 12).select(0, 0)));
}

TEST(WaveNet, StepsGiveWhatSequencesGive) {
  for (int64_t kernel : {2, 3}) {
    manual_seed(2);
    WaveNetOptions options = small();
    options.kernel = kernel;
    WaveNet model(options);
    model.to(DType::f64);
    NoGrad off;
    Tensor x = random({2, 40}, 7), whole = model(x);
    WaveNetStepper stepper(model);
    for (int64_t t = 0; t < 40; ++t)
      expect_near(values(stepper.step(x.slice(1, t, t + 1))), values(whole.select(1, t)), 1e-12);
  }
}

// At a low temperature the likeliest class is drawn, so the plain model can be asked for the same.
TEST(WaveNet, GeneratesWhatThePlainModelWould) {
  manual_seed(5);
  WaveNetOptions options = small();
  options.classes = 256;
  WaveNet model(options);
  Generator generator(1);
  Tensor start = random({2, 3}, 8).to(DType::f32) * 0.3;
  Tensor fast = wavenet_generate(model, start, 12, 1e-4, generator);
  EXPECT_EQ(fast.shape(), (Dims{2, 12}));
  NoGrad off;
  Tensor wave = start;
  for (int step = 0; step < 12; ++step) {
    Tensor last = model(wave).select(1, wave.size(1) - 1);
    wave = concatenate({wave, mu_law_decode(argmax(last, 1)).unsqueeze(1)}, 1);
  }
  EXPECT_EQ(values(fast), values(wave.slice(1, 3, 15)));
  // And it is the generator that decides at a high one.
  Generator again(1), other(2);
  generator = Generator(1);
  Tensor a = wavenet_generate(model, start, 12, 1, generator);
  EXPECT_EQ(values(a), values(wavenet_generate(model, start, 12, 1, again)));
  EXPECT_NE(values(a), values(wavenet_generate(model, start, 12, 1, other)));
}

TEST(WaveNet, GradientsAreThoseOfDifferences) {
  for (bool pooled : {false, true}) {
    manual_seed(1);
    WaveNet model(small(pooled));
    expect_gradients(model, pooled ? random({2, 9, 3}, 1) : random({2, 9}, 1));
  }
}

TEST(WaveNet, StagesAndState) {
  WaveNet model(small());
  expect_stages(model, random({1, 9}, 1).to(DType::f32),
                {"input", "blocks.0", "blocks.1", "blocks.2", "blocks.3", "blocks.4", "blocks.5",
                 "skips", "hidden", "head"});
  expect_state_goes_round([] { return std::make_unique<WaveNet>(small(true)); },
                          random({2, 9, 3}, 1).to(DType::f32));
}

TEST(WaveNet, SaysWhatItTakes) {
  WaveNet model(small()), classifier(small(true));
  EXPECT_FAILS(model(zeros({2, 9, 3})), R"(WaveNet.*takes \[N, T\] or \[N, T, 1\].*f32\[2,9,3\])");
  EXPECT_FAILS(classifier(zeros({2, 9})), R"(takes \[N, T, 3\])");
  EXPECT_FAILS(WaveNet({.layers = 0}), "1 to 30 layers");
  EXPECT_FAILS(WaveNetStepper{classifier}, "no next step");
  Generator generator(1);
  EXPECT_FAILS(wavenet_generate(model, zeros({1, 0}), 2, 1, generator), "T at least 1");
  EXPECT_FAILS(wavenet_generate(model, zeros({1, 1}), 2, 0, generator), "temperature is 0");
}

}  // namespace
}  // namespace strata::test
