// Random tensors; the numbers themselves come from kernels/random.
#include "engine/ops/random.h"

#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops/create.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/elementwise_args.h"
#include "engine/ops/view.h"
#include "kernels/random/random.h"

namespace strata {
namespace {

// Reserves the words that `out` will use.
cpu::RandomArgs draw(const Tensor& out, Generator* generator, int64_t words_each) {
  Generator& source = generator ? *generator : default_generator();
  GeneratorState start = source.reserve(out.numel() * words_each);
  return {out.raw(), out.numel(), out.dtype(), start.seed, start.offset};
}

// bool, true with probability p: the same elements on each device.
Tensor random_mask(Device device, const Dims& shape, double p, Generator* generator, Caller at) {
  Tensor out = empty(shape, DType::boolean, device);
  on(device, "bernoulli", at, cpu::bernoulli, gpu::bernoulli, draw(out, generator, 1), p);
  return out;
}

void check_float(const char* op, DType dtype, Caller at) {
  if (is_float(dtype)) return;
  fail(op, at, "dtype {} has no fractions; use randint, or a floating type", name_of(dtype));
}
void check_probability(const char* op, double p, Caller at) {
  if (p >= 0 && p <= 1) return;
  fail(op, at, "p is {}, and a probability lies in [0, 1]", p);
}

// mask ? scale x : 0. Linear in x, so that its gradient is itself.
Tensor masked_scale(const Tensor& x, const Tensor& mask, double scale, Caller at) {
  Tensor out = empty(x.shape(), x.dtype(), x.device());
  auto args = elementwise_args(out, {&x, &mask}, compute_type(x.dtype()));
  args.parameter[0] = scale;
  on(x.device(), "dropout", at, cpu::binary, gpu::binary, Binary::masked_scale, args);
  return record(std::move(out), "dropout", at, {x}, {mask},
                [scale, at](const Tensor& g, const Saved& s) {
                  Tensor mask = s[0];
                  Tensor whole = g.shape() == mask.shape() ? g : g.expand(mask.shape());
                  return Gradients{masked_scale(whole, mask, scale, at)};
                });
}

}  // namespace

Generator& default_generator() {
  static thread_local Generator generator;
  return generator;
}

void manual_seed(uint64_t seed) { default_generator() = Generator(seed); }

Tensor rand(const Dims& shape, double low, double high, DType dtype, Generator* generator,
            Caller at) {
  check_float("rand", dtype, at);
  if (!(low < high) || std::isinf(high - low)) {
    fail("rand", at, "[{}, {}) is not an interval; low must be below high", low, high);
  }
  Tensor out = empty(shape, dtype);
  cpu::uniform(draw(out, generator, cpu::words_of(dtype)), low, high);
  return record(std::move(out), "rand", at);
}

Tensor randn(const Dims& shape, double mean, double deviation, DType dtype, Generator* generator,
             Caller at) {
  check_float("randn", dtype, at);
  if (!(deviation >= 0)) {
    fail("randn", at, "the standard deviation {} must not be negative", deviation);
  }
  Tensor out = empty(shape, dtype);
  cpu::normal(draw(out, generator, cpu::words_of(dtype)), mean, deviation);
  return record(std::move(out), "randn", at);
}

Tensor randint(int64_t low, int64_t high, const Dims& shape, DType dtype, Generator* generator,
               Caller at) {
  if (!is_integer(dtype)) {
    fail("randint", at, "dtype {} is not an integer type (i64, i32, u8)", name_of(dtype));
  }
  int64_t smallest = dtype == DType::i64 ? INT64_MIN : dtype == DType::i32 ? INT32_MIN : 0;
  int64_t largest = dtype == DType::i64 ? INT64_MAX : dtype == DType::i32 ? INT32_MAX : 255;
  if (low >= high || low < smallest || high - 1 > largest) {
    fail("randint", at, "[{}, {}) must be a range of {}: low below high, within [{}, {}]", low,
         high, name_of(dtype), smallest, largest);
  }
  Tensor out = empty(shape, dtype);
  cpu::integers(draw(out, generator, 2), low,
                static_cast<uint64_t>(high) - static_cast<uint64_t>(low));
  return record(std::move(out), "randint", at);
}

Tensor randperm(int64_t n, Generator* generator, Caller at) {
  if (n < 0) fail("randperm", at, "n is {}, and must not be negative", n);
  Tensor out = empty({n}, DType::i64);
  cpu::permutation(draw(out, generator, 2));
  return record(std::move(out), "randperm", at);
}

Tensor bernoulli(const Dims& shape, double p, Generator* generator, Caller at) {
  check_probability("bernoulli", p, at);
  return record(random_mask(Device::cpu, shape, p, generator, at), "bernoulli", at);
}

Tensor dropout(const Tensor& x, double p, bool training, Generator* generator, Caller at) {
  check_defined("dropout", {&x}, at);
  check_probability("dropout", p, at);
  if (!is_float(x.dtype())) {
    fail("dropout", at, "{} is not of a floating type; convert it with to(DType::f32)",
         describe(x));
  }
  if (!training || p == 0) return x;
  Tensor mask = record(random_mask(x.device(), x.shape(), 1 - p, generator, at), "bernoulli", at);
  return masked_scale(x, mask, p == 1 ? 0 : 1 / (1 - p), at);
}

Tensor multinomial(const Tensor& weights, Generator* generator, Caller at) {
  check_defined("multinomial", {&weights}, at);
  if (weights.rank() == 0 || weights.size(-1) == 0 || !is_float(weights.dtype())) {
    fail("multinomial", at, "{} must be a floating tensor [..., C] with at least one class",
         describe(weights));
  }
  Tensor rows = contiguous(weights.detach(), at);
  Dims shape = weights.shape();
  shape.resize(shape.rank() - 1);
  Tensor out = empty(shape, DType::i64, weights.device());
  int64_t bad = on(weights.device(), "multinomial", at, cpu::choice, gpu::choice,
                   draw(out, generator, 2), rows.raw(), rows.dtype(), weights.size(-1));
  if (bad >= 0) {
    fail("multinomial", at,
         "row {} of {} has a negative or NaN weight, or weights without a finite positive sum", bad,
         describe(weights));
  }
  return record(std::move(out), "multinomial", at);
}

}  // namespace strata
