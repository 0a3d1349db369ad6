#include "tools/introspect/representation/probe.h"

#include <algorithm>
#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "kernels/common/parallel.h"
#include "kernels/common/vec_math.h"

namespace strata::introspect {
namespace {

// Appends a column of ones, the bias.
Tensor with_ones(const Tensor& x) { return concatenate({x, ones({x.size(0), 1}, x.dtype())}, 1); }

double largest_eigenvalue(const Tensor& x) {
  Generator generator(7);
  Tensor v = randn({x.size(1), 1}, 0, 1, x.dtype(), &generator);
  double value = 0;
  for (int i = 0; i < 30; ++i) {
    v = matmul(x.transpose(0, 1), matmul(x, v)) / static_cast<double>(x.size(0));
    value = norm(v).item();
    if (value == 0) break;
    v = v / value;
  }
  return value;
}

int64_t total_classes(const std::vector<ProbeTask>& tasks) {
  int64_t total = 0;
  for (auto& task : tasks) total += task.classes;
  return total;
}

// Turns logits [n, K] into (softmax - one-hot) / n, task by task, and adds up each task's loss.
template <class T>
std::vector<double> residuals(const Tensor& logits, const std::vector<ProbeTask>& tasks,
                              bool validation) {
  int64_t n = logits.size(0), width = logits.size(1), first = 0;
  T* values = logits.data<T>();
  std::vector<double> losses;
  for (const ProbeTask& task : tasks) {
    const auto& labels = validation ? task.validation : task.train;
    std::vector<double> partial(static_cast<size_t>((n + 255) / 256), 0.0);
    parallel_chunks(n, 256, [&](int64_t chunk, int64_t begin, int64_t end) {
      double loss = 0;
      for (int64_t i = begin; i < end; ++i) {
        T* row = values + i * width + first;
        int64_t label = labels[static_cast<size_t>(i)];
        T top = *std::max_element(row, row + task.classes), own = row[label] - top, sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t k = 0; k < task.classes; ++k) {
          row[k] = math::exp(row[k] - top);
          sum += row[k];
        }
        loss += std::log(static_cast<double>(sum)) - static_cast<double>(own);
        T scale = 1 / (sum * static_cast<T>(n));
        for (int64_t k = 0; k < task.classes; ++k) row[k] *= scale;
        row[label] -= static_cast<T>(1) / static_cast<T>(n);
      }
      partial[static_cast<size_t>(chunk)] = loss;
    });
    double loss = 0;
    for (double p : partial) loss += p;
    losses.push_back(loss / static_cast<double>(n));
    first += task.classes;
  }
  return losses;
}

std::vector<double> residuals(const Tensor& logits, const std::vector<ProbeTask>& tasks,
                              bool validation) {
  return logits.dtype() == DType::f64 ? residuals<double>(logits, tasks, validation)
                                      : residuals<float>(logits, tasks, validation);
}

std::vector<double> accuracies(const Tensor& logits, const std::vector<ProbeTask>& tasks,
                               bool validation) {
  std::vector<double> result;
  int64_t first = 0;
  for (const ProbeTask& task : tasks) {
    const auto& labels = validation ? task.validation : task.train;
    auto answers = argmax(logits.slice(1, first, first + task.classes), 1).to_vector<int64_t>();
    int64_t right = 0;
    for (size_t i = 0; i < answers.size(); ++i) right += answers[i] == labels[i];
    result.push_back(static_cast<double>(right) /
                     std::max<double>(1, static_cast<double>(answers.size())));
    first += task.classes;
  }
  return result;
}

double chance_of(const ProbeTask& task) {
  std::vector<int64_t> counts(static_cast<size_t>(task.classes), 0);
  for (int64_t label : task.validation) ++counts[static_cast<size_t>(label)];
  double most = static_cast<double>(*std::max_element(counts.begin(), counts.end()));
  return task.validation.empty() ? 0 : most / static_cast<double>(task.validation.size());
}

void check(const Tensor& train, const Tensor& validation, const std::vector<ProbeTask>& tasks) {
  if (train.rank() != 2 || validation.rank() != 2 || train.size(1) != validation.size(1)) {
    fail("fit_probes", Caller{}, "features {} and {} must be [n, D] and [m, D]", describe(train),
         describe(validation));
  }
  for (const ProbeTask& task : tasks) {
    auto fits = [&](const std::vector<int64_t>& labels, int64_t rows) {
      return static_cast<int64_t>(labels.size()) == rows &&
             std::all_of(labels.begin(), labels.end(),
                         [&](int64_t y) { return y >= 0 && y < task.classes; });
    };
    if (!fits(task.train, train.size(0)) || !fits(task.validation, validation.size(0))) {
      fail("fit_probes", Caller{}, "the labels of '{}' must be {} and {} numbers from 0 to {}",
           task.name, train.size(0), validation.size(0), task.classes - 1);
    }
  }
}

// The l2 penalty's gradient: every row of w but the last, the bias.
Tensor penalty(const Tensor& w, double l2) {
  Tensor p = w * l2;
  fill_(p.slice(0, p.size(0) - 1, p.size(0)), 0);
  return p;
}

}  // namespace

std::vector<ProbeResult> fit_probes(const Tensor& train, const Tensor& validation,
                                    const std::vector<ProbeTask>& tasks,
                                    const ProbeOptions& options, const Tensor& start) {
  NoGrad off;
  check(train, validation, tasks);
  Tensor x = with_ones(train), transposed = x.transpose(0, 1);
  int64_t width = total_classes(tasks);
  double step = 1 / (0.5 * 1.02 * largest_eigenvalue(x) + options.l2);
  Tensor w = start.defined() ? start.clone() : zeros({x.size(1), width}, x.dtype());
  Tensor ahead = w;
  double momentum = 1, gradient_size = 0;
  int iteration = 0;
  while (true) {
    Tensor logits = matmul(x, ahead).contiguous();
    residuals(logits, tasks, false);
    Tensor gradient = matmul(transposed, logits) + penalty(ahead, options.l2);
    gradient_size = max(abs(gradient)).item();
    if (gradient_size < options.tolerance || iteration >= options.max_iterations) break;
    Tensor next = ahead - gradient * step;
    Tensor change = next - w;
    // Restart when the momentum points uphill.
    if (sum(gradient * change).item() > 0) momentum = 1;
    double following = (1 + std::sqrt(1 + 4 * momentum * momentum)) / 2;
    ahead = next + change * ((momentum - 1) / following);
    momentum = following;
    w = next;
    ++iteration;
  }
  w = ahead;
  Tensor train_logits = matmul(x, w).contiguous();
  auto train_accuracy = accuracies(train_logits, tasks, false);
  auto validation_accuracy = accuracies(matmul(with_ones(validation), w), tasks, true);
  auto losses = residuals(train_logits, tasks, false);
  std::vector<ProbeResult> results;
  int64_t first = 0;
  for (size_t t = 0; t < tasks.size(); ++t) {
    Tensor mine = w.slice(1, first, first + tasks[t].classes);
    results.push_back({tasks[t].name, train_accuracy[t], validation_accuracy[t], losses[t],
                       chance_of(tasks[t]), gradient_size, iteration,
                       mine.slice(0, 0, train.size(1)).contiguous(),
                       mine.select(0, train.size(1)).contiguous()});
    first += tasks[t].classes;
  }
  return results;
}

}  // namespace strata::introspect
