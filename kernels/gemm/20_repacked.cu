// A and B whose rows the copy engine cannot read, copied to rows that it can.
//
// TMA wants addresses and strides that are multiples of 16 bytes. Rows of 4095 bf16 are not, and
// what reads them element by element (08_tensor_core) takes six times as long. So an operand that
// does not fit is copied first, to rows padded to 16 bytes, in the order it has (along K where it
// has none, and for tf32), and the product goes to the rung for the copies. What lies in the
// padding is read by nobody: the tensor map ends at the matrix.
//
//   4095 x 4097 x 4093, bf16: 134 MB to copy, some 35 us; the product takes 220
//
// Bytes: twice each operand that is copied, beside the product's own. Any strides, one batch axis.
// Workspace: the copies.
#include <optional>

#include "kernels/gemm/hopper.h"
#include "kernels/gemm/hopper_launch.h"
#include "kernels/gpu/gpu.h"
#include "kernels/gpu/runtime.h"
#include "kernels/gpu/scratch.h"

namespace strata::gpu {
namespace {

// An operand as rows in the order that it has: of K elements, or of M (N of B).
struct Rows {
  const void* data;
  int64_t rows, columns, row, column, batch;  // the last three are strides of elements
  bool along_k;
};

constexpr int lanes = 32, rows_of_block = 8;

// Rows to rows of `pitch` elements, 16 bytes a thread. W: an unsigned type as wide as an element.
template <class W>
__global__ void __launch_bounds__(lanes* rows_of_block, 1)
    repack_kernel(Rows from, W* to, int64_t pitch) {
  constexpr int width = vector_width<W>;
  const int64_t first = (int64_t{blockIdx.x} * lanes + threadIdx.x) * width;
  if (first >= pitch) return;
  const W* matrix = static_cast<const W*>(from.data) + blockIdx.z * from.batch;
  to += blockIdx.z * from.rows * pitch;
  for (int64_t row = int64_t{blockIdx.y} * rows_of_block + threadIdx.y; row < from.rows;
       row += int64_t{gridDim.y} * rows_of_block) {
    const W* source = matrix + row * from.row;
    Vec<W, width> values;
#pragma unroll
    for (int i = 0; i < width; ++i)
      values[i] = first + i < from.columns ? source[(first + i) * from.column] : W(0);
    store_vector(to + row * pitch + first, values);
  }
}

int64_t element_bytes(const GemmArguments& g) { return static_cast<int64_t>(size_of(g.dtype)); }
bool k_major_only(const GemmArguments& g) { return g.dtype == DType::f32; }  // as wgmma wants tf32

// The product with B (or A) such that only the other operand can be unfit.
bool reads_a(GemmArguments g) {
  g.b = nullptr, g.b_row = 1, g.b_column = (g.K + 7) / 8 * 8, g.b_batch[0] = 0;
  return hopper_reads(g, static_cast<size_t>(element_bytes(g)), k_major_only(g));
}
bool reads_b(GemmArguments g) {
  g.a = nullptr, g.a_column = 1, g.a_row = (g.K + 7) / 8 * 8, g.a_batch[0] = 0;
  return hopper_reads(g, static_cast<size_t>(element_bytes(g)), k_major_only(g));
}

Rows rows_of(const void* data, int64_t rows, int64_t K, int64_t row, int64_t k, int64_t batch,
             bool k_major_only) {
  if (k != 1 && row == 1 && !k_major_only) return {data, K, rows, k, row, batch, false};
  return {data, rows, K, row, k, batch, true};
}

// A copy that takes the operand's place.
class Copy {
 public:
  Copy(const Rows& from, int64_t batches, int64_t bytes)
      : along_k_(from.along_k),
        pitch_((from.columns * bytes + 15) / 16 * 16 / bytes),
        batches_(from.batch == 0 ? 1 : batches),
        plane_(from.rows * pitch_),
        memory_(static_cast<size_t>(batches_ * plane_ * bytes)) {
    bytes == 2 ? copy<uint16_t>(from) : copy<uint32_t>(from);
  }
  void replace(const void** data, int64_t* row, int64_t* k, int64_t* batch) const {
    *data = memory_.as<void>();
    *row = along_k_ ? pitch_ : 1;
    *k = along_k_ ? 1 : pitch_;
    *batch = batches_ == 1 ? 0 : plane_;
  }

 private:
  template <class W>
  void copy(const Rows& from) {
    const unsigned down = divide_up(from.rows, rows_of_block);
    launch<repack_kernel<W>>(
        {.grid = dim3(divide_up(pitch_ / vector_width<W>, lanes), down < 65535 ? down : 65535,
                      static_cast<unsigned>(batches_)),
         .block = dim3(lanes, rows_of_block)},
        from, memory_.as<W>(), pitch_);
  }
  bool along_k_;
  int64_t pitch_, batches_, plane_;
  Scratch memory_;
};

// As it would be with operands of fitting strides.
GemmArguments fitting(GemmArguments g) {
  const int64_t pitch = (g.K + 7) / 8 * 8;
  g.a = g.b = nullptr;
  g.a_row = g.b_column = pitch, g.a_column = g.b_row = 1;
  g.a_batch[0] = g.M * pitch, g.b_batch[0] = g.N * pitch;
  return g;
}

bool supports(const GemmArguments& arguments) {
  const GemmArguments g = simplify(arguments);
  const bool tf32 = g.dtype == DType::f32 && g.allow_tf32;
  if (g.batch_rank > 1 || (g.dtype != DType::bf16 && g.dtype != DType::f16 && !tf32)) return false;
  if (device().arch != 90 || (reads_a(g) && reads_b(g))) return false;
  return hopper_choice(fitting(g)) != nullptr;
}

void run(const GemmArguments& arguments) {
  GemmArguments g = simplify(arguments);
  const int64_t batches = batch_count(g), bytes = element_bytes(g);
  std::optional<Copy> a, b;
  if (!reads_a(g))
    a.emplace(rows_of(g.a, g.M, g.K, g.a_row, g.a_column, g.a_batch[0], k_major_only(g)), batches,
              bytes);
  if (!reads_b(g))
    b.emplace(rows_of(g.b, g.N, g.K, g.b_column, g.b_row, g.b_batch[0], k_major_only(g)), batches,
              bytes);
  if (a) a->replace(&g.a, &g.a_row, &g.a_column, &g.a_batch[0]);
  if (b) b->replace(&g.b, &g.b_column, &g.b_row, &g.b_batch[0]);
  hopper_choice(g)->run(g);
}

}  // namespace

namespace gemm_ladder {
const GemmRung repacked{"20_repacked", "unfit rows are copied to fitting ones", supports, run};
}

}  // namespace strata::gpu
