// Which element of shared memory each place of an operand is read from, for every swizzle mode and
// order and many distances, and products of every type.
//
// One operand is one-hot, so that D holds elements of the other as they were read; that one is an
// image of shared memory in which elements are numbered, two digits in two passes.
#include <fmt/format.h>

#include <bit>
#include <cmath>

#include "kernels/common/fp8.h"
#include "tests/kernels/conformance/device_memory.h"
#include "tests/kernels/sim/wgmma_probe.h"

namespace strata::test {

namespace {

using gpu::Swizzle;

constexpr WgmmaKind kinds[] = {WgmmaKind::bf16, WgmmaKind::f16, WgmmaKind::tf32, WgmmaKind::e4m3,
                               WgmmaKind::e5m2};
constexpr const char* kind_names[] = {"bf16", "f16", "tf32", "e4m3", "e5m2"};
constexpr Swizzle swizzles[] = {Swizzle::none, Swizzle::b32, Swizzle::b64, Swizzle::b128};
constexpr unsigned image_bytes = 32768;

int bytes_of(WgmmaKind kind) {
  return kind == WgmmaKind::tf32 ? 4 : kind == WgmmaKind::bf16 || kind == WgmmaKind::f16 ? 2 : 1;
}

uint32_t encode(WgmmaKind kind, float x) {
  switch (kind) {
    case WgmmaKind::bf16:
      return bf16(x).bits;
    case WgmmaKind::f16:
      return f16(x).bits;
    case WgmmaKind::tf32:
      return std::bit_cast<uint32_t>(x);
    case WgmmaKind::e4m3:
      return fp8_e4m3(x).bits;
    case WgmmaKind::e5m2:
      break;
  }
  return fp8_e5m2(x).bits;
}

void put(Bytes& bytes, size_t at, uint32_t bits, int size) {
  for (int byte = 0; byte < size; ++byte)
    bytes[at + static_cast<size_t>(byte)] = static_cast<unsigned char>(bits >> (8 * byte));
}

// Digits of one operand's elements: base 8 for fp8 (integers up to 8 are exact in both), else 128.
int base_of(WgmmaKind kind) { return bytes_of(kind) == 1 ? 4 : 128; }

// Element e of the image is digit `pass` of its number.
Bytes numbered_image(WgmmaKind kind, int pass) {
  const int size = bytes_of(kind), base = base_of(kind);
  Bytes image(image_bytes);
  int divisor = 1;
  for (int i = 0; i < pass; ++i) divisor *= base;
  for (size_t e = 0; e * static_cast<size_t>(size) < image.size(); ++e)
    put(image, e * static_cast<size_t>(size),
        encode(kind, static_cast<float>(static_cast<int>(e) / divisor % base)), size);
  return image;
}
int passes_of(WgmmaKind kind) {
  const int elements = static_cast<int>(image_bytes) / bytes_of(kind);
  int passes = 0;
  for (int reach = 1; reach < elements; reach *= base_of(kind)) ++passes;
  return passes;
}

// A [64][k]: row i selects k = i mod K.
Bytes one_hot_rows(WgmmaKind kind) {
  const int size = bytes_of(kind), k = 32 / size;
  Bytes rows(64 * 32);
  for (int i = 0; i < 64; ++i)
    put(rows, static_cast<size_t>(i * 32 + i % k * size), encode(kind, 1), size);
  return rows;
}

// D of each pass, with B read from the numbered image.
Outcome layout_of_b(WgmmaProbe probe) {
  probe.a_in_registers = true;
  probe.accumulate = false;
  const OnDevice<unsigned char> rows(one_hot_rows(probe.kind));
  Outcome outcome;
  for (int pass = 0; pass < passes_of(probe.kind); ++pass) {
    const OnDevice<unsigned char> image(numbered_image(probe.kind, pass));
    const OnDevice<float> d(static_cast<size_t>(64 * probe.n));
    probe_wgmma(probe, image.data(), image_bytes, rows.data(), d.data());
    const Bytes bytes = d.bytes();
    outcome.bytes.insert(outcome.bytes.end(), bytes.begin(), bytes.end());
  }
  return outcome;
}

// The same for A; B lies behind the image, K-major without swizzle, column j selecting k = j mod K.
Outcome layout_of_a(WgmmaProbe probe) {
  const int size = bytes_of(probe.kind), k = 32 / size;
  probe.accumulate = false;
  probe.b = {.tile = image_bytes, .leading = 128, .stride = 256};
  Bytes columns(static_cast<size_t>(probe.n) * 32);
  for (int j = 0; j < probe.n; ++j) {
    const int p = j % k * size;  // the byte along K
    put(columns, static_cast<size_t>(j / 8 * 256 + p / 16 * 128 + j % 8 * 16 + p % 16),
        encode(probe.kind, 1), size);
  }
  const OnDevice<unsigned char> rows(64 * 32);
  Outcome outcome;
  for (int pass = 0; pass < passes_of(probe.kind); ++pass) {
    Bytes bytes = numbered_image(probe.kind, pass);
    bytes.insert(bytes.end(), columns.begin(), columns.end());
    const OnDevice<unsigned char> image(bytes);
    const OnDevice<float> d(static_cast<size_t>(64 * probe.n));
    probe_wgmma(probe, image.data(), static_cast<unsigned>(bytes.size()), rows.data(), d.data());
    const Bytes result = d.bytes();
    outcome.bytes.insert(outcome.bytes.end(), result.begin(), result.end());
  }
  return outcome;
}

// A and B are random bytes that are finite numbers; allowed is what the order of sums may do.
Outcome random_product(WgmmaKind kind, int n) {
  const int size = bytes_of(kind), k = 32 / size;
  const std::vector<float> a = random_floats(static_cast<size_t>(64 * k), 1),
                           b = random_floats(static_cast<size_t>(n * k), 2),
                           c = random_floats(static_cast<size_t>(64 * n), 3);
  Bytes rows(64 * 32), image(static_cast<size_t>(n) * 32);
  for (int i = 0; i < 64; ++i)
    for (int p = 0; p < k; ++p)
      put(rows, static_cast<size_t>(i * 32 + p * size),
          encode(kind, a[static_cast<size_t>(i * k + p)]), size);
  for (int j = 0; j < n; ++j)
    for (int p = 0; p < k; ++p)
      put(image,
          static_cast<size_t>(j / 8 * 256 + p * size / 16 * 128 + j % 8 * 16 + p * size % 16),
          encode(kind, b[static_cast<size_t>(j * k + p)]), size);
  WgmmaProbe probe;
  probe.kind = kind;
  probe.n = n;
  probe.a_in_registers = true;
  probe.b = {.leading = 128, .stride = 256};
  const OnDevice<unsigned char> device_rows(rows), device_image(image);
  const OnDevice<float> d(c);
  probe_wgmma(probe, device_image.data(), static_cast<unsigned>(image.size()), device_rows.data(),
              d.data());
  Outcome outcome{d.bytes(), std::vector<double>(static_cast<size_t>(64 * n))};
  for (int i = 0; i < 64; ++i)
    for (int j = 0; j < n; ++j) {
      double magnitude = std::abs(c[static_cast<size_t>(i * n + j)]);
      for (int p = 0; p < k; ++p)
        magnitude +=
            std::abs(a[static_cast<size_t>(i * k + p)] * b[static_cast<size_t>(j * k + p)]);
      // fp8 products are summed with about 14 bits (DeepSeek-V3 technical report, 3.3.2).
      outcome.allowance[static_cast<size_t>(i * n + j)] =
          magnitude * (size == 1 ? 0x1p-10 : 0x1p-20);
    }
  return outcome;
}

// The places of an operand's parts: leading and stride in multiples of the mode's pattern, and how
// far inside the tile the product begins.
std::vector<WgmmaOperand> operands(WgmmaKind kind, bool mn_major, Swizzle swizzle, int rows) {
  const auto span = static_cast<unsigned>(gpu::swizzle_span(swizzle));
  const unsigned atom = 8 * span;
  const auto blocks = static_cast<unsigned>((rows * bytes_of(kind) + static_cast<int>(span) - 1) /
                                            static_cast<int>(span));
  std::vector<WgmmaOperand> list;
  for (unsigned gap : {1u, 2u})
    for (unsigned advance : {0u, 32u}) {
      WgmmaOperand o{.mn_major = mn_major, .swizzle = swizzle};
      if (swizzle == Swizzle::none) {
        o.leading = 128 * gap;
        o.stride = 256 * gap;
        o.advance = advance ? 512 * gap : 0;
      } else if (mn_major) {
        o.stride = atom * gap;
        o.leading = 2 * atom * gap;
        o.advance = advance ? 2 * atom * gap * blocks : 0;
      } else {
        o.stride = atom * gap;
        o.leading = gap == 1 ? 16 : 4096;  // said to be ignored
        o.advance = span > 32 ? advance : 0;
        if (span == 32 && advance) continue;  // a line is one product long
      }
      list.push_back(o);
    }
  return list;
}

}  // namespace

std::vector<Probe> wgmma_probes() {
  std::vector<Probe> probes;
  for (WgmmaKind kind : kinds)
    for (Swizzle swizzle : swizzles)
      for (bool mn_major : {false, true}) {
        if (mn_major && bytes_of(kind) != 2) continue;
        const auto add = [&](const char* operand, auto layout, int n, int rows) {
          int number = 0;
          for (const WgmmaOperand& o : operands(kind, mn_major, swizzle, rows)) {
            WgmmaProbe probe;
            probe.kind = kind;
            probe.n = n;
            (operand[0] == 'A' ? probe.a : probe.b) = o;
            probes.push_back(
                {fmt::format("wgmma {} {} swizzle {} {} {}", kind_names[static_cast<int>(kind)],
                             operand, static_cast<int>(swizzle) ? gpu::swizzle_span(swizzle) : 0,
                             mn_major ? "mn" : "k", number++),
                 90, [=] { return layout(probe); }});
          }
        };
        add("B", layout_of_b, 64, 64);
        add("A", layout_of_a, 24, 64);
      }
  for (WgmmaKind kind : kinds)
    for (int n : {8, 64, 256})
      probes.push_back({fmt::format("wgmma {} random n {}", kind_names[static_cast<int>(kind)], n),
                        90, [=] { return random_product(kind, n); }});
  return probes;
}

}  // namespace strata::test
