// The arithmetic of the simulated tensor cores; tensor_core.h says what it promises.
#include "kernels/sim/tensor_core.h"

#include "kernels/common/fp8.h"

namespace strata::sim {

namespace {

template <class T>
constexpr std::array<float, 256> table_of() {
  std::array<float, 256> table{};
  for (unsigned i = 0; i < 256; ++i) {
    T value{};
    value.bits = static_cast<uint8_t>(i);
    table[i] = value;
  }
  return table;
}
// Width columns of eight rows stay in registers while k runs.
template <class T, int Width>
void eight_rows(const T* a, const T* b, T* c, int n, int k) {
  typedef T Vector __attribute__((vector_size(Width * sizeof(T)), aligned(alignof(T)), may_alias));
  Vector sum[8];
  for (int row = 0; row < 8; ++row) sum[row] = *reinterpret_cast<const Vector*>(c + row * n);
  for (int p = 0; p < k; ++p) {
    const Vector right = *reinterpret_cast<const Vector*>(b + p * n);
    for (int row = 0; row < 8; ++row) sum[row] += a[row * k + p] * right;
  }
  for (int row = 0; row < 8; ++row) *reinterpret_cast<Vector*>(c + row * n) = sum[row];
}

template <class T>
void multiply_add_rows(const T* a, const T* b, T* c, int m, int n, int k) {
  for (int row = 0; row < m; row += 8) {
    int column = 0;
    for (; column + 16 <= n; column += 16)
      eight_rows<T, 16>(a + row * k, b + column, c + row * n + column, n, k);
    if (column < n) eight_rows<T, 8>(a + row * k, b + column, c + row * n + column, n, k);
  }
}

}  // namespace

const std::array<float, 256> e4m3_values = table_of<fp8_e4m3>(), e5m2_values = table_of<fp8_e5m2>();

void multiply_add(const float* a, const float* b, float* c, int m, int n, int k) {
  multiply_add_rows(a, b, c, m, n, k);
}

void multiply_add(const int32_t* a, const int32_t* b, int32_t* c, int m, int n, int k) {
  multiply_add_rows(reinterpret_cast<const uint32_t*>(a), reinterpret_cast<const uint32_t*>(b),
                    reinterpret_cast<uint32_t*>(c), m, n, k);
}

}  // namespace strata::sim
