#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "kernels/common/fp8.h"
#include "kernels/common/numeric.h"
#include "tests/kernels/conformance/device_memory.h"
#include "tests/kernels/sim/matrix_probe.h"

namespace strata::test {

namespace {

constexpr MmaKind kinds[] = {MmaKind::bf16, MmaKind::f16,  MmaKind::tf32,
                             MmaKind::int8, MmaKind::e4m3, MmaKind::e5m2};
constexpr const char* kind_names[] = {"bf16", "f16", "tf32", "int8", "e4m3", "e5m2"};

int bytes_of(MmaKind kind) {
  return kind == MmaKind::tf32 ? 4 : kind == MmaKind::bf16 || kind == MmaKind::f16 ? 2 : 1;
}

// The bit pattern of a value in the type, and the value that it then has.
struct Encoded {
  uint32_t bits;
  double value;
};
template <class T>
Encoded encoded(float x) {
  const T element(x);
  return {element.bits, static_cast<double>(static_cast<float>(element))};
}
Encoded encode(MmaKind kind, float x) {
  switch (kind) {
    case MmaKind::bf16:
      return encoded<bf16>(x);
    case MmaKind::f16:
      return encoded<f16>(x);
    case MmaKind::tf32:  // the low 13 bits are left set: what becomes of them is to be seen
      return {std::bit_cast<uint32_t>(x), x};
    case MmaKind::int8:
      return {static_cast<uint32_t>(static_cast<int>(x)) & 0xff,
              static_cast<double>(static_cast<int>(x))};
    case MmaKind::e4m3:
      return encoded<fp8_e4m3>(x);
    case MmaKind::e5m2:
      break;
  }
  return encoded<fp8_e5m2>(x);
}

Bytes pack(MmaKind kind, const std::vector<float>& values) {
  Bytes bytes;
  for (float value : values)
    for (int byte = 0; byte < bytes_of(kind); ++byte)
      bytes.push_back(static_cast<unsigned char>(encode(kind, value).bits >> (8 * byte)));
  return bytes;
}

// d = c + a b for a [16][k], b [k][8].
Bytes product(MmaKind kind, const std::vector<float>& a, const std::vector<float>& b,
              const std::vector<float>& c) {
  Bytes sums(128 * 4);
  for (size_t i = 0; i < 128; ++i) {
    const auto whole = static_cast<int32_t>(kind == MmaKind::int8 ? c[i] : 0);
    if (kind == MmaKind::int8)
      std::memcpy(&sums[4 * i], &whole, 4);
    else
      std::memcpy(&sums[4 * i], &c[i], 4);
  }
  const OnDevice<unsigned char> da(pack(kind, a)), db(pack(kind, b)), d(sums);
  probe_mma(kind, da.data(), db.data(), d.data());
  return d.bytes();
}

// Small integers, whose sums are exact in any order.
std::vector<float> integers(size_t count, unsigned seed, int largest) {
  std::mt19937 generator(seed);
  std::vector<float> values(count);
  for (float& value : values)
    value = static_cast<float>(
        static_cast<int>(generator() % static_cast<unsigned>(2 * largest + 1)) - largest);
  return values;
}

Outcome exact_product(MmaKind kind) {
  const auto k = static_cast<size_t>(32 / bytes_of(kind));
  const int largest = kind == MmaKind::e5m2 ? 4 : 8;
  return {product(kind, integers(16 * k, 1, largest), integers(k * 8, 2, largest),
                  integers(128, 3, 100))};
}

// Allowed: 2^-20 of the sum of the magnitudes, for sums whose addends are aligned and truncated.
Outcome rounded_product(MmaKind kind) {
  const auto k = static_cast<size_t>(32 / bytes_of(kind));
  const std::vector<float> a = random_floats(16 * k, 4), b = random_floats(k * 8, 5),
                           c = random_floats(128, 6);
  Outcome outcome{product(kind, a, b, c), std::vector<double>(128)};
  for (size_t row = 0; row < 16; ++row)
    for (size_t column = 0; column < 8; ++column) {
      double magnitude = std::abs(c[row * 8 + column]);
      for (size_t p = 0; p < k; ++p)
        magnitude +=
            std::abs(encode(kind, a[row * k + p]).value * encode(kind, b[p * 8 + column]).value);
      outcome.allowance[row * 8 + column] = 0x1p-20 * magnitude;
    }
  return outcome;
}

// Row i of A is special value i beside ones; B is ones: infinities, NaN, zeros of both signs,
// the smallest numbers.
Outcome special_values(MmaKind kind) {
  const auto k = static_cast<size_t>(32 / bytes_of(kind));
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> special = {infinity,  -infinity, std::nanf(""), 0.0f,     -0.0f,
                                      0x1p-133f, 0x1p-24f,  -0x1p-24f,     0x1p-16f, 0x1p-9f};
  std::vector<float> a(16 * k, 0.0f);
  for (size_t i = 0; i < special.size(); ++i) a[i * k + i % k] = special[i];
  a[10 * k] = infinity, a[10 * k + 1] = -infinity;
  return {product(kind, a, std::vector<float>(k * 8, 1.0f), std::vector<float>(128, 0.0f)),
          std::vector<double>(128, 0.0)};
}

Outcome ldmatrix_outcome(int count, bool transposed) {
  std::vector<uint16_t> matrices(static_cast<size_t>(count) * 64);
  for (size_t i = 0; i < matrices.size(); ++i) matrices[i] = static_cast<uint16_t>(0x4100 + i);
  const OnDevice<uint16_t> from(matrices);
  const OnDevice<uint32_t> registers(static_cast<size_t>(count) * 32);
  probe_ldmatrix(count, transposed, from.data(), registers.data());
  return {registers.bytes()};
}
Outcome stmatrix_outcome(int count, bool transposed) {
  std::vector<uint32_t> registers(static_cast<size_t>(count) * 32);
  for (size_t i = 0; i < registers.size(); ++i)
    registers[i] = static_cast<uint32_t>(2 * i | (2 * i + 1) << 16);
  const OnDevice<uint32_t> from(registers);
  const OnDevice<uint16_t> matrices(static_cast<size_t>(count) * 64);
  probe_stmatrix(count, transposed, from.data(), matrices.data());
  return {matrices.bytes()};
}

Outcome tf32_outcome() {
  std::vector<float> values = random_floats(200, 7);
  const float infinity = std::numeric_limits<float>::infinity();
  for (float special : {1 + 0x1p-11f, -1 - 0x1p-11f, 1 + 0x1p-12f, infinity, -infinity, 0.0f, -0.0f,
                        0x1p-140f, 3.4e38f, 0x1p-126f})
    values.push_back(special);
  const OnDevice<float> from(values);
  const OnDevice<uint32_t> bits(values.size());
  probe_to_tf32(static_cast<int>(values.size()), from.data(), bits.data());
  return {bits.bytes()};
}

}  // namespace

std::vector<Probe> matrix_probes() {
  std::vector<Probe> probes;
  for (int count : {1, 2, 4})
    for (bool transposed : {false, true}) {
      const std::string name = fmt::format("{}{}", count, transposed ? " transposed" : "");
      probes.push_back(
          {"ldmatrix " + name, 80, [=] { return ldmatrix_outcome(count, transposed); }});
      probes.push_back(
          {"stmatrix " + name, 90, [=] { return stmatrix_outcome(count, transposed); }});
    }
  for (MmaKind kind : kinds) {
    const int arch = kind == MmaKind::e4m3 || kind == MmaKind::e5m2 ? 89 : 80;
    const std::string name = kind_names[static_cast<int>(kind)];
    probes.push_back({"mma " + name + " integers", arch, [kind] { return exact_product(kind); }});
    if (kind == MmaKind::int8) continue;
    probes.push_back({"mma " + name + " random", arch, [kind] { return rounded_product(kind); }});
    probes.push_back({"mma " + name + " special", arch, [kind] { return special_values(kind); }});
  }
  probes.push_back({"cvt tf32", 80, tf32_outcome});
  return probes;
}

}  // namespace strata::test
