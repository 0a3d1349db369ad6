#include "kernels/optim/optim.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/common/parallel.h"

namespace strata::cpu {
namespace {

constexpr int64_t piece_size = 16384;

struct Piece {
  const OptimTensor* tensor;
  int64_t begin, end;
};

std::vector<Piece> cut(std::span<const OptimTensor> tensors) {
  std::vector<Piece> pieces;
  for (const OptimTensor& tensor : tensors) {
    for (int64_t begin = 0; begin < tensor.size; begin += piece_size) {
      pieces.push_back({&tensor, begin, std::min(tensor.size, begin + piece_size)});
    }
  }
  return pieces;
}

// Type of the state and of arithmetic for parameters of type T.
template <class T>
using State = std::conditional_t<std::is_same_v<T, double>, double, float>;

template <class T>
struct Arrays {
  T* parameter;
  const T* gradient;
  State<T>*s0, *s1, *s2;
  int64_t size;
};

// Calls f(Arrays<T>) for each piece, all pieces in one parallel region.
template <class F>
void for_each_piece(std::span<const OptimTensor> tensors, F&& f) {
  const std::vector<Piece> pieces = cut(tensors);
  auto run = [&](const Piece& piece) {
    visit_float(piece.tensor->dtype, [&]<class T>(Type<T>) {
      const OptimTensor& t = *piece.tensor;
      auto state = [&](int i) {
        return t.state[i] ? static_cast<State<T>*>(t.state[i]) + piece.begin : nullptr;
      };
      f(Arrays<T>{static_cast<T*>(t.parameter) + piece.begin,
                  t.gradient ? static_cast<const T*>(t.gradient) + piece.begin : nullptr, state(0),
                  state(1), state(2), piece.end - piece.begin});
    });
  };
  parallel_for(static_cast<int64_t>(pieces.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) run(pieces[static_cast<size_t>(i)]);
  });
}

}  // namespace

void sgd(std::span<const OptimTensor> tensors, const SgdArgs& args) {
  for_each_piece(tensors, [&]<class T>(const Arrays<T>& a) {
    using S = State<T>;
    T* __restrict p = a.parameter;
    const T* __restrict g = a.gradient;
    S* __restrict b = a.s0;
    const S rate = static_cast<S>(args.learning_rate), decay = static_cast<S>(args.weight_decay);
    const S momentum = static_cast<S>(args.momentum);
    // The first step starts the buffer at d itself.
    const S keep = args.first_step ? S(0) : momentum;
    const S take = args.first_step ? S(1) : static_cast<S>(1 - args.dampening);
    if (!b) {
      for (int64_t i = 0; i < a.size; ++i) {
        S value = p[i];
        p[i] = static_cast<T>(value - rate * (S(g[i]) + decay * value));
      }
    } else if (args.nesterov) {
      for (int64_t i = 0; i < a.size; ++i) {
        S value = p[i], d = S(g[i]) + decay * value;
        b[i] = keep * b[i] + take * d;
        p[i] = static_cast<T>(value - rate * (d + momentum * b[i]));
      }
    } else {
      for (int64_t i = 0; i < a.size; ++i) {
        S value = p[i], d = S(g[i]) + decay * value;
        b[i] = keep * b[i] + take * d;
        p[i] = static_cast<T>(value - rate * b[i]);
      }
    }
  });
}

void adam(std::span<const OptimTensor> tensors, const AdamArgs& args) {
  for_each_piece(tensors, [&]<class T>(const Arrays<T>& a) {
    using S = State<T>;
    T* __restrict p = a.parameter;
    const T* __restrict g = a.gradient;
    S* __restrict m = a.s0;
    S* __restrict v = a.s1;
    const S beta1 = static_cast<S>(args.beta1), rest1 = static_cast<S>(1 - args.beta1);
    const S beta2 = static_cast<S>(args.beta2), rest2 = static_cast<S>(1 - args.beta2);
    const S rate = static_cast<S>(args.learning_rate / args.correction1);
    const S spread = static_cast<S>(1 / std::sqrt(args.correction2));
    const S epsilon = static_cast<S>(args.epsilon);
    // One of the two decays is nothing.
    const S shrink =
        args.decoupled ? static_cast<S>(1 - args.learning_rate * args.weight_decay) : 1;
    const S decay = args.decoupled ? S(0) : static_cast<S>(args.weight_decay);
    for (int64_t i = 0; i < a.size; ++i) {
      S value = p[i], d = S(g[i]) + decay * value;
      m[i] = beta1 * m[i] + rest1 * d;
      v[i] = beta2 * v[i] + rest2 * d * d;
      p[i] = static_cast<T>(value * shrink - rate * m[i] / (std::sqrt(v[i]) * spread + epsilon));
    }
  });
}

