// The tensor cores of a warp: ldmatrix, stmatrix, mma. Each lane leaves its fragment; the last lane
// to come assembles the matrices, multiplies, and gives every lane its part of the result.
#include "kernels/sim/mma.h"

#include <fmt/format.h>

#include <vector>

#include "kernels/sim/block.h"
#include "kernels/sim/tensor_core.h"
#include "kernels/sim/tracer.h"

namespace strata::sim {

namespace {

constexpr uint32_t whole_warp = 0xffffffffu;

// ---- 8x8 matrices ----

struct MatrixOperand {
  uint32_t* registers;
  void* row;
  int count;
  bool transposed;
};

// Where register j of a lane lies in matrix j: two elements, (row, column) each.
struct Place {
  int row[2], column[2];
};
Place place_of(int lane, bool transposed) {
  const int g = lane / 4, t = lane % 4 * 2;
  if (transposed) return {{t, t + 1}, {g, g}};
  return {{g, g}, {t, t + 1}};
}

uint16_t* row_of(void* const* operands, int matrix, int row) {
  return static_cast<uint16_t*>(static_cast<MatrixOperand*>(operands[matrix * 8 + row])->row);
}

void load_matrices(void* const* operands, uint32_t) {
  const auto& first = *static_cast<MatrixOperand*>(operands[0]);
  for (int matrix = 0; matrix < first.count; ++matrix)
    for (int lane = 0; lane < 32; ++lane) {
      const Place at = place_of(lane, first.transposed);
      const uint32_t low = row_of(operands, matrix, at.row[0])[at.column[0]];
      const uint32_t high = row_of(operands, matrix, at.row[1])[at.column[1]];
      static_cast<MatrixOperand*>(operands[lane])->registers[matrix] = low | high << 16;
    }
}

void store_matrices(void* const* operands, uint32_t) {
  const auto& first = *static_cast<MatrixOperand*>(operands[0]);
  for (int matrix = 0; matrix < first.count; ++matrix)
    for (int lane = 0; lane < 32; ++lane) {
      const Place at = place_of(lane, first.transposed);
      const uint32_t value = static_cast<MatrixOperand*>(operands[lane])->registers[matrix];
      row_of(operands, matrix, at.row[0])[at.column[0]] = static_cast<uint16_t>(value);
      row_of(operands, matrix, at.row[1])[at.column[1]] = static_cast<uint16_t>(value >> 16);
    }
}

// Lanes whose address is not used may pass anything.
void check_row(const char* name, const MatrixOperand& operand, bool write, Site site) {
  if (current->lane >= operand.count * 8) return;
  const uint32_t offset = shared_offset(operand.row, site);
  if (offset % 16)
    fail(fmt::format("{}: the row of lane {} begins at byte {} of shared memory, which is not a "
                     "multiple of 16",
                     name, current->lane, offset),
         site);
  if (Tracer* tracer = config().tracer) tracer->access(*current, operand.row, 16, write, site);
}

// ---- products ----

struct MmaOperand {
  void* d;
  const uint32_t *a, *b;
  int tiles_m, tiles_n;
  Site site;
};

// The fragments of m16n8kK with elements of 32 / `packed` bits: register r of A holds row g + 8 (r
// & 1) and `packed` columns from packed (t + 4 (r >> 1)); register r of B holds `packed` k from
// packed (t + 4r).
template <MatrixType Type>
constexpr int packed = 4 / size_of(Type);
template <MatrixType Type>
constexpr int depth = 8 * packed<Type>;

template <MatrixType Type, class Sum>
void decode_one(uint32_t word, Sum* out) {
  if constexpr (Type == MatrixType::int8)
    for (int i = 0; i < 4; ++i) out[i] = static_cast<int8_t>(word >> (8 * i));
  else
    decode<Type>(&word, 1, out);
}

// The matrices of a whole tile, row-major. One a host thread.
template <class Sum>
struct Tile {
  std::vector<Sum> a, b, d;
};

template <MatrixType Type, class Sum>
void gather(void* const* operands, int tiles_m, int tiles_n, Tile<Sum>& tile) {
  constexpr int k = depth<Type>, n_per_register = packed<Type>;
  const int n = tiles_n * 8;
  tile.a.resize(static_cast<size_t>(tiles_m * 16 * k));
  tile.b.resize(static_cast<size_t>(k * n));
  tile.d.resize(static_cast<size_t>(tiles_m * 16 * n));
  for (int lane = 0; lane < 32; ++lane) {
    const auto& operand = *static_cast<const MmaOperand*>(operands[lane]);
    const int g = lane / 4, t = lane % 4;
    for (int i = 0; i < tiles_m; ++i)
      for (int r = 0; r < 4; ++r)
        decode_one<Type>(operand.a[i * 4 + r],
                         &tile.a[static_cast<size_t>((i * 16 + g + 8 * (r & 1)) * k +
                                                     n_per_register * (t + 4 * (r >> 1)))]);
    for (int j = 0; j < tiles_n; ++j)
      for (int r = 0; r < 2; ++r) {
        Sum values[n_per_register];
        decode_one<Type>(operand.b[j * 2 + r], values);
        for (int e = 0; e < n_per_register; ++e)
          tile.b[static_cast<size_t>((n_per_register * (t + 4 * r) + e) * n + j * 8 + g)] =
              values[e];
      }
  }
}

// Copies between the lanes' accumulators and the row-major tile.
template <bool ToLanes, class Sum>
void move_sums(void* const* operands, int tiles_m, int tiles_n, Sum* tile) {
  const int n = tiles_n * 8;
  for (int lane = 0; lane < 32; ++lane) {
    Sum* d = static_cast<Sum*>(static_cast<const MmaOperand*>(operands[lane])->d);
    const int g = lane / 4, t = lane % 4;
    for (int i = 0; i < tiles_m; ++i)
      for (int j = 0; j < tiles_n; ++j)
        for (int half = 0; half < 2; ++half) {
          Sum* in_lane = d + (i * tiles_n + j) * 4 + 2 * half;
          Sum* in_tile = tile + (i * 16 + g + 8 * half) * n + j * 8 + 2 * t;
          std::memcpy(ToLanes ? in_lane : in_tile, ToLanes ? in_tile : in_lane, 2 * sizeof(Sum));
        }
  }
}

template <MatrixType Type>
void multiply(void* const* operands, uint32_t) {
  using Sum = std::conditional_t<Type == MatrixType::int8, int32_t, float>;
  static thread_local Tile<Sum> tile;
  const auto& first = *static_cast<const MmaOperand*>(operands[0]);
  const int tiles_m = first.tiles_m, tiles_n = first.tiles_n;
  gather<Type>(operands, tiles_m, tiles_n, tile);
  move_sums<false>(operands, tiles_m, tiles_n, tile.d.data());
  multiply_add(tile.a.data(), tile.b.data(), tile.d.data(), tiles_m * 16, tiles_n * 8, depth<Type>);
  move_sums<true>(operands, tiles_m, tiles_n, tile.d.data());
  if (Tracer* tracer = config().tracer)
    tracer->tensor_operations(*current, name_of(Type),
                              static_cast<uint64_t>(tiles_m * 16 * tiles_n * 8 * depth<Type>),
                              first.site);
}

}  // namespace

void ldmatrix(int count, bool transposed, uint32_t* registers, const void* row, Site site) {
  require_arch(75, "ldmatrix", site);
  MatrixOperand operand{registers, const_cast<void*>(row), count, transposed};
  check_row("ldmatrix", operand, false, site);
  warp_collective("ldmatrix", whole_warp, load_matrices, &operand, false, site);
}

void stmatrix(int count, bool transposed, void* row, const uint32_t* registers, Site site) {
  require_arch(90, "stmatrix", site);
  MatrixOperand operand{const_cast<uint32_t*>(registers), row, count, transposed};
  check_row("stmatrix", operand, true, site);
  warp_collective("stmatrix", whole_warp, store_matrices, &operand, false, site);
}

uint32_t round_to_tf32(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7f800000u) == 0x7f800000u)
    return bits & (std::isnan(value) ? 0x7fffe000u | 0x00400000u : ~0u);
  return (bits + 0x1000u) & 0xffffe000u;
}

void mma(MatrixType type, int tiles_m, int tiles_n, void* d, const uint32_t* a, const uint32_t* b,
         Site site) {
  struct Entry {
    const char* name;
    Combine combine;
    int arch;
  };
  static constexpr Entry entries[] = {
      {"mma bf16", multiply<MatrixType::bf16>, 80}, {"mma f16", multiply<MatrixType::f16>, 80},
      {"mma tf32", multiply<MatrixType::tf32>, 80}, {"mma e4m3", multiply<MatrixType::e4m3>, 89},
      {"mma e5m2", multiply<MatrixType::e5m2>, 89}, {"mma int8", multiply<MatrixType::int8>, 80}};
  const Entry& entry = entries[static_cast<int>(type)];
  require_arch(entry.arch, entry.name, site);
  MmaOperand operand{d, a, b, tiles_m, tiles_n, site};
  warp_collective(entry.name, whole_warp, entry.combine, &operand, false, site);
}

}  // namespace strata::sim
