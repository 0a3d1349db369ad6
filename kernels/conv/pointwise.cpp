// A convolution of one pixel with stride 1 is a matrix product, and the ladder of products is
// higher than that of convolutions: the pixels are its rows, nothing has to be gathered.
//
//   forward          [P, C] [O, C]^T       P = N H W pixels
//   input gradient   [P, O] [O, C]
//   weight gradient  [P, O]^T [P, C]
//
// Bias, and either ReLU or a residual, are the product's epilogue. What it does not take (a
// residual under a ReLU, norms in front or behind) goes to the rungs that gather.
#include "kernels/conv/rung.h"
#include "kernels/gemm/gemm.h"
#include "kernels/gpu/tf32.h"

namespace strata::gpu::conv {
namespace {

bool supports(const Problem& problem) {
  const ConvShape& k = problem.shape;
  const ConvNorm& norm = problem.norm;
  return !has_zero(k) && k.groups == 1 && k.R == 1 && k.S == 1 && k.P == k.H && k.Q == k.W &&
         k.stride_h == 1 && k.stride_w == 1 && k.top == 0 && k.left == 0 &&
         !normalises_input(norm) && !norm.scale && !norm.sums &&
         !(problem.relu && problem.residual);
}

void run(const Problem& problem) {
  const ConvShape& k = problem.shape;
  GemmArguments g;
  g.dtype = k.dtype;
  g.allow_tf32 = tf32_allowed();
  g.c = problem.out;
  const int64_t pixels = k.N * k.H * k.W;
  switch (problem.pass) {
    case Pass::forward:
      g.M = pixels, g.N = k.O, g.K = k.C;
      g.a = problem.x, g.a_row = k.C, g.a_column = 1;
      g.b = problem.weight, g.b_row = 1, g.b_column = k.C;
      g.epilogue.bias = problem.bias;
      g.epilogue.residual = problem.residual;
      g.epilogue.activation = problem.relu ? Activation::relu : Activation::none;
      break;
    case Pass::input_gradient:
      g.M = pixels, g.N = k.C, g.K = k.O;
      g.a = problem.gradient, g.a_row = k.O, g.a_column = 1;
      g.b = problem.weight, g.b_row = k.C, g.b_column = 1;
      break;
    case Pass::weight_gradient:
      g.M = k.O, g.N = k.C, g.K = pixels;
      g.a = problem.gradient, g.a_row = 1, g.a_column = k.O;
      g.b = problem.x, g.b_row = k.C, g.b_column = 1;
      break;
  }
  gemm(g);
}

}  // namespace

const ConvRung pointwise = {"pointwise", "one pixel, stride 1: a matrix product", supports, run};

}  // namespace strata::gpu::conv