void rmsprop(std::span<const OptimTensor> tensors, const RmspropArgs& args) {
  for_each_piece(tensors, [&]<class T>(const Arrays<T>& a) {
    using S = State<T>;
    T* __restrict p = a.parameter;
    const T* __restrict g = a.gradient;
    S* __restrict v = a.s0;
    S* __restrict mean = a.s1;
    S* __restrict b = a.s2;
    const S rate = static_cast<S>(args.learning_rate), decay = static_cast<S>(args.weight_decay);
    const S alpha = static_cast<S>(args.alpha), rest = static_cast<S>(1 - args.alpha);
    const S epsilon = static_cast<S>(args.epsilon), momentum = static_cast<S>(args.momentum);
    for (int64_t i = 0; i < a.size; ++i) {
      S value = p[i], d = S(g[i]) + decay * value;
      v[i] = alpha * v[i] + rest * d * d;
      S spread = v[i];
      if (mean) {
        mean[i] = alpha * mean[i] + rest * d;
        spread -= mean[i] * mean[i];
      }
      S update = d / (std::sqrt(spread) + epsilon);
      if (b) update = b[i] = momentum * b[i] + update;
      p[i] = static_cast<T>(value - rate * update);
    }
  });
}

void moving_average(std::span<const OptimTensor> tensors, double decay) {
  for_each_piece(tensors, [&]<class T>(const Arrays<T>& a) {
    using S = State<T>;
    const S keep = static_cast<S>(decay), take = static_cast<S>(1 - decay);
    for (int64_t i = 0; i < a.size; ++i) a.s0[i] = keep * a.s0[i] + take * S(a.parameter[i]);
  });
}

double gradient_square_sum(std::span<const OptimTensor> tensors) {
  const std::vector<Piece> pieces = cut(tensors);
  std::vector<double> partial(pieces.size());
  parallel_for(static_cast<int64_t>(pieces.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      const Piece& piece = pieces[static_cast<size_t>(k)];
      visit_float(piece.tensor->dtype, [&]<class T>(Type<T>) {
        const T* g = static_cast<const T*>(piece.tensor->gradient);
        // Sixteen sums side by side, so that the loop vectorises without reassociation.
        double lanes[16] = {};
        int64_t i = piece.begin;
        for (; i + 16 <= piece.end; i += 16) {
          for (int j = 0; j < 16; ++j) {
            double value = static_cast<Compute<T>>(g[i + j]);
            lanes[j] += value * value;
          }
        }
        double total = 0;
        for (; i < piece.end; ++i) {
          double value = static_cast<Compute<T>>(g[i]);
          total += value * value;
        }
        for (double lane : lanes) total += lane;
        partial[static_cast<size_t>(k)] = total;
      });
    }
  });
  double total = 0;
  for (double value : partial) total += value;
  return total;
}

void scale(std::span<const OptimTensor> tensors, double factor) {
  for_each_piece(tensors, [&]<class T>(const Arrays<T>& a) {
    const State<T> f = static_cast<State<T>>(factor);
    for (int64_t i = 0; i < a.size; ++i)
      a.parameter[i] = static_cast<T>(State<T>(a.parameter[i]) * f);
  });
}

void clamp(std::span<const OptimTensor> tensors, double bound) {
  for_each_piece(tensors, [&]<class T>(const Arrays<T>& a) {
    const State<T> high = static_cast<State<T>>(bound), low = -high;
    for (int64_t i = 0; i < a.size; ++i) {
      // Comparisons that are false for a NaN leave it in place.
      State<T> value = a.parameter[i];
      a.parameter[i] = static_cast<T>(value < low ? low : value > high ? high : value);
    }
  });
}

}  // namespace strata::cpu
