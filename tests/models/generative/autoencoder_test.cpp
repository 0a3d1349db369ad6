// Autoencoders against closed forms: the linear one finds the principal subspace, the penalties are
// what they are defined as, the contractive one by the Jacobian that autograd computes.
#include "models/generative/autoencoder.h"

#include <cmath>

#include "engine/nn/init.h"
#include "engine/optim.h"
#include "tests/models/model_checks.h"

namespace strata::test {
namespace {

AutoencoderOptions small(CodePenalty penalty, bool tied = false) {
  AutoencoderOptions options;
  options.inputs = 6;
  options.code = 4;
  options.tied = tied;
  options.penalty = penalty;
  options.weight = 0.3;
  options.target = 0.2;
  return options;
}

TEST(Autoencoder, CountsGradientsStagesState) {
  EXPECT_EQ(autoencoder_parameter_count({}), 201'616);
  AutoencoderOptions tied;
  tied.tied = true;
  EXPECT_EQ(autoencoder_parameter_count(tied), 101'264);
  for (bool is_tied : {false, true}) {
    manual_seed(1);
    const AutoencoderOptions options = small(CodePenalty::none, is_tied);
    Autoencoder tiny(options);
    EXPECT_EQ(tiny.parameter_count(), autoencoder_parameter_count(options));
    expect_gradients(tiny, random({3, 2, 3, 1}, 2));
    expect_stages(tiny, random({3, 6}, 2), {"code", "reconstruction"});
    expect_state_goes_round([&] { return std::make_unique<Autoencoder>(options); },
                            random({2, 6}, 3).to(DType::f32));
  }
}

// With the code linear and no penalty, training ends in the span of the leading eigenvectors of the
// covariance, and the error left is the sum of the other eigenvalues (Baldi and Hornik 1989). Here
// the data are made of eigenvectors (the rows of `axes`) with the lengths given.
TEST(Autoencoder, LinearFindsThePrincipalSubspace) {
  manual_seed(4);
  AutoencoderOptions options = small(CodePenalty::none);
  options.linear = true;
  options.code = 2;
  Autoencoder net(options);
  net.to(DType::f64);
  Tensor axes = empty({6, 6}, DType::f64), places = empty({100, 6}, DType::f64);
  init::orthogonal_(axes);
  init::orthogonal_(places);
  const Tensor half = matmul(places * vector_of({30, 20, 10, 5, 3, 2}), axes);
  const Tensor x = concatenate({half, -half});
  const double left = 2 * (100 + 25 + 9 + 4) / 200.0;

  Adam optimizer(net.named_parameters(), AdamOptions{.learning_rate = 0.05});
  Scheduler scheduler(optimizer, cosine(1000));
  for (int step = 0; step < 1000; ++step) {
    optimizer.zero_grad();
    net.loss(x).backward();
    optimizer.step();
    scheduler.step();
  }
  NoGrad off;
  EXPECT_NEAR(net.loss(x).item(), left, 1e-4 * left);
  const Tensor decoded = net.decode(eye(2, DType::f64)) - net.decode(zeros({2, 2}, DType::f64));
  const Tensor outside = matmul(decoded, axes.slice(0, 2, 6).transpose(0, 1));
  EXPECT_LT(norm(outside).item(), 0.01 * norm(decoded).item());
}

// |dh/dx|^2 summed over units, each row of the Jacobian a gradient.
TEST(Autoencoder, ContractivePenaltyIsTheJacobiansNorm) {
  for (bool linear : {false, true}) {
    manual_seed(7);
    AutoencoderOptions options = small(CodePenalty::contractive);
    options.linear = linear;
    Autoencoder net(options);
    net.to(DType::f64);
    const Tensor x = random({3, 6}, 8).set_requires_grad();
    const Tensor code = net.encode(x);
    double want = 0;
    BackwardOptions keep;
    keep.retain_graph = true;
    for (int64_t j = 0; j < 4; ++j)
      want += sum(square(grad(sum(code.select(1, j)), x, keep))).item() / 3;
    EXPECT_NEAR(net.penalty(code).item(), want, 1e-12 * want);
  }
}

TEST(Autoencoder, PenaltiesAreTheirFormulas) {
  const Tensor code = from_vector<double>({0.1, 0.4, 0.9, 0.2, 0.3, 0.6, 0.5, 0.2}, {2, 4});
  Autoencoder l1(small(CodePenalty::l1)), kl(small(CodePenalty::kl));
  EXPECT_NEAR(l1.penalty(code).item(), 3.2 / 2, 1e-12);
  double want = 0;
  for (double active : {0.2, 0.5, 0.7, 0.2})
    want += 0.2 * std::log(0.2 / active) + 0.8 * std::log(0.8 / (1 - active));
  EXPECT_NEAR(kl.penalty(code).item(), want, 1e-12);
  // The loss adds them by their weight.
  const Tensor x = random({5, 6}, 9).to(DType::f32);
  const double error = sum(square(l1(x) - x)).item() / 5;
  EXPECT_NEAR(l1.loss(x).item(), error + 0.3 * l1.penalty(l1.encode(x)).item(), 1e-5 * error);
}

// Corruption is for training only, hides the share it says, and the whole input is to be told.
TEST(Autoencoder, DenoisingHidesAPartInTraining) {
  manual_seed(3);
  AutoencoderOptions options = small(CodePenalty::none);
  options.inputs = options.code = 2000;
  options.linear = true;
  options.corruption = 0.25;
  Autoencoder net(options);
  NoGrad off;
  for (auto& [name, tensor] : net.named_parameters()) {  // the identity
    init::zeros_(tensor);
    if (tensor.rank() == 2) copy_(tensor, eye(2000));
  }
  const Tensor x = ones({2, 2000});
  EXPECT_NEAR(net.loss(x).item(), 0.25 * 2000, 60);  // what was hidden is missing
  net.eval();
  EXPECT_EQ(net.loss(x).item(), 0);
}

TEST(Autoencoder, SaysWhatDoesNotFit) {
  Autoencoder net(small(CodePenalty::none));
  EXPECT_FAILS(net(zeros({2, 7})), "6 numbers an example; got f32\\[2,7\\]");
  AutoencoderOptions wrong = small(CodePenalty::kl);
  wrong.linear = true;
  EXPECT_FAILS(Autoencoder{wrong}, "kl penalty wants codes");
  wrong = small(CodePenalty::none);
  wrong.corruption = 1;
  EXPECT_FAILS(Autoencoder{wrong}, "share in \\[0, 1\\); got 1");
}

}  // namespace
}  // namespace strata::test
