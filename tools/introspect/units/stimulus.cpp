#include "tools/introspect/units/stimulus.h"

#include <algorithm>
#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "engine/optim.h"
#include "tools/introspect/units/redirected.h"

namespace strata::introspect {
namespace {

// |x|_2 of each image, [N, 1, 1, 1].
Tensor length(const Tensor& x) { return norm(x, {1, 2, 3}, true) + 1e-30; }

// A step of `rate` radii in the steepest direction of the ball's norm, then back into the ball
// (projected ascent). On a linear function the l2 ball's answer is approached by a factor of
// 1 + rate each step.
void step_in_ball(const Tensor& x, const Tensor& gradient, const StimulusOptions& o) {
  NoGrad off;
  if (o.range == Range::max_ball) {
    copy_(x, clamp(x + sign(gradient) * (o.learning_rate * o.radius), -o.radius, o.radius));
    return;
  }
  Tensor next = x + gradient / length(gradient) * (o.learning_rate * o.radius);
  copy_(x, next * minimum(ones({1}, x.dtype()), o.radius / length(next)));
}

// The image a set of numbers stands for, as shown and as the model sees it.
struct Canvas {
  Canvas(const StimulusSpace& space, const StimulusOptions& options)
      : space(space),
        ball(options.range != Range::pixels),
        painter(space, ball ? Basis::pixels : options.basis, options.decay, options.dtype) {}
  Tensor image(const Tensor& numbers) const { return ball ? numbers : painter.paint(numbers); }
  Tensor input(const Tensor& image) const { return ball ? image : normalised(image, space); }
  Tensor numbers_of(const Tensor& image) const {
    return ball ? image.to(painter.dtype()).clone() : painter.coefficients_of(image);
  }

  const StimulusSpace& space;
  bool ball;
  Painter painter;
};

Tensor starting_numbers(const Canvas& canvas, int64_t count, const StimulusOptions& options,
                        const Tensor& start, Generator& generator) {
  const StimulusSpace& space = canvas.space;
  Dims shape{count, space.height, space.width, space.channels};
  if (!start.defined()) return randn(shape, 0, 0.1, options.dtype, &generator);
  if (start.shape() != shape) {
    fail("optimal_stimuli", Caller{}, "the start {} does not have the shape [{},{},{},{}]",
         describe(start), count, space.height, space.width, space.channels);
  }
  return canvas.numbers_of(start.detach());
}

// The sum of the images' values less what they pay for total variation. Every image climbs at its
// own scale, since Adam divides by the size of its gradients; the price follows the values' scale.
Tensor paid(const Tensor& value, const Tensor& image, const StimulusOptions& options) {
  Tensor objective = sum(value);
  if (options.total_variation == 0) return objective;
  double size = std::max(1.0, sum(abs(value)).item() / static_cast<double>(image.size(0)));
  return objective - sum(total_variation(image)) * (options.total_variation * size);
}

Tensor redirected_gradient(const std::function<Tensor()>& objective, const Tensor& numbers) {
  Tensor top;
  Tape tape([&] { top = objective(); });
  Tensor found = propagate(tape, top, ones_like(top), {numbers}, redirected_relu())[0];
  return found.defined() ? found : zeros_like(numbers);
}

}  // namespace

Tensor total_variation(const Tensor& images) {
  int64_t h = images.size(1), w = images.size(2);
  Tensor variation = zeros({images.size(0)}, images.dtype());
  if (h > 1) {
    Tensor down = abs(images.slice(1, 1, h) - images.slice(1, 0, h - 1));
    variation = variation + mean(down, {1, 2, 3});
  }
  if (w > 1) {
    Tensor across = abs(images.slice(2, 1, w) - images.slice(2, 0, w - 1));
    variation = variation + mean(across, {1, 2, 3});
  }
  return variation;
}

Stimulus optimal_stimuli(const Response& response, const StimulusSpace& space, int64_t count,
                         const StimulusOptions& options, const Tensor& start) {
  EnableGrad on;
  Canvas canvas(space, options);
  Generator generator(options.seed);
  Tensor numbers = starting_numbers(canvas, count, options, start, generator).detach();
  numbers.set_requires_grad();
  Transform change{options.jitter, options.scale, options.rotation};
  // The small epsilon keeps weak gradients, such as a unit's far from its threshold, as good as
  // strong ones.
  Adam adam(std::vector<Tensor>{numbers},
            {.learning_rate = options.learning_rate, .epsilon = 1e-12});
  bool silent = true;  // an image's value is 0: a closed ReLU
  for (int step = 0; step < options.steps; ++step) {
    auto objective = [&] {
      Tensor image = canvas.image(numbers);
      Tensor value = response(canvas.input(transformed(image, change, generator)));
      silent = min(abs(value.detach())).item() == 0;
      return paid(value, image, options);
    };
    bool redirected = options.redirected_steps > 0 && (step < options.redirected_steps || silent);
    Tensor gradient =
        redirected ? redirected_gradient(objective, numbers) : grad(objective(), numbers);
    if (canvas.ball) {
      step_in_ball(numbers, gradient, options);
      continue;
    }
    NoGrad off;
    numbers.set_grad(-gradient);
    adam.step();
    mul_(numbers, 1 - options.shrink);
  }
  NoGrad off;
  Stimulus result;
  result.images = canvas.image(numbers).detach();
  result.activation = response(canvas.input(result.images)).to_vector<double>();
  return result;
}

}  // namespace strata::introspect
