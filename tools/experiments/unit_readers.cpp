#include "tools/experiments/unit_readers.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/nn/attention.h"
#include "engine/nn/conv.h"
#include "engine/nn/norm.h"
#include "engine/nn/recurrent.h"
#include "engine/ops.h"
#include "engine/optim/clip.h"
#include "engine/optim/optimizer.h"
#include "engine/optim/schedule.h"

namespace strata::experiments {
namespace {

// What is shared: x is taken apart, the body makes a vector a unit, the head decides.
class UnitReader : public Layer {
 public:
  UnitReader(const UnitShape& shape, int64_t width, int64_t hidden)
      : shape_(shape),
        hidden_(add<Linear>("hidden", width, hidden)),
        head_(add<Linear>("head", hidden, shape.classes)) {}
  Tensor forward(const Tensor& x) override {
    const Tensor states = body(x.slice(2, 0, shape_.numbers),
                               x.slice(2, shape_.numbers, shape_.numbers + shape_.units));
    return head_(relu(hidden_(read(states))));
  }

 protected:
  virtual Tensor body(const Tensor& numbers, const Tensor& weights) = 0;
  virtual Tensor read(const Tensor& states) {
    return shape_.last ? states.select(1, -1) : mean(states, {1});
  }
  const UnitShape shape_;

 private:
  Linear &hidden_, &head_;
};

class MlpReader : public UnitReader {
 public:
  MlpReader(const UnitShape& s, int64_t width, int64_t hidden)
      : UnitReader(s, width, hidden), first_(add<Linear>("first", s.units * s.numbers, width)) {}
  std::string kind() const override { return "MlpReader"; }

 protected:
  Tensor body(const Tensor& x, const Tensor&) override {
    return relu(first_(x.contiguous().reshape({x.size(0), -1})));
  }
  Tensor read(const Tensor& states) override { return states; }

 private:
  Linear& first_;
};

// Normalised (without, it learns nothing in so few steps), and read by what each filter found at
// most, wherever it was.
class CnnReader : public UnitReader {
 public:
  CnnReader(const UnitShape& s, int64_t width, int64_t hidden)
      : UnitReader(s, width, hidden), side_(std::lround(std::sqrt(s.units))) {
    for (int i = 0; i < 3; ++i) {
      const std::string n = std::to_string(i);
      const int64_t inputs = i ? width : s.numbers;
      if (s.grid)
        layers_.push_back(&add<Conv2d>("conv" + n, inputs, width, 3, Conv2dOptions{.padding = 1}));
      else
        layers_.push_back(&add<Conv1d>("conv" + n, inputs, width, 3,
                                       Conv1dOptions{.padding_left = 1, .padding_right = 1}));
      norms_.push_back(&add<BatchNorm>("norm" + n, width));
    }
  }
  std::string kind() const override { return "CnnReader"; }

 protected:
  Tensor body(const Tensor& numbers, const Tensor&) override {
    Tensor x = numbers.contiguous();
    if (shape_.grid) x = x.reshape({x.size(0), side_, side_, x.size(2)});
    for (size_t i = 0; i < layers_.size(); ++i) x = relu((*norms_[i])((*layers_[i])(x)));
    return shape_.grid ? x.reshape({x.size(0), shape_.units, -1}) : x;
  }
  Tensor read(const Tensor& states) override {
    return shape_.last ? states.select(1, -1) : max(states, {1});
  }

 private:
  const int64_t side_;  // of a grid
  std::vector<Layer*> layers_, norms_;
};

class LstmReader : public UnitReader {
 public:
  LstmReader(const UnitShape& s, int64_t width, int64_t hidden)
      : UnitReader(s, width, hidden), lstm_(add<LSTM>("lstm", s.numbers, width)) {}
  std::string kind() const override { return "LstmReader"; }

 protected:
  Tensor body(const Tensor& x, const Tensor&) override { return lstm_(x.contiguous()); }

 private:
  LSTM& lstm_;
};

class TransformerReader : public UnitReader {
 public:
  TransformerReader(const UnitShape& s, int64_t width, int64_t hidden)
      : UnitReader(s, width, hidden),
        first_(add<Linear>("first", s.numbers, width)),
        position_(add_parameter("position", randn({s.units, width}, 0, 0.1))) {
    for (int i = 0; i < 2; ++i) {
      const std::string n = std::to_string(i);
      norms_.push_back(&add<LayerNorm>("norm" + n, width));
      attention_.push_back(&add<MultiheadAttention>("attention" + n, width, 2));
    }
  }
  std::string kind() const override { return "TransformerReader"; }

 protected:
  Tensor body(const Tensor& numbers, const Tensor&) override {
    Tensor x = first_(numbers.contiguous()) + position_;
    for (size_t i = 0; i < norms_.size(); ++i) x = x + (*attention_[i])((*norms_[i])(x));
    return x;
  }

