// The arithmetic of the simulated tensor cores; tensor_core.h says what it promises.
#include "kernels/sim/tensor_core.h"

#include <array>
#include <bit>

#include "kernels/common/fp8.h"
#include "kernels/common/numeric.h"

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
constexpr std::array<float, 256> e4m3_table = table_of<fp8_e4m3>(),
                                 e5m2_table = table_of<fp8_e5m2>();

float half(uint32_t bits) {
  f16 value;
  value.bits = static_cast<uint16_t>(bits);
  return value;
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

void decode(MatrixType type, const uint32_t* words, int count, float* out) {
  switch (type) {
    case MatrixType::bf16:
      for (int i = 0; i < count; ++i) {
        out[2 * i] = std::bit_cast<float>(words[i] << 16);
        out[2 * i + 1] = std::bit_cast<float>(words[i] & 0xffff0000u);
      }
      return;
    case MatrixType::f16:
      for (int i = 0; i < count; ++i) {
        out[2 * i] = half(words[i] & 0xffffu);
        out[2 * i + 1] = half(words[i] >> 16);
      }
      return;
    case MatrixType::tf32:  // what does not fit is truncated
      for (int i = 0; i < count; ++i) out[i] = std::bit_cast<float>(words[i] & 0xffffe000u);
      return;
    case MatrixType::e4m3:
    case MatrixType::e5m2: {
      const auto& table = type == MatrixType::e4m3 ? e4m3_table : e5m2_table;
      for (int i = 0; i < 4 * count; ++i) out[i] = table[words[i / 4] >> (8 * (i % 4)) & 0xffu];
      return;
    }
    case MatrixType::int8:  // not a float: mma.cpp decodes it
      return;
  }
}

void multiply_add(const float* a, const float* b, float* c, int m, int n, int k) {
  multiply_add_rows(a, b, c, m, n, k);
}

void multiply_add(const int32_t* a, const int32_t* b, int32_t* c, int m, int n, int k) {
  multiply_add_rows(reinterpret_cast<const uint32_t*>(a), reinterpret_cast<const uint32_t*>(b),
                    reinterpret_cast<uint32_t*>(c), m, n, k);
}

}  // namespace strata::sim
