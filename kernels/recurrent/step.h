// The steps of recurrent.h for one element of one row, over rows of T: what the CPU's loops and the
// GPU's threads both call. Read and Write convert between T and S; a null array reads as zero.
#pragma once

#include "kernels/recurrent/cell.h"
#include "kernels/recurrent/recurrent.h"

namespace strata::recurrent {

// Row n of an array of T. `Convert` has widen() and narrow().
template <class T, class Convert>
struct Row {
  using S = Compute<T>;
  T* data;

  STRATA_INLINE Row(const Rows& rows, int64_t n)
      : data(rows.data ? static_cast<T*>(rows.data) + n * rows.stride : nullptr) {}
  STRATA_INLINE S get(int64_t i) const { return data ? Convert::widen(data[i]) : S(0); }
  STRATA_INLINE void put(int64_t i, S value) const {
    if (data) data[i] = Convert::template narrow<T>(value);
  }
};

template <class T, class Convert>
STRATA_INLINE void lstm_element(const LstmArgs& a, int64_t n, int64_t h) {
  using Array = Row<T, Convert>;
  const int64_t H = a.H;
  const Array x(a.x_gates, n), y(a.h_gates, n), kept(a.kept, n);
  const auto cell = LstmCell<Compute<T>>::of(x.get(h) + y.get(h), x.get(H + h) + y.get(H + h),
                                             x.get(2 * H + h) + y.get(2 * H + h),
                                             x.get(3 * H + h) + y.get(3 * H + h));
  const auto next = cell.next(Array(a.cell, n).get(h));
  Array(a.new_cell, n).put(h, next);
  Array(a.hidden, n).put(h, cell.hidden(next));
  kept.put(h, cell.i);
  kept.put(H + h, cell.f);
  kept.put(2 * H + h, cell.g);
  kept.put(3 * H + h, cell.o);
}

template <class T, class Convert>
STRATA_INLINE void lstm_gradient_element(const LstmGradientArgs& a, int64_t n, int64_t h) {
  using Array = Row<T, Convert>;
  const int64_t H = a.H;
  const Array kept(a.kept, n), gates(a.gates_gradient, n);
  const LstmCell<Compute<T>> cell{kept.get(h), kept.get(H + h), kept.get(2 * H + h),
                                  kept.get(3 * H + h)};
  const auto d =
      cell.gradient(Array(a.cell, n).get(h), Array(a.new_cell, n).get(h),
                    Array(a.hidden_gradient, n).get(h), Array(a.cell_gradient, n).get(h));
  gates.put(h, d.i);
  gates.put(H + h, d.f);
  gates.put(2 * H + h, d.g);
  gates.put(3 * H + h, d.o);
  Array(a.old_cell_gradient, n).put(h, d.cell);
}

template <class T, class Convert>
STRATA_INLINE void gru_element(const GruArgs& a, int64_t n, int64_t h) {
  using Array = Row<T, Convert>;
  const int64_t H = a.H;
  const Array x(a.x_gates, n), y(a.h_gates, n), kept(a.kept, n);
  const auto cell = GruCell<Compute<T>>::of(x.get(h) + y.get(h), x.get(H + h) + y.get(H + h),
                                            x.get(2 * H + h), y.get(2 * H + h));
  Array(a.new_hidden, n).put(h, cell.next(Array(a.hidden, n).get(h)));
  kept.put(h, cell.r);
  kept.put(H + h, cell.z);
  kept.put(2 * H + h, cell.n);
  kept.put(3 * H + h, cell.h_part);
}

template <class T, class Convert>
STRATA_INLINE void gru_gradient_element(const GruGradientArgs& a, int64_t n, int64_t h) {
  using Array = Row<T, Convert>;
  const int64_t H = a.H;
  const Array kept(a.kept, n), x(a.x_gates_gradient, n), y(a.h_gates_gradient, n);
  const GruCell<Compute<T>> cell{kept.get(h), kept.get(H + h), kept.get(2 * H + h),
                                 kept.get(3 * H + h)};
  const auto d = cell.gradient(Array(a.hidden, n).get(h), Array(a.new_hidden_gradient, n).get(h));
  x.put(h, d.r);
  x.put(H + h, d.z);
  x.put(2 * H + h, d.x_part);
  y.put(h, d.r);
  y.put(H + h, d.z);
  y.put(2 * H + h, d.h_part);
  Array(a.hidden_gradient, n).put(h, d.hidden);
}

}  // namespace strata::recurrent