 private:
  Linear& first_;
  Tensor position_;
  std::vector<LayerNorm*> norms_;
  std::vector<MultiheadAttention*> attention_;
};

// GraphSAGE with means (Hamilton et al. 2017): what a unit is, and what those it is joined to are.
class GnnReader : public UnitReader {
 public:
  GnnReader(const UnitShape& s, int64_t width, int64_t hidden) : UnitReader(s, width, hidden) {
    for (int i = 0; i < 2; ++i) {
      const std::string n = std::to_string(i);
      // Of a graph, the edges are not read as numbers as well.
      inputs_ = s.last ? s.numbers - s.units : s.numbers;
      own_.push_back(&add<Linear>("own" + n, i ? width : inputs_, width));
      others_.push_back(&add<Linear>("others" + n, i ? width : inputs_, width, false));
    }
  }
  std::string kind() const override { return "GnnReader"; }

 protected:
  Tensor body(const Tensor& numbers, const Tensor& weights) override {
    Tensor x = numbers.slice(2, 0, inputs_).contiguous();
    const Tensor joined = weights.contiguous();
    for (size_t i = 0; i < own_.size(); ++i)
      x = relu((*own_[i])(x) + (*others_[i])(matmul(joined, x)));
    return x;
  }

 private:
  int64_t inputs_ = 0;
  std::vector<Linear*> own_, others_;
};

std::unique_ptr<Layer> make_reader(UnitNetwork network, const UnitShape& shape, int64_t width,
                                   int64_t hidden) {
  switch (network) {
    case UnitNetwork::mlp:
      return std::make_unique<MlpReader>(shape, width, hidden);
    case UnitNetwork::cnn:
      return std::make_unique<CnnReader>(shape, width, hidden);
    case UnitNetwork::lstm:
      return std::make_unique<LstmReader>(shape, width, hidden);
    case UnitNetwork::transformer:
      return std::make_unique<TransformerReader>(shape, width, hidden);
    case UnitNetwork::gnn:
      return std::make_unique<GnnReader>(shape, width, hidden);
  }
  return nullptr;
}

double accuracy_of(Layer& network, const Units& units) {
  NoGrad off;
  const Tensor labels = from_vector(units.labels, {std::ssize(units.labels)});
  return mean(equal(argmax(network(units.x), -1), labels).to(DType::f64)).item();
}

}  // namespace

const char* name_of(UnitNetwork network) {
  return std::array{"MLP", "CNN", "LSTM", "transformer", "GNN"}.at(static_cast<size_t>(network));
}

std::unique_ptr<Layer> make_unit_network(UnitNetwork network, const UnitShape& shape,
                                         int64_t parameters) {
  constexpr int64_t least_hidden = 8;
  auto count = [&](int64_t width, int64_t hidden) {
    return make_reader(network, shape, width, hidden)->parameter_count();
  };
  int64_t width = 2;
  while (count(width + 2, least_hidden) <= parameters) width += 2;
  const int64_t unit = width + 1 + shape.classes;  // what a hidden unit of the head has
  const int64_t left = parameters - count(width, least_hidden);
  return make_reader(network, shape, width, least_hidden + std::max<int64_t>(0, left) / unit);
}

std::unique_ptr<Layer> train_unit_network(UnitNetwork network, const UnitShape& shape,
                                          const Units& train, const UnitTraining& training,
                                          double rate, uint64_t seed) {
  manual_seed(seed);
  std::unique_ptr<Layer> net = make_unit_network(network, shape, training.parameters);
  const Tensor labels = from_vector(train.labels, {std::ssize(train.labels)});
  AdamW optimizer(net->named_parameters(), {.learning_rate = rate});
  Scheduler scheduler(optimizer, one_cycle(std::max<int64_t>(1, training.steps), 0.2));
  Generator order(seed);
  for (int64_t step = 0; step < training.steps; ++step) {
    const Tensor rows = randint(0, labels.numel(), {training.batch}, DType::i64, &order);
    optimizer.zero_grad();
    cross_entropy((*net)(index_select(train.x, 0, rows)), index_select(labels, 0, rows)).backward();
    clip_grad_norm(net->parameters(), 1);
    optimizer.step();
    scheduler.step();
  }
  net->eval();
  return net;
}

double unit_accuracy(UnitNetwork network, const UnitShape& shape, const Units& train,
                     const Units& validation, const Units& test, const UnitTraining& training,
                     uint64_t seed) {
  const Units inputs = scaled(train, shape, train), tried = scaled(validation, shape, train),
              asked = scaled(test, shape, train);
  double best = -1, accuracy = 0;
  for (const double rate : training.rates) {
    const auto net = train_unit_network(network, shape, inputs, training, rate, seed);
    const double found = accuracy_of(*net, tried);
    if (found <= best) continue;
    best = found;
    accuracy = accuracy_of(*net, asked);
  }
  return accuracy;
}

}  // namespace strata::experiments
