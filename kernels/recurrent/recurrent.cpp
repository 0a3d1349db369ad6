// The CPU's steps: rows in parallel, elements one after the other.
#include "kernels/recurrent/recurrent.h"

#include "kernels/common/parallel.h"
#include "kernels/recurrent/step.h"

namespace strata::cpu {
namespace {

struct Convert {
  template <class T>
  static Compute<T> widen(T value) {
    return static_cast<Compute<T>>(value);
  }
  template <class T>
  static T narrow(Compute<T> value) {
    return static_cast<T>(value);
  }
};

template <class Args, class Element>
void for_each_element(const Args& args, Element&& element) {
  visit_float(args.dtype, [&]<class T>(Type<T> type) {
    const int64_t grain = std::max<int64_t>(1, 4096 / std::max<int64_t>(args.H, 1));
    parallel_for(args.N, grain, [&](int64_t first, int64_t last) {
      for (int64_t n = first; n < last; ++n)
        for (int64_t h = 0; h < args.H; ++h) element(type, n, h);
    });
  });
}

}  // namespace

void lstm_step(const LstmArgs& args) {
  for_each_element(args, [&]<class T>(Type<T>, int64_t n, int64_t h) {
    recurrent::lstm_element<T, Convert>(args, n, h);
  });
}
void lstm_step_gradient(const LstmGradientArgs& args) {
  for_each_element(args, [&]<class T>(Type<T>, int64_t n, int64_t h) {
    recurrent::lstm_gradient_element<T, Convert>(args, n, h);
  });
}
void gru_step(const GruArgs& args) {
  for_each_element(args, [&]<class T>(Type<T>, int64_t n, int64_t h) {
    recurrent::gru_element<T, Convert>(args, n, h);
  });
}
void gru_step_gradient(const GruGradientArgs& args) {
  for_each_element(args, [&]<class T>(Type<T>, int64_t n, int64_t h) {
    recurrent::gru_gradient_element<T, Convert>(args, n, h);
  });
}

}  // namespace strata::cpu
